import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { all } from '../api/call'
import { useMay } from '../api/me'
import type { Session } from '../api/types'
import { Code, Text } from '../text'
import { Ago } from '../time'
import { Badge, Empty, Page, State } from '../ui'

export function StateOf({ session: s }: { session: Session }) {
  switch (s.state) {
    case 'SESSION_STATE_STARTING':
      return <Badge tone="info">starting</Badge>
    case 'SESSION_STATE_RUNNING':
      if (s.paused) return <Badge tone="warn">paused</Badge>
      return <Badge tone="good">running</Badge>
    case 'SESSION_STATE_LOST':
      return <Badge tone="warn">lost</Badge>
    default:
      return (
        <Badge tone={s.exit ? 'bad' : undefined}>
          <Text value={s.status || 'ended'} />
        </Badge>
      )
  }
}

export function Sessions() {
  const may = useMay('operator')
  const [ended, setEnded] = useState(false)
  const query = useQuery({
    queryKey: ['sessions', ended],
    queryFn: ({ signal }) => all<Session>('SessionService/ListSessions', 'sessions', { ended }, signal),
    refetchInterval: 3000,
  })
  const rows = query.data?.rows ?? []
  return (
    <Page
      title="Sessions"
      count={query.data && rows.length}
      actions={
        <>
          <label className="check">
            <input type="checkbox" checked={ended} onChange={(e) => setEnded(e.target.checked)} />
            Also what has ended
          </label>
          {may && (
            <Link to="/sessions/new" className="button">
              Start a session
            </Link>
          )}
        </>
      }
    >
      <State query={query} what="the sessions" />
      {query.data && rows.length === 0 && (
        <Empty title={ended ? 'No program has run yet.' : 'No program runs now.'}>
          <p className="quiet">
            <code>ambit run -- COMMAND</code>, or an operator here, starts one.
          </p>
        </Empty>
      )}
      {rows.length > 0 && (
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">Program</th>
              <th scope="col">Pack</th>
              <th scope="col">Tier</th>
              <th scope="col">Started</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((s) => (
              <tr key={s.id}>
                <td>
                  <Link to="/sessions/$id" params={{ id: s.id }} className="strong">
                    <Text value={s.program || s.id} />
                  </Link>
                  <span className="quiet id">
                    <Code value={s.id} />
                  </span>
                </td>
                <td data-label="Pack">{s.pack ? <Text value={s.pack} /> : <span className="quiet">none</span>}{s.organisation && <> of <Text value={s.organisation} /></>}</td>
                <td data-label="Tier">{s.tier}</td>
                <td data-label="Started">
                  <Ago time={s.started} />
                </td>
                <td data-label="State">
                  <StateOf session={s} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {query.data?.more && <p className="quiet">There are more than are shown.</p>}
    </Page>
  )
}
