import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { memo, useState } from 'react'
import { call } from '../api/call'
import type { Record, RecordFilter, Records, Verified } from '../api/types'
import { Code, Text } from '../text'
import { moment } from '../time'
import { Badge, Empty, Field, Page, Problem, State } from '../ui'
import { summary, tone } from './body'
import { mostShown, useLive } from './live'

// Every kind there is: internal/audit/kind.go (TestKinds in test/console).
const kinds = [
  'session.start', 'session.exec', 'session.leave', 'session.copy', 'session.snapshot', 'session.restore', 'session.pause', 'session.resume', 'session.end', 'decision', 'denial',
  'grant.add', 'grant.revoke', 'grant.effect', 'flow', 'request', 'report', 'secret.set', 'secret.remove', 'pack.own', 'pack.remove',
  'changes.apply', 'storage.commit', 'storage.forget', 'token.add', 'token.remove', 'api.call', 'log.open', 'log.repair',
]

export interface LogSearch {
  session?: string
  kind?: string
  capability?: string
  outcome?: string
  trace?: string
}

/** Takes from an address what the log may be filtered by. */
export function readSearch(search: { [k: string]: unknown }): LogSearch {
  const out: LogSearch = {}
  for (const name of ['session', 'kind', 'capability', 'outcome', 'trace'] as const) {
    const value = search[name]
    if (typeof value === 'string' && value !== '') out[name] = value
  }
  return out
}

export function Log() {
  const filter: RecordFilter = useSearch({ from: '/log' })
  const query = useInfiniteQuery({
    queryKey: ['records', filter],
    queryFn: ({ pageParam, signal }) => call<Records>('AuditService/ListRecords', { pageSize: 100, pageToken: pageParam, filter }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.nextPageToken || undefined,
  })
  const [on, setOn] = useState(true)
  const read = query.data?.pages.flatMap((p) => p.records ?? []) ?? []
  const newest = query.data && (read[0]?.seq ?? '0')
  const live = useLive(filter, newest, on)
  const fresh = live.rows.filter((r) => BigInt(r.seq) > BigInt(newest ?? 0))
  const cut = fresh.length >= mostShown // between them and what was read some may be missing
  const rows = cut ? fresh : [...fresh, ...read]
  return (
    <Page
      title="Log"
      actions={
        <>
          <button type="button" onClick={() => setOn(!on)}>
            {on ? 'Pause' : 'Go on'}
          </button>
          <button type="button" onClick={() => void query.refetch()}>
            Read again
          </button>
        </>
      }
    >
      <Verify />
      <Filter filter={filter} />
      <State query={query} what="the log" />
      {live.error !== null && <Problem error={live.error} />}
      <p className="quiet" role="status">
        {on ? 'What is written now comes at the top.' : 'What is written now is not shown. Nothing of it is lost.'}
      </p>
      {query.data && rows.length === 0 && <Empty title={Object.keys(filter).length ? 'No record is about that.' : 'Nothing was recorded yet.'} />}
      {rows.length > 0 && (
        <table className="rows log">
          <thead>
            <tr>
              <th scope="col">Number</th>
              <th scope="col">Time</th>
              <th scope="col">Kind</th>
              <th scope="col">What</th>
              <th scope="col">Session</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <Row key={r.seq} record={r} />
            ))}
          </tbody>
        </table>
      )}
      {cut && <p className="quiet more">The newest {rows.length} are shown. To page back from now, read again.</p>}
      {query.hasNextPage && !cut && (
        <p className="more">
          <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Earlier records
          </button>
        </p>
      )}
    </Page>
  )
}

const Row = memo(function Row({ record: r }: { record: Record }) {
  return (
    <tr>
      <td>
        <Link to="/log/$ref" params={{ ref: r.seq }}>
          {r.seq}
        </Link>
      </td>
      <td data-label="Time" className="nowrap">
        {moment(r.time)}
      </td>
      <td data-label="Kind">
        <Badge tone={tone(r)}>{r.kind}</Badge>
      </td>
      <td data-label="What">
        <Code value={summary(r)} />
      </td>
      <td data-label="Session">{r.session && <Code value={r.session} />}</td>
    </tr>
  )
})

function Filter({ filter }: { filter: RecordFilter }) {
  const navigate = useNavigate({ from: '/log' })
  const set = (name: keyof LogSearch, value: string) => {
    void navigate({ search: (old: LogSearch) => readSearch({ ...old, [name]: value.trim() }), replace: true })
  }
  const text = (name: 'session' | 'capability' | 'trace', label: string, hint: string) => (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          key={filter[name] ?? ''}
          defaultValue={filter[name] ?? ''}
          placeholder={hint}
          spellCheck={false}
          onBlur={(e) => set(name, e.target.value)}
          onKeyDown={(e) => e.key === 'Enter' && set(name, e.currentTarget.value)}
        />
      )}
    </Field>
  )
  const choice = (name: 'kind' | 'outcome', label: string, values: string[]) => (
    <Field label={label}>
      {(id) => (
        <select id={id} value={filter[name] ?? ''} onChange={(e) => set(name, e.target.value)}>
          <option value="">any</option>
          {values.map((v) => (
            <option key={v}>{v}</option>
          ))}
        </select>
      )}
    </Field>
  )
  return (
    <search className="filters">
      {text('session', 'Session', 's-…')}
      {text('capability', 'Capability begins with', 'fs.read:/home')}
      {text('trace', 'Trace', '32 hexadecimal digits')}
      {choice('outcome', 'Outcome', ['allow', 'ask', 'deny'])}
      {choice('kind', 'Kind', kinds)}
    </search>
  )
}

/** Reads the whole log again and says whether it is what was written. */
function Verify() {
  const verify = useMutation({ mutationFn: () => call<Verified>('AuditService/VerifyLog') })
  return (
    <section className="verify">
      <button type="button" disabled={verify.isPending} onClick={() => verify.mutate()}>
        {verify.isPending ? 'Verifying…' : 'Verify the log'}
      </button>
      <div role="status">
        {verify.data?.intact && (
          <span className="notice good">Intact: {verify.data.records ?? 0} records are what was written.</span>
        )}
        {verify.data?.lost && (
          <span className="notice warn">
            {verify.data.lost} records behind them are lost or were cut off: they were written, but not known to be on the disk, before the machine last stopped.
          </span>
        )}
        {verify.data && !verify.data.intact && (
          <span className="notice bad">
            <span>
              Not intact: <Text value={verify.data.fault} />
            </span>
          </span>
        )}
      </div>
      {verify.error && <Problem error={verify.error} />}
      {verify.data?.head && (
        <details>
          <summary>The signed head, to keep elsewhere</summary>
          <pre>
            <Text value={verify.data.head} layout />
          </pre>
        </details>
      )}
    </section>
  )
}
