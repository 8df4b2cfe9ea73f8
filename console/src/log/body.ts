// The bodies of records (internal/audit/body.go), as far as they are shown in words.
import type { Record } from '../api/types'

/** A text of the log; bytes that are not UTF-8 stand as base64. */
export type LogText = string | { base64: string }

export interface Layer {
  name: string
  promised?: boolean
  holds?: boolean
  weaker?: boolean
  detail?: LogText
}

export interface Reason {
  rule: string
  text?: LogText
  grant?: string
  by?: LogText
  fix?: LogText
}

export interface Body {
  argv?: LogText[]
  program?: LogText
  capability?: LogText
  outcome?: string
  reasons?: Reason[]
  why?: LogText
  grant?: string
  span?: string
  origin?: string
  reason?: LogText
  decision?: string
  to?: LogText
  method?: LogText
  path?: LogText
  end?: string
  status?: string | number
  exec?: string
  error?: LogText
  exit?: number
  signal?: string
  layer?: string
  action?: string
  object?: LogText
  tier?: string
  layers?: Layer[]
  name?: string
  folder?: LogText
  source?: LogText
  key?: LogText
  version?: number
  restored?: number
  removed?: boolean
  role?: string
  by?: LogText
  procedure?: string
}

export function bodyOf(r: Record): Body {
  try {
    return JSON.parse(r.body) as Body
  } catch {
    return {} // it is shown as it stands
  }
}

export function textOf(t: LogText | undefined): string {
  if (t === undefined || typeof t === 'string') return t ?? ''
  const bytes = Uint8Array.from(atob(t.base64), (c) => c.charCodeAt(0))
  return new TextDecoder().decode(bytes)
}

/** Says in a line what a record tells. What programs chose is in it: show it as text. */
export function summary(r: Record): string {
  const b = bodyOf(r)
  const what = textOf(b.capability)
  switch (r.kind) {
    case 'session.start':
    case 'session.exec':
      return (b.argv ?? []).map(textOf).join(' ')
    case 'session.leave':
      return `${b.exec ?? ''} ended with ${b.exit ?? 0} ${textOf(b.error)}`
    case 'session.end':
      return b.status === 'exited' ? `exit ${b.exit ?? 0}` : [b.status, b.signal].filter(Boolean).join(' ')
    case 'decision':
      return `${b.outcome} ${what}`
    case 'denial':
      return `${b.layer} stopped ${b.action ?? ''} ${textOf(b.object) || what}`
    case 'grant.add':
      return `${b.outcome ?? ''} ${what}${b.span ? `, ${b.span}` : ''}`
    case 'grant.revoke':
      return `${b.grant} ${what}`
    case 'grant.effect':
      return `lost ${what}`
    case 'flow':
      return `${textOf(b.to)} ${b.end ?? ''}`
    case 'request':
      return `${textOf(b.method)} ${textOf(b.to)}${textOf(b.path)} ${b.status ?? ''}`
    case 'report': {
      const failing = (b.layers ?? []).filter((l) => l.promised && !l.holds).length
      return failing ? `${b.tier}: ${failing} promised layers do not hold` : `${b.tier}: what was promised holds`
    }
    case 'secret.set':
    case 'secret.remove':
      return b.name ?? ''
    case 'pack.own':
    case 'pack.remove':
      return `${r.pack ?? ''} ${textOf(b.folder)}`
    case 'changes.apply':
      return textOf(b.source)
    case 'storage.commit':
      return `${textOf(b.key)} version ${b.version ?? 0}${b.removed ? ', removed' : ''}${b.restored ? `, of version ${b.restored}` : ''}`
    case 'storage.forget':
      return textOf(b.key) || 'everything'
    case 'token.add':
    case 'token.remove':
      return [b.name, b.role].filter(Boolean).join(' ')
    case 'api.call':
      return `${textOf(b.by)} ${b.procedure ?? ''}`
    default:
      return ''
  }
}

export function tone(r: Record): 'good' | 'bad' | 'warn' | 'info' | undefined {
  const outcome = bodyOf(r).outcome
  if (r.kind === 'grant.revoke' || r.kind === 'grant.effect' || outcome === 'ask') return 'warn'
  if (r.kind === 'denial' || outcome === 'deny') return 'bad'
  return outcome === 'allow' ? 'good' : undefined
}
