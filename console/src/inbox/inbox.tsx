import { useCallback, useEffect, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { useMay } from '../api/me'
import type { Question } from '../api/types'
import { Empty, Loading, Page } from '../ui'
import { Card, type CardHandle } from './card'
import { useInbox } from './store'
import { choices } from './words'

// A key that was meant for one question must not answer another one that has taken
// its place: so long nothing is answered by keys after the place has changed by itself.
const quiet = 700

// So many rows are made at once, of the oldest: hundreds may wait, and nobody reads them all.
const page = 50

const focusOn = (q: Question | undefined) => q && document.getElementById(`question-${q.id}`)?.focus()

export function Inbox() {
  const inbox = useInbox()
  const may = useMay('approver')
  const chosen = useChosen(inbox.questions)
  const [help, setHelp] = useState(false)
  const open = useRef<CardHandle>(null)
  useKeys((key) => {
    if (key === 'j' || key === 'ArrowDown') return chosen.move(1)
    if (key === 'k' || key === 'ArrowUp') return chosen.move(-1)
    if (key === '?') return setHelp((h) => !h)
    if (!may || !chosen.settled()) return
    if (/^[1-9]$/.test(key)) return open.current?.offer(Number(key) - 1)
    const choice = choices.find((c) => c.key === key)
    if (choice) open.current?.choose(choice)
  })
  const n = inbox.questions.length
  const [pages, setPages] = useState(1)
  const shown = Math.max(pages, Math.ceil((chosen.at + 1) / page)) * page
  const more = () => {
    flushSync(() => setPages(shown / page + 1))
    focusOn(inbox.questions[shown])
  }
  return (
    <Page
      title="Inbox"
      count={n || undefined}
      actions={
        <button type="button" aria-expanded={help} onClick={() => setHelp(!help)}>
          Keys
        </button>
      }
    >
      {help && <Keys />}
      <p className="unseen" role="status">
        {inbox.state === 'live' && (n === 1 ? '1 question waits' : `${n} questions wait`)}
      </p>
      {inbox.state === 'connecting' && <Loading what="what waits" />}
      {inbox.state !== 'connecting' && n === 0 && (
        <Empty title="Nothing waits for an answer.">
          <p className="quiet">
            A program that is run with <code>ambit run --ask queue</code> asks here when it first touches what it was not granted.
          </p>
        </Empty>
      )}
      <ul className="questions" onFocus={() => chosen.focused(true)} onBlur={(e) => chosen.focused(e.target.matches(':disabled'))}>
        {inbox.questions.slice(0, shown).map((q) => (
          <li key={q.id} className={q.id === chosen.id ? 'question open' : 'question'} aria-setsize={n > shown ? n : undefined}>
            <Card question={q} open={q.id === chosen.id} may={may} ref={q.id === chosen.id ? open : null} onOpen={chosen.take} />
          </li>
        ))}
      </ul>
      {n > shown && (
        <div className="actions more">
          <span className="quiet">
            The oldest {shown} of {n} are shown.
          </span>
          <button type="button" onClick={more}>
            Show {Math.min(page, n - shown)} more
          </button>
        </div>
      )}
    </Page>
  )
}

/** Which question is open. It is one by its id: what comes and goes does not move it. */
function useChosen(questions: Question[]) {
  const [id, setID] = useState('')
  const place = useRef(0)
  const since = useRef(0)
  const focused = useRef(false) // in the list, or lost by what an answer has disabled or removed there
  const now = useRef(id)
  const at = questions.findIndex((q) => q.id === id)
  useEffect(() => {
    if (at >= 0) {
      place.current = at
      return
    }
    const next = questions[Math.min(place.current, questions.length - 1)]
    since.current = performance.now()
    now.current = next?.id ?? ''
    setID(now.current)
    if (focused.current && document.activeElement === document.body) focusOn(next) // it went with what was answered
  }, [questions, at])
  const take = useCallback((to: string) => {
    if (to !== now.current) since.current = 0 // Enter, pressed twice on an answer, is also for the next one
    now.current = to
    setID(to)
  }, [])
  return {
    id,
    at,
    take,
    focused: (on: boolean) => (focused.current = on),
    move: (by: number) => {
      const to = questions[Math.max(0, Math.min(questions.length - 1, at + by))]
      if (!to) return
      if (document.getElementById(`question-${to.id}`)) take(to.id)
      else flushSync(() => take(to.id)) // its row is made first
      focusOn(to)
    },
    settled: () => performance.now() - since.current > quiet,
  }
}

/** Calls f with each key that is pressed where nothing is typed. */
function useKeys(f: (key: string) => void) {
  const latest = useRef(f)
  useEffect(() => {
    latest.current = f
  })
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const typed = e.target instanceof HTMLElement && e.target.closest('input:not([type=radio]), textarea, select, dialog')
      if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || typed) return
      if (e.key.startsWith('Arrow') && e.target instanceof HTMLElement && e.target.closest('input')) return
      if (e.key.startsWith('Arrow')) e.preventDefault()
      latest.current(e.key)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

function Keys() {
  const rows: [string, string][] = [['j  k', 'next, previous question'], ['1 – 9', 'what is allowed or denied'], ...choices.map((c): [string, string] => [c.key, c.words.toLowerCase()])]
  return (
    <dl className="card keys">
      {rows.map(([key, words]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  )
}
