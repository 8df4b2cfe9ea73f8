import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { call } from '../api/call'
import { useMay } from '../api/me'
import type { Record, Session as SessionMessage } from '../api/types'
import { Review } from '../change/review'
import { Files } from '../files/files'
import { bodyOf, textOf, type Layer } from '../log/body'
import { Code, plain, Text } from '../text'
import { moment } from '../time'
import { Badge, Confirm, Facts, Page, Problem, State } from '../ui'
import { TerminalOf } from '../terminal/terminal'
import { Another } from './another'
import { OutputOf } from './output'
import { StateOf } from './sessions'

export function Session() {
  const { id } = useParams({ from: '/sessions/$id' })
  const client = useQueryClient()
  const mayEnd = useMay('operator')
  const [ending, setEnding] = useState(false)
  const query = useQuery({
    queryKey: ['session', id],
    queryFn: ({ signal }) => call<{ session: SessionMessage }>('SessionService/GetSession', { id }, signal),
    refetchInterval: 3000,
  })
  const s = query.data?.session
  const hold = useMutation({
    mutationFn: (pause: boolean) => call(pause ? 'PauseService/PauseSession' : 'PauseService/ResumeSession', { id }),
    onSettled: () => client.invalidateQueries({ queryKey: ['session', id] }),
  })
  const runs = s?.state === 'SESSION_STATE_RUNNING' || s?.state === 'SESSION_STATE_STARTING'
  return (
    <Page
      title={plain(s?.program || 'Session')}
      actions={
        <>
          <Link to="/log" search={{ session: id }} className="button">
            Its records
          </Link>
          {s?.state === 'SESSION_STATE_RUNNING' && mayEnd && (
            <button type="button" disabled={hold.isPending} onClick={() => hold.mutate(!s.paused)}>
              {s.paused ? 'Let it go on' : 'Pause it'}
            </button>
          )}
          {runs && mayEnd && (
            <button type="button" className="danger" onClick={() => setEnding(true)}>
              End it
            </button>
          )}
        </>
      }
    >
      <State query={query} what="the session" />
      {hold.isError && <Problem error={hold.error} />}
      {s && (
        <section className="card">
          <Facts
            rows={[
              ['Session', <Code value={s.id} />],
              ['State', <StateOf session={s} />],
              ['Pack', s.pack ? <Text value={s.pack} /> : 'none: a command run without a pack'],
              ['Organisation', s.organisation ? <Text value={s.organisation} /> : ''],
              ['Trace', s.trace ? <Link to="/log" search={{ trace: s.trace }}><Code value={s.trace} /></Link> : ''],
              ['Tier', s.tier],
              ['Process', s.pid || ''],
              ['Started', moment(s.started)],
              ['Ended', moment(s.ended)],
              ['Error', s.error ? <Text value={s.error} /> : ''],
            ]}
          />
        </section>
      )}
      {s && mayEnd && !runs && <Review session={id} />}
      {s?.kept && (
        <section className="card">
          <h2>{s.terminal ? 'Terminal' : 'Output'}</h2>
          {!mayEnd && <p className="quiet">Your role does not see what programs write. That takes an operator.</p>}
          {mayEnd && s.terminal && <TerminalOf id={id} runs={runs} label="Terminal of the session" />}
          {mayEnd && !s.terminal && <OutputOf session={id} />}
        </section>
      )}
      {s?.state === 'SESSION_STATE_RUNNING' && !s.paused && mayEnd && <Files session={id} />}
      {s?.state === 'SESSION_STATE_RUNNING' && mayEnd && <Another session={id} />}
      {s && !s.kept && <p className="quiet">It was started at a terminal, and what it writes is there.</p>}
      {s && <Report session={id} />}
      {ending && s && (
        <Confirm
          title="End this session?"
          action="End it"
          onClose={() => setEnding(false)}
          onConfirm={async () => {
            await call('SessionService/StopSession', { id })
            await client.invalidateQueries({ queryKey: ['session', id] })
          }}
        >
          <p>
            <Text value={s.program || s.id} /> and all that it started are told to end. What it has not written is lost.
          </p>
        </Confirm>
      )}
    </Page>
  )
}

/** What the tier promised, and whether each layer holds, as the log has it. */
function Report({ session }: { session: string }) {
  const query = useQuery({
    queryKey: ['report', session],
    queryFn: ({ signal }) => call<{ records?: Record[] }>('AuditService/ListRecords', { pageSize: 1, filter: { session, kind: 'report' } }, signal),
    refetchInterval: (q) => (q.state.data?.records?.length ? false : 3000),
  })
  const record = query.data?.records?.[0]
  const body = record && bodyOf(record)
  return (
    <section className="card">
      <h2>What holds</h2>
      <State query={query} what="the report" />
      {query.data && !body && <p className="quiet">There is no report of it.</p>}
      <ul className="layers">
        {body?.layers?.map((l, i) => (
          <li key={i}>
            <LayerState layer={l} />
            <span>
              <Text value={l.name} />
              {l.detail && (
                <span className="quiet">
                  {' '}
                  <Text value={textOf(l.detail)} />
                </span>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function LayerState({ layer: l }: { layer: Layer }) {
  if (!l.holds) return <Badge tone={l.promised ? 'bad' : undefined}>{l.promised ? 'fails' : 'not promised'}</Badge>
  return l.weaker ? <Badge tone="warn">weaker</Badge> : <Badge tone="good">holds</Badge>
}
