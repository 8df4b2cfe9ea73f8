import { useId, useRef, type ReactNode } from 'react'
import { flushSync } from 'react-dom'
import { Text } from '../text'

/** What is wrong with a row, as the form or the host has it. */
export interface Wrong {
  text: string
  by: 'form' | 'host'
}

/** What the fields of one row have in common. */
export interface Marked {
  'aria-invalid': boolean
  'aria-describedby': string | undefined
  autoComplete: 'off'
  autoCapitalize: 'off'
  spellCheck: false
}

interface Props<Row> {
  title: string
  one: string // a row, as in "Another volume"
  about: string
  rows: Row[]
  blank: Row
  wrong: (Wrong | undefined)[]
  onRows: (rows: Row[]) => void
  children: (row: Row, at: number, set: (row: Row) => void, marked: Marked) => ReactNode
}

/** A list that is filled in, one row each. What is wrong with one stands beside it. */
export function Rows<Row>({ title, one, about, rows, blank, wrong, onRows, children }: Props<Row>) {
  const id = useId()
  const group = useRef<HTMLDivElement>(null)
  const add = useRef<HTMLButtonElement>(null)
  const added = () => {
    flushSync(() => onRows([...rows, blank]))
    const entries = group.current?.querySelectorAll('.entry')
    entries?.[rows.length]?.querySelector('input')?.focus() // who adds a row fills it in
  }
  return (
    <div ref={group} role="group" aria-labelledby={`${id}title`} aria-describedby={`${id}about`} className="field">
      <span id={`${id}title`} className="quiet">
        {title}
      </span>
      {rows.map((row, i) => {
        const bad = wrong[i]
        const marked: Marked = {
          'aria-invalid': !!bad, 'aria-describedby': bad ? `${id}wrong${i}` : undefined,
          autoComplete: 'off', autoCapitalize: 'off', spellCheck: false,
        }
        return (
          <div key={i} className="entry">
            {children(row, i, (to) => onRows(rows.map((r, at) => (at === i ? to : r))), marked)}
            <button
              type="button"
              aria-label={`Leave out ${one} ${i + 1}`}
              onClick={() => {
                onRows(rows.filter((_, at) => at !== i))
                add.current?.focus() // the button goes with its row
              }}
            >
              Leave out
            </button>
            {bad && (
              <p id={`${id}wrong${i}`} className="wrong" role={bad.by === 'host' ? 'alert' : undefined}>
                <Text value={bad.text} />
              </p>
            )}
          </div>
        )
      })}
      <div className="actions">
        <button type="button" ref={add} onClick={added}>
          {rows.length ? `Another ${one}` : `Add a ${one}`}
        </button>
        <span id={`${id}about`} className="quiet">
          {about}
        </span>
      </div>
    </div>
  )
}
