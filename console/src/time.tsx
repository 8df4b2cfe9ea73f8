import { useSyncExternalStore } from 'react'

const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

export function moment(iso: string | undefined): string {
  return iso ? format.format(new Date(iso)) : ''
}

const shorter = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

/** The same without seconds, of a time in milliseconds. */
export function minute(ms: number): string {
  return shorter.format(ms)
}

function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} d`
}

// One clock for the whole page: hundreds of rows may show how long is left.
const told = new Set<() => void>()
let clock = 0

function subscribe(tell: () => void) {
  told.add(tell)
  clock ||= window.setInterval(() => told.forEach((f) => f()), 1000)
  return () => {
    told.delete(tell)
    if (told.size > 0) return
    clearInterval(clock)
    clock = 0
  }
}

/** What is said of the time as it passes, in milliseconds: drawn again where that is another. */
function usePassing<T extends string | number>(say: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => say(Date.now()))
}

/** The time as it passes, in milliseconds, by the second. */
export function useNow(): number {
  return usePassing((now) => Math.floor(now / 1000) * 1000)
}

/** How long ago something was; the time itself is its title. */
export function Ago({ time }: { time: string | undefined }) {
  const ago = usePassing((now) => (time ? span(Math.max(0, Math.floor((now - Date.parse(time)) / 1000))) : ''))
  if (!time) return null
  return (
    <time dateTime={time} title={moment(time)}>
      {ago} ago
    </time>
  )
}

/** How long is left. */
export function Left({ until }: { until: string }) {
  const left = usePassing((now) => span(Math.max(0, Math.ceil((Date.parse(until) - now) / 1000))))
  return (
    <time dateTime={until} title={`It waits until ${moment(until)}`}>
      {left} left
    </time>
  )
}
