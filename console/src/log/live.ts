// Records as they are written, beside those that were there before.
import { useEffect, useRef, useState } from 'react'
import { held, stream } from '../api/stream'
import type { Record, RecordFilter } from '../api/types'

/** The most records that the page has; older ones go where more come. */
export const mostShown = 500

/** How long records are gathered before they are drawn: hundreds may come at once. */
const gathered = 200 // ms

interface Live {
  rows: Record[] // newest first
  error: unknown // null: none
}

const none: Live = { rows: [], error: null }

/**
 * Follows the log from the number behind `newest` on, while it is on. `newest` is
 * undefined where it is not known yet. What was written while it was off comes when it
 * is on again.
 */
export function useLive(filter: RecordFilter, newest: string | undefined, on: boolean): Live {
  const [live, setLive] = useState(none)
  const key = JSON.stringify(filter)
  const last = useRef('0') // that is shown, of this filter
  const known = newest !== undefined
  const first = useRef(newest)
  first.current = newest
  useEffect(() => {
    last.current = first.current ?? '0'
    setLive(none)
  }, [key, known])
  useEffect(() => {
    if (!on || !known) return
    const abort = new AbortController()
    void follow(JSON.parse(key) as RecordFilter, last, abort.signal, setLive)
    return () => abort.abort()
  }, [key, known, on])
  return live
}

// follow reads on behind the last record that is shown: what was read and not drawn, when
// it is broken off, is read again.
async function follow(filter: RecordFilter, last: { current: string }, signal: AbortSignal, set: (f: (l: Live) => Live) => void) {
  let waiting: Record[] = []
  let timer = 0
  const draw = () => {
    timer = 0
    const [newest] = waiting
    if (signal.aborted || !newest) return
    const more = waiting
    waiting = []
    last.current = newest.seq
    set((l) => ({ rows: [...more, ...l.rows].slice(0, mostShown), error: null }))
  }
  const once = async (fine: () => void) => {
    waiting = []
    const from = String(BigInt(last.current) + 1n)
    for await (const { record } of stream<{ record?: Record }>('AuditService/StreamRecords', { filter, from }, signal)) {
      if (!record || signal.aborted) continue
      fine()
      waiting = [record, ...waiting.slice(0, mostShown - 1)]
      timer ||= window.setTimeout(draw, gathered)
    }
  }
  await held(signal, once, (error) => set((l) => ({ ...l, error })))
}
