// Light or dark: as the system says, until somebody chooses.

export type Theme = 'system' | 'light' | 'dark'
const key = 'ambit-theme'

export function theme(): Theme {
  const kept = localStorage.getItem(key)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

export function setTheme(t: Theme) {
  if (t === 'system') localStorage.removeItem(key)
  else localStorage.setItem(key, t)
  applyTheme()
}

export function applyTheme() {
  const t = theme()
  if (t === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = t
}
