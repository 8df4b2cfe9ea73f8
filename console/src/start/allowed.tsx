import type { ReactNode } from 'react'
import type { Checked, CheckedCapability } from '../api/types'
import { command } from '../inbox/words'
import { Code, Text } from '../text'
import { sizeOf } from '../storage/storage'
import { Badge, Facts } from '../ui'

const modes: { [k: string]: string } = { ro: 'read only', rw: 'to be changed', append: 'to be added to', cow: 'changes are kept apart' }

const homes: { [k: string]: string } = {
  none: 'none',
  ephemeral: 'empty, and gone at the end',
  private: 'one that is kept for the pack',
  host: 'yours, as far as you allow when asked',
}

/** What a session would be allowed, in words, before there is one. */
export function Allowed({ checked: c, children }: { checked: Checked; children: ReactNode }) {
  return (
    <section className="card" aria-label="What it would be allowed">
      <h2>{c.starts ? 'What it would be allowed' : 'It would be denied'}</h2>
      <Facts
        rows={[
          ['Runs', <Code value={command(c.argv)} />],
          ['File', <Code value={c.program} />],
          ['In', c.dir ? <Code value={c.dir} /> : ''],
          ['Pack', c.pack ? <Text value={`${c.pack} ${c.version ?? ''}`.trim()} /> : 'none: a command run without a pack'],
          ['Tier', <Text value={c.tier} />],
          ['Home', c.home ? homes[c.home] ?? <Text value={c.home} /> : ''],
          ['Asks', c.asks ? 'at the first touch of what is not allowed' : 'nobody: what is not allowed is not there'],
          ['Variables', c.env ? <Variables texts={c.env} /> : ''],
          ['Bounds', c.limits ? <Text value={Object.entries(c.limits).map(([name, value]) => `${name} ${value}`).join(', ')} /> : ''],
        ]}
      />
      <ul className="wants">
        {c.capabilities?.map((r, i) => (
          <Row key={i} row={r} />
        ))}
        {c.volumes?.map((v, i) => (
          <li key={`volume ${i}`}>
            <div>
              <Badge tone="good">shown</Badge>
            </div>
            <p>
              <Code value={v.source} /> at <Code value={v.target} />, {modes[v.mode ?? ''] ?? <Text value={v.mode} />}
              {v.bytes && `, at most ${sizeOf(v.bytes)}`}
              {v.files && `, at most ${v.files} files and folders`}
            </p>
          </li>
        ))}
      </ul>
      <p className="quiet">Beside that it has the programs and libraries of the system, to read, and a /tmp of its own. Nothing else of this host is there.</p>
      {children}
    </section>
  )
}

function Variables({ texts }: { texts: string[] }) {
  return (
    <ul>
      {texts.map((text) => (
        <li key={text}>
          <Code value={text} />
        </li>
      ))}
    </ul>
  )
}

const outcomes = { allow: ['good', 'allowed'], ask: ['info', 'asked about'], deny: [undefined, 'not allowed'] } as const

function Row({ row: r }: { row: CheckedCapability }) {
  const [tone, word] = outcomes[r.outcome]
  return (
    <li>
      <div>
        <Badge tone={r.stops ? 'bad' : tone}>{r.stops ? 'denied' : word}</Badge> {r.broad && <Badge tone="warn">wide</Badge>}
      </div>
      <div>
        <p>
          <Text value={r.meaning || r.capability} />
        </p>
        <p>
          <Code value={r.capability} />
        </p>
        {r.reason && (
          <p className="quiet">
            Because <q><Text value={r.reason} /></q>
          </p>
        )}
        {r.why && r.outcome !== 'allow' && (
          <p className="quiet">
            <Text value={r.why} />
          </p>
        )}
      </div>
    </li>
  )
}
