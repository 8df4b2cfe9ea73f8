import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { all, call } from '../api/call'
import type { Exec } from '../api/types'
import { command } from '../inbox/words'
import { started } from '../terminal/own'
import { TerminalOf } from '../terminal/terminal'
import { Code, plain } from '../text'
import { Ago } from '../time'
import { Field, Problem } from '../ui'
import { OutputOf } from './output'

/** Other programs in a session that runs: those that are there, and another one. */
export function Another({ session }: { session: string }) {
  const client = useQueryClient()
  const [words, setWords] = useState('sh')
  const [open, setOpen] = useState<Exec[]>([])
  const list = useQuery({ queryKey: ['execs', session], queryFn: ({ signal }) => all<Exec>('ExecService/ListExecs', 'execs', { session }, signal) })
  const again = () => client.invalidateQueries({ queryKey: ['execs', session] })
  const start = useMutation({
    mutationFn: () => call<{ exec: Exec }>('ExecService/CreateExec', { session, argv: words.trim().split(/\s+/), terminal: { rows: 24, columns: 80 } }),
    onSuccess: ({ exec }) => {
      started(exec.id)
      setOpen((o) => [...o, exec])
      return again()
    },
  })
  // What has ended stays as long as it is looked at.
  const rows = [...open, ...(list.data?.rows ?? []).filter((e) => open.every((o) => o.id !== e.id))]
  return (
    <section className="card" aria-label="Other programs in it">
      <h2>Other programs in it</h2>
      {list.error && <Problem error={list.error} retry={() => void list.refetch()} />}
      {rows.map((e) => {
        const shown = open.some((o) => o.id === e.id)
        return (
          <Program
            key={e.id}
            exec={e}
            open={shown}
            runs={!!list.data?.rows.some((r) => r.id === e.id)}
            onOpen={() => setOpen(shown ? open.filter((o) => o.id !== e.id) : [...open, e])}
            onEnd={again}
          />
        )
      })}
      <form
        className="filters"
        onSubmit={(e) => {
          e.preventDefault()
          start.mutate()
        }}
      >
        <Field label="Command, words apart by spaces">{(field) => <input id={field} value={words} onChange={(e) => setWords(e.target.value)} required />}</Field>
        <button type="submit" disabled={start.isPending}>
          Start it at a terminal
        </button>
      </form>
      {start.error && <Problem error={start.error} />}
      <p className="quiet">They go on when you leave this view, and are found here again.</p>
    </section>
  )
}

interface Props {
  exec: Exec
  open: boolean
  runs: boolean
  onOpen: () => void
  onEnd: () => void
}

function Program({ exec: e, open, runs, onOpen, onEnd }: Props) {
  const name = plain(command(e.argv))
  const stop = useMutation({ mutationFn: () => call('ExecService/StopExec', { id: e.id }), onSettled: onEnd })
  return (
    <div className="program">
      <div className="actions">
        <Code value={command(e.argv)} />
        <span className="quiet">
          <Ago time={e.started} />
        </span>
        <button type="button" aria-expanded={open} aria-label={`${open ? 'Hide' : 'Show'} ${name}`} onClick={onOpen}>
          {open ? 'Hide' : 'Show'}
        </button>
        {runs && (
          <button type="button" className="danger" aria-label={`End ${name}`} disabled={stop.isPending} onClick={() => stop.mutate()}>
            End
          </button>
        )}
      </div>
      {stop.error && <Problem error={stop.error} />}
      {open && e.terminal && <TerminalOf id={e.id} runs label={`Terminal of ${name}`} onEnd={onEnd} />}
      {open && !e.terminal && <OutputOf session={e.id} />}
    </div>
  )
}
