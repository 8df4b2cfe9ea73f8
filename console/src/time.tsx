import { useEffect, useState } from 'react'

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

/** The time as it passes, in milliseconds, by the second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}

/** How long ago something was; the time itself is its title. */
export function Ago({ time }: { time: string | undefined }) {
  const now = useNow()
  if (!time) return null
  return (
    <time dateTime={time} title={moment(time)}>
      {span(Math.max(0, Math.floor((now - Date.parse(time)) / 1000)))} ago
    </time>
  )
}

/** How long is left. */
export function Left({ until }: { until: string }) {
  const left = Math.max(0, Math.ceil((Date.parse(until) - useNow()) / 1000))
  return (
    <time dateTime={until} title={`It waits until ${moment(until)}`}>
      {span(left)} left
    </time>
  )
}
