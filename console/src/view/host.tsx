import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { call } from '../api/call'
import { useMay, useVersion } from '../api/me'
import type { Check, Finding } from '../api/types'
import { Code, Text } from '../text'
import { Ago } from '../time'
import { Badge, Facts, Page, State } from '../ui'

interface Diagnosis {
  holds?: boolean
  findings?: Finding[]
}

export function Host() {
  const version = useVersion()
  const health = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => call<{ ready?: boolean; checks?: Check[] }>('HostService/CheckHealth', {}, signal),
    refetchInterval: 10_000,
  })
  return (
    <Page title="Host">
      <section className="card">
        <Facts
          rows={[
            ['Version', <Text value={version.data?.version} />],
            ['Principal', <Code value={version.data?.principal} />],
            ['Started', <Ago time={version.data?.started} />],
            ['Ready', health.data && (health.data.ready ? <Badge tone="good">ready</Badge> : <Badge tone="bad">not ready</Badge>)],
            ...(health.data?.checks ?? []).map((c): [string, ReactNode] => [c.name, c.holds ? 'answers' : <Text value={c.detail} />]),
          ]}
        />
        <State query={version} what="the host" />
        <State query={health} what="its health" />
      </section>
      <Doctor />
    </Page>
  )
}

const tones = { holds: 'good', weaker: 'warn', fails: 'bad', absent: undefined } as const

/** What `ambit doctor` finds, when it is asked to look. */
function Doctor() {
  const may = useMay('operator')
  const query = useQuery({
    queryKey: ['doctor'],
    queryFn: ({ signal }) => call<Diagnosis>('HostService/Diagnose', {}, signal),
    enabled: false, // it starts sandboxes, and takes seconds
  })
  return (
    <section className="card">
      <h2>What holds on this machine</h2>
      <p className="quiet">Sandboxes are run whose programs try to get out. It takes some seconds.</p>
      <div className="actions">
        <button type="button" disabled={!may || query.isFetching} onClick={() => void query.refetch()}>
          {query.isFetching ? 'Trying…' : 'Try it'}
        </button>
        {!may && <span className="quiet">That takes an operator.</span>}
        <span role="status">
          {query.data && (query.data.holds ? <Badge tone="good">everything needed holds</Badge> : <Badge tone="bad">something needed does not hold</Badge>)}
        </span>
      </div>
      {query.error && <State query={query} what="what holds" />}
      {query.data?.findings && (
        <ul className="layers findings">
          {query.data.findings.map((f) => (
            <li key={f.layer}>
              <Badge tone={f.state === 'fails' && !f.needed ? 'warn' : tones[f.state]}>{f.state}</Badge>
              <span>
                <span className="strong">
                  <Text value={f.layer} />
                </span>{' '}
                <span className="quiet">
                  <Text value={f.detail} />
                </span>
                {f.fix && (
                  <span className="fix">
                    <Text value={f.fix} />
                  </span>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
