import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from '../api/call'
import type { Exec } from '../api/types'
import { TerminalOf } from '../terminal/terminal'
import { Text } from '../text'
import { Field, Problem } from '../ui'

/** Another program in a session that runs, at a terminal of its own. */
export function Another({ session }: { session: string }) {
  const [command, setCommand] = useState('sh')
  const [started, setStarted] = useState<Exec | null>(null)
  const start = useMutation({
    mutationFn: () => call<{ exec: Exec }>('ExecService/CreateExec', { session, argv: command.trim().split(/\s+/), terminal: { rows: 24, columns: 80 } }),
    onSuccess: ({ exec }) => setStarted(exec),
  })
  const id = started?.id
  useEffect(() => {
    if (!id) return
    return () => void call('ExecService/StopExec', { id }).catch(() => {}) // it has ended, or ends with the session
  }, [id])
  return (
    <section className="card">
      <h2>Another program in it</h2>
      {!started && (
        <form
          className="filters"
          onSubmit={(e) => {
            e.preventDefault()
            start.mutate()
          }}
        >
          <Field label="Command, words apart by spaces">{(field) => <input id={field} value={command} onChange={(e) => setCommand(e.target.value)} required />}</Field>
          <button type="submit" disabled={start.isPending}>
            Start it at a terminal
          </button>
        </form>
      )}
      {start.error && <Problem error={start.error} />}
      {started && (
        <>
          <div className="actions">
            <code>
              <Text value={(started.argv ?? []).join(' ')} />
            </code>
            <button type="button" onClick={() => setStarted(null)}>
              End it, and close
            </button>
          </div>
          <TerminalOf id={started.id} runs label="Terminal of the other program" />
          <p className="quiet">It ends when you leave this view.</p>
        </>
      )}
    </section>
  )
}
