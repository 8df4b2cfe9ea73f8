// Small parts that several views are made of.
import { useEffect, useId, useRef, useState, type ReactNode } from 'react'
import { Failure, unreachable } from './api/call'
import { Text } from './text'

export function Page({ title, count, actions, children }: { title: string; count?: number | undefined; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} – Ambit`
  }, [title])
  return (
    <>
      <header className="head">
        <h1>
          {title}
          {count !== undefined && <span className="count">{count}</span>}
        </h1>
        <div className="actions">{actions}</div>
      </header>
      {children}
    </>
  )
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="strong">{title}</p>
      {children}
    </div>
  )
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="loading" role="status">
      Reading {what}…
    </p>
  )
}

/** What went wrong, in the host's own words. */
export function Problem({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const offline = error instanceof Failure && error.code === unreachable
  return (
    <div className={offline ? 'notice warn' : 'notice bad'} role="alert">
      <span>
        <Text value={error instanceof Error ? error.message : String(error)} />
      </span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

interface Readable {
  isPending: boolean
  error: unknown
  data: unknown
  refetch: () => unknown
}

/** Shows what a query is about: that it is read, or why it is not. Old data stays. */
export function State({ query, what }: { query: Readable; what: string }) {
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />
  if (query.isPending) return <Loading what={what} />
  return null
}

export function Badge({ tone, children }: { tone?: 'good' | 'bad' | 'warn' | 'info' | undefined; children: ReactNode }) {
  return <span className={tone ? `badge ${tone}` : 'badge'}>{children}</span>
}

/** A name and what it is, in rows. What is empty is left out. */
export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {rows
        .filter(([, value]) => value !== '' && value !== undefined && value !== null && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

export function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  )
}

/** Asks before something is done, in a dialog that the browser keeps the focus in. */
export function Confirm({ title, action, onConfirm, onClose, children }: { title: string; action: string; onConfirm: () => Promise<unknown>; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  useEffect(() => dialog.current?.showModal(), [])
  const confirm = () => {
    setBusy(true)
    setError(null)
    onConfirm().then(onClose, (e: unknown) => {
      setError(e)
      setBusy(false)
    })
  }
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
      {error !== null && <Problem error={error} />}
      <div className="actions end">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className="danger" disabled={busy} onClick={confirm}>
          {action}
        </button>
      </div>
    </dialog>
  )
}
