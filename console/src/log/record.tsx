import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { call } from '../api/call'
import type { Record } from '../api/types'
import { Code, Text } from '../text'
import { moment } from '../time'
import { Badge, Facts, Page, State } from '../ui'
import { bodyOf, summary, textOf, tone } from './body'
import { chainOf } from './chain'
import { Picture } from './picture'

export function RecordView() {
  const { ref } = useParams({ from: '/log/$ref' })
  const query = useQuery({
    queryKey: ['record', ref],
    queryFn: ({ signal }) => call<{ record: Record }>('AuditService/GetRecord', { ref }, signal),
    staleTime: Infinity, // nothing changes a record
  })
  const r = query.data?.record
  return (
    <Page title={r ? `Record ${r.seq}` : 'Record'} actions={<Link to="/log" className="button">All records</Link>}>
      <State query={query} what="the record" />
      {r && (
        <div className="beside">
          <div>
            <section className="card">
              <Facts
                rows={[
                  ['Kind', <Badge tone={tone(r)}>{r.kind}</Badge>],
                  ['What', <Code value={summary(r)} />],
                  ['Time', moment(r.time)],
                  ['Id', <Code value={r.id} />],
                  ['Session', r.session ? <Link to="/sessions/$id" params={{ id: r.session }}><Code value={r.session} /></Link> : ''],
                  ['Pack', r.pack ? <Text value={r.pack} /> : ''],
                  ['Organisation', r.organisation ? <Text value={r.organisation} /> : ''],
                  ['Trace', r.trace ? <Link to="/log" search={{ trace: r.trace }}><Code value={r.trace} /></Link> : ''],
                  ['Before it', <Code value={r.prev} />],
                ]}
              />
            </section>
            <Reasons record={r} />
            <section className="card">
              <h2>As it stands in the log</h2>
              <pre className="output" tabIndex={0} aria-label="Body of the record">
                <Text value={indented(r.body)} layout />
              </pre>
            </section>
          </div>
          <Chain record={r} />
        </div>
      )}
    </Page>
  )
}

function Reasons({ record }: { record: Record }) {
  const reasons = bodyOf(record).reasons ?? []
  if (reasons.length === 0) return null
  return (
    <section className="card">
      <h2>Why</h2>
      <ul className="reasons">
        {reasons.map((x, i) => (
          <li key={i}>
            <Text value={textOf(x.text) || x.rule} />
            {x.fix && (
              <span className="quiet">
                {' '}
                <Text value={textOf(x.fix)} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Chain({ record }: { record: Record }) {
  const query = useQuery({ queryKey: ['chain', record.seq], queryFn: ({ signal }) => chainOf(record, signal) })
  return (
    <section className="card">
      <h2>How it came about</h2>
      <State query={query} what="what led to it" />
      {query.data && <Picture links={query.data} current={record.seq} />}
    </section>
  )
}

function indented(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
