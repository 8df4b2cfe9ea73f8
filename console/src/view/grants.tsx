import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { all, call } from '../api/call'
import { useMay } from '../api/me'
import type { Grant, Loss } from '../api/types'
import { Code, plain, Text } from '../text'
import { Ago, moment } from '../time'
import { Badge, Confirm, Empty, Field, Page, State } from '../ui'

const spans: { [k: string]: string } = { SPAN_ONCE: 'once', SPAN_SESSION: 'for a session', SPAN_ALWAYS: 'until revoked', SPAN_UNTIL: 'until' }

interface Revoked {
  losses?: Loss[]
}

export function Grants() {
  const client = useQueryClient()
  const may = useMay('approver')
  const [words, setWords] = useState('')
  const [ended, setEnded] = useState(false)
  const [chosen, setChosen] = useState<Grant | null>(null)
  const wanted = useDeferredValue(words.trim().toLowerCase())
  const query = useQuery({
    queryKey: ['grants', ended],
    queryFn: ({ signal }) => all<Grant>('GrantService/ListGrants', 'grants', { ended }, signal),
    refetchInterval: 5000,
  })
  const revoke = useMutation({
    mutationFn: (id: string) => call<Revoked>('GrantService/RevokeGrants', { ids: [id] }),
    onSettled: () => client.invalidateQueries({ queryKey: ['grants'] }),
  })
  const rows = (query.data?.rows ?? [])
    .filter((g) => [g.capability, g.meaning, g.pack, g.id, g.reason, g.origin].some((t) => t?.toLowerCase().includes(wanted)))
    .reverse()
  return (
    <Page title="Grants" count={query.data && rows.length}>
      <search className="filters">
        <Field label="Search">
          {(id) => <input id={id} type="search" value={words} placeholder="capability, pack, reason" spellCheck={false} onChange={(e) => setWords(e.target.value)} />}
        </Field>
        <label className="check">
          <input type="checkbox" checked={ended} onChange={(e) => setEnded(e.target.checked)} />
          Also what was revoked or is over
        </label>
      </search>
      <State query={query} what="the grants" />
      <div role="status">{revoke.data && <Lost losses={revoke.data.losses ?? []} />}</div>
      {query.data && rows.length === 0 && <Empty title={wanted ? 'No grant is about that.' : 'Nothing is granted or denied until further notice.'} />}
      {rows.length > 0 && (
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">To</th>
              <th scope="col">How long</th>
              <th scope="col">Given</th>
              <th scope="col">
                <span className="unseen">Do</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((g) => (
              <Row key={g.id} grant={g} may={may} onRevoke={() => setChosen(g)} />
            ))}
          </tbody>
        </table>
      )}
      {query.data?.more && <p className="quiet">There are more than are shown. The command line lists them all: ambit grants ls</p>}
      {chosen && (
        <Confirm title="Revoke this grant?" action="Revoke" onClose={() => setChosen(null)} onConfirm={() => revoke.mutateAsync(chosen.id)}>
          <p>
            <Code value={chosen.capability} />
          </p>
          <p className="quiet">
            {chosen.verdict === 'VERDICT_DENY'
              ? 'It is not denied any more: the next touch asks again.'
              : 'Programs that run lose it within a second. The next touch asks again, or is refused where nobody is asked.'}
          </p>
        </Confirm>
      )}
    </Page>
  )
}

function Row({ grant: g, may, onRevoke }: { grant: Grant; may: boolean; onRevoke: () => void }) {
  return (
    <tr>
      <td>
        <Badge tone={g.verdict === 'VERDICT_ALLOW' ? 'good' : 'bad'}>{g.verdict === 'VERDICT_ALLOW' ? 'allow' : 'deny'}</Badge> <Code value={g.capability} />
        {g.reason && (
          <span className="quiet id">
            <Text value={g.reason} />
          </span>
        )}
      </td>
      <td data-label="To">{g.pack ? <Text value={g.pack} /> : <span className="quiet">commands without a pack</span>}{g.organisation && <> of <Text value={g.organisation} /></>}</td>
      <td data-label="How long">
        {spans[g.span ?? ''] ?? ''} {moment(g.until)}
      </td>
      <td data-label="Given">
        <Ago time={g.created} /> {g.origin && <span className="quiet">{g.origin}</span>}
      </td>
      <td>
        {g.revoked ? (
          <span className="quiet">
            revoked <Ago time={g.revoked} />
          </span>
        ) : (
          may && (
            <button type="button" aria-label={`Revoke ${plain(g.capability)}`} onClick={onRevoke}>
              Revoke
            </button>
          )
        )}
      </td>
    </tr>
  )
}

function Lost({ losses }: { losses: Loss[] }) {
  if (losses.length === 0) return <p className="notice good">Revoked.</p>
  return (
    <ul className="notice good lost">
      {losses.map((l, i) => (
        <li key={i}>
          Revoked. <Code value={l.session} /> loses <Code value={l.capability} />
          {l.open ? `, and still has ${l.open} open descriptors of it` : ''}.
        </li>
      ))}
    </ul>
  )
}
