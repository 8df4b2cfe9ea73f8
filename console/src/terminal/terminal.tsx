import { useEffect, useId, useRef, useState } from 'react'
import { follow, gone, type End } from '../view/follow'
import { Problem } from '../ui'
import { firstLook, owns } from './own'
import { open, type Screen } from './screen'

/**
 * The terminal of a program that runs, or ran: what it writes, and a keyboard.
 *
 * A terminal takes every key, Tab too. Ctrl-Shift-L leaves it, for the button behind it.
 *
 * What a program asks its terminal is answered by the page that started it, or where somebody
 * is at it, and not again by whoever sees later what it wrote: that is drawn alone. Where
 * several pages do so, the host types what one of them says.
 */
export function TerminalOf({ id, runs: now, label, onEnd }: { id: string; runs: boolean; label: string; onEnd?: () => void }) {
  const [runs] = useState(now) // its end comes with what it writes
  const box = useRef<HTMLDivElement>(null)
  const leave = useRef<HTMLButtonElement>(null)
  const screen = useRef<Screen>(null)
  const help = useId()
  const [error, setError] = useState<unknown>(null)
  const [end, setEnd] = useState<End | null>(null)
  const [reader, setReader] = useState(false)
  const [said, setSaid] = useState('')
  const [lost, setLost] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    const host = box.current
    if (!host) return
    setEnd(null)
    setLost(0)
    let current = firstLook(id)
    const answers = () => current && (owns(id) || (document.hasFocus() && host.contains(document.activeElement)))
    void open(host, { id, runs, label, help, failed: setError, leave: () => leave.current?.focus(), answers }, abort.signal)
      .then((s) => {
        if (abort.signal.aborted) return
        screen.current = s
        return follow(id, abort.signal, { data: (_, bytes, next) => s.draw(bytes, next), lost: (bytes) => (s.reset(), setLost((n) => n + bytes)), live: (on) => (current = on), end: (e) => (s.end(), setEnd(e)), error: setError })
      })
      .catch((e: unknown) => abort.signal.aborted || setError(e))
    return () => {
      abort.abort()
      screen.current?.close()
      screen.current = null
    }
  }, [id, runs, label, help])
  useEffect(() => {
    if (end) onEnd?.()
  }, [end]) // once
  const copy = () => {
    const text = screen.current?.selected() ?? ''
    if (text === '') return setSaid('Nothing is selected.')
    navigator.clipboard.writeText(text).then(
      () => setSaid('Copied.'),
      () => setSaid('The browser does not let the page copy.'),
    )
  }
  return (
    <div className="terminal">
      {error !== null && <Problem error={error} />}
      {lost > 0 && <p className="quiet">{gone(lost)}</p>}
      <div className="screen" ref={box} />
      <p className="quiet" id={help}>
        Every key goes to the program, Tab too. <kbd>Ctrl</kbd> <kbd>Shift</kbd> <kbd>L</kbd> leaves the terminal.
      </p>
      <div className="actions">
        <button type="button" ref={leave} onClick={copy}>
          Copy what is selected
        </button>
        <label className="check">
          <input
            type="checkbox"
            checked={reader}
            onChange={(e) => {
              setReader(e.target.checked)
              screen.current?.read(e.target.checked)
            }}
          />
          For a screen reader
        </label>
        <span className="quiet" role="status">
          {said}
        </span>
      </div>
      {end && (
        <p className="quiet" role="status">
          It ended with status {end.exit}.{end.dropped > 0 && ` ${end.dropped} bytes more were written than are kept.`}
        </p>
      )}
    </div>
  )
}
