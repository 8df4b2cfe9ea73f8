// The questions that wait, as the host says them. There is one list for the whole
// page, beside React, since it lasts longer than any view of it.
import { useSyncExternalStore } from 'react'
import { call, Failure, unreachable } from '../api/call'
import { stream } from '../api/stream'
import type { Question, QuestionChange } from '../api/types'

export interface Inbox {
  questions: Question[] // oldest first
  state: 'connecting' | 'live' | 'lost'
  error: Failure | null
}

const none: Inbox = { questions: [], state: 'connecting', error: null }
let inbox = none
const listeners = new Set<() => void>()
let running: AbortController | null = null

function set(next: Partial<Inbox>) {
  inbox = { ...inbox, ...next }
  for (const tell of listeners) tell()
}

const drawEvery = 100 // ms at least, while questions come and go
const soonest = 500
const latest = 5000

/** Follows the questions until stop. */
export function start() {
  if (running) return
  running = new AbortController()
  void follow(running.signal)
}

export function stop() {
  running?.abort()
  running = null
  set(none)
}

async function follow(signal: AbortSignal) {
  for (let wait = soonest; !signal.aborted; wait = Math.min(wait * 2, latest)) {
    try {
      await once(signal, () => (wait = soonest))
    } catch (e) {
      if (signal.aborted) return
      set({ state: 'lost', error: e instanceof Failure ? e : new Failure('unknown', String(e)) })
    }
    await pause(wait, signal)
  }
}

// pause ends early where the system says that there is a network again.
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener('online', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    addEventListener('online', done)
    signal.addEventListener('abort', done, { once: true })
  })
}

// once follows one connection. What the host has when it begins replaces what was
// known, at once: no question is lost between two connections, and none stays that
// is over. Until then the old list is shown.
async function once(signal: AbortSignal, connected: () => void) {
  const waiting = new Map<string, Question>()
  let caughtUp = false
  let timer = 0 // of the next time that it is drawn; 0: nothing is new
  let drawn = -drawEvery
  const draw = () => {
    timer = 0
    drawn = performance.now()
    if (!signal.aborted) set({ questions: [...waiting.values()], state: 'live', error: null })
  }
  const line = watched(signal)
  try {
    for await (const change of stream<QuestionChange>('QuestionService/WatchQuestions', {}, line.signal)) {
      if (change.put) waiting.set(change.put.id, change.put)
      if (change.over) waiting.delete(change.over)
      if (change.caughtUp) {
        caughtUp = true
        connected()
      }
      if (!caughtUp || timer) continue
      timer = window.setTimeout(draw, Math.max(0, drawn + drawEvery - performance.now())) // hundreds that come at once are drawn once
    }
  } catch (e) {
    if (line.signal.aborted && !signal.aborted) throw new Failure(unreachable, 'The connection to the host was lost.')
    throw e
  } finally {
    clearTimeout(timer)
    line.done()
  }
}

const lookEvery = 10_000
const answersWithin = 8000

// watched is the signal of one connection, which ends it also where nobody says that
// it is dead: a stream on which nothing comes looks like one of which nothing is left.
function watched(signal: AbortSignal): { signal: AbortSignal; done: () => void } {
  const own = new AbortController()
  const end = () => own.abort()
  const look = () => {
    call('HostService/GetVersion', {}, AbortSignal.timeout(answersWithin)).catch(end)
  }
  const seen = () => document.visibilityState === 'visible' && look() // a phone that slept
  const timer = setInterval(look, lookEvery)
  signal.addEventListener('abort', end)
  addEventListener('offline', end)
  document.addEventListener('visibilitychange', seen)
  return {
    signal: own.signal,
    done: () => {
      clearInterval(timer)
      signal.removeEventListener('abort', end)
      removeEventListener('offline', end)
      document.removeEventListener('visibilitychange', seen)
      end()
    },
  }
}

export function useInbox(): Inbox {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => inbox,
  )
}
