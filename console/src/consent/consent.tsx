import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/call'
import type { Choosing, Installed, Prepared, PreparedWant } from '../api/types'
import { Code, plain, Text } from '../text'
import { minute } from '../time'
import { Badge, Facts, Field, Problem } from '../ui'
import { Choices } from './want'

interface Props {
  prepared: Prepared
  onDone: (i: Installed) => void
  onCancel: () => void
}

/** What a pack asks for, and what of it is allowed: nothing, until somebody says so. */
export function Consent({ prepared: p, onDone, onCancel }: Props) {
  const client = useQueryClient()
  const [chosen, setChosen] = useState<ReadonlyMap<string, Choosing>>(new Map())
  const [typed, setTyped] = useState('')
  const asked = (p.wants ?? []).filter((w) => w.state === 'WANT_STATE_ASKED')
  const answered = (p.wants ?? []).filter((w) => w.state !== 'WANT_STATE_ASKED')
  const allowed = asked.filter((w) => chosen.get(w.capability) === 'CHOOSING_ALLOW')
  const broad = allowed.some((w) => w.broad)
  const install = useMutation({
    mutationFn: () =>
      call<{ installed: Installed }>('PackService/InstallPack', {
        id: p.id,
        digest: p.pack.digest,
        typedId: broad ? typed : '',
        choices: asked.map((w) => ({ capability: w.capability, choosing: chosen.get(w.capability) ?? 'CHOOSING_LATER' })),
      }),
    onSuccess: async (done) => {
      await Promise.all([client.invalidateQueries({ queryKey: ['packs'] }), client.invalidateQueries({ queryKey: ['pack', p.pack.id] })])
      onDone(done.installed)
    },
  })
  const set = (wants: PreparedWant[], to: Choosing) => {
    const next = new Map(chosen)
    for (const w of wants) next.set(w.capability, to)
    setChosen(next)
  }
  return (
    <form
      className="consent"
      onSubmit={(e) => {
        e.preventDefault()
        install.mutate()
      }}
    >
      <Who prepared={p} />
      <section className="card" aria-label="What it asks for">
        <header className="groupline">
          <h2>{p.before ? 'It asks for more than was allowed, to' : 'It asks to'}</h2>
          {asked.some((w) => !w.broad) && (
            <div className="actions">
              <button type="button" onClick={() => set(asked.filter((w) => !w.broad), 'CHOOSING_ALLOW')}>
                Allow what is not broad
              </button>
              <button type="button" onClick={() => setChosen(new Map())}>
                All later
              </button>
            </div>
          )}
        </header>
        {asked.length === 0 && <p className="quiet">Nothing that was not answered before.</p>}
        {groups(asked).map(([risk, wants]) => (
          <Choices key={risk} risk={risk} wants={wants} chosen={chosen} disabled={install.isPending} onChoose={(w, to) => set([w], to)} />
        ))}
      </section>
      <Difference prepared={p} answered={answered} />
      <section className="card decide">
        {broad && (
          <Field label={`What is broad reaches far beyond one task. To allow it, type ${plain(p.pack.id)}`}>
            {(id) => <input id={id} value={typed} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(e) => setTyped(e.target.value)} />}
          </Field>
        )}
        {install.isError && <Problem error={install.error} />}
        <div className="actions">
          <button type="submit" className="primary" disabled={install.isPending || (broad && typed !== p.pack.id)}>
            {p.before ? 'Install the update' : 'Install it'}, allowing {allowed.length} of {asked.length}
          </button>
          <button type="button" onClick={onCancel}>
            Do not install
          </button>
          <span className="quiet">Exactly this is installed, until {minute(Date.parse(p.expires))}. What is left for later is asked about when it is first touched.</span>
        </div>
      </section>
    </form>
  )
}

/** Wants in the order in which they came, those of one risk together. */
function groups(wants: PreparedWant[]): [string, PreparedWant[]][] {
  const all = new Map<string, PreparedWant[]>()
  for (const w of wants) all.set(w.risk, [...(all.get(w.risk) ?? []), w])
  return [...all]
}

function Who({ prepared: p }: { prepared: Prepared }) {
  return (
    <section className="card">
      <Facts
        rows={[
          ['Pack', <span className="strong"><Text value={`${p.pack.id} ${p.pack.version ?? ''}`.trim()} /></span>],
          ['What', p.description ? <q><Text value={p.description} /></q> : ''],
          ['Starts', p.entry?.length ? <Code value={p.entry.join(' ')} /> : ''],
          ['From', <Text value={p.pack.source} />],
          ['Digest', <Code value={p.pack.digest} />],
          ['Signed by', <Signer prepared={p} />],
          ['Version', p.sameVersion && <Badge tone="warn">installed before, with other content</Badge>],
          ['Now', p.before ? <Text value={`${p.before.version || p.before.digest} is installed`} /> : 'nothing of that id is installed'],
        ]}
      />
    </section>
  )
}

function Signer({ prepared: p }: { prepared: Prepared }) {
  switch (p.signerState) {
    case 'SIGNER_STATE_SAME':
      return (
        <>
          <Code value={p.pack.signer} /> <Badge tone="good">as what is installed</Badge>
        </>
      )
    case 'SIGNER_STATE_FIRST':
      return (
        <>
          <Code value={p.pack.signer} /> <Badge tone="info">not seen here before: later versions have to be signed by it</Badge>
        </>
      )
    case 'SIGNER_STATE_TAKES_OVER':
      return (
        <>
          <Code value={p.pack.signer} /> <Badge tone="bad">takes over from another key</Badge>
        </>
      )
    case 'SIGNER_STATE_HANDED_ON':
      return (
        <>
          <Code value={p.pack.signer} /> <Badge tone="warn">a new key: the one before has signed that this one follows it</Badge>
        </>
      )
    default:
      return <Badge tone="warn">nobody</Badge>
  }
}

/** What is no question: what was answered before, and what is taken back. */
function Difference({ prepared: p, answered }: { prepared: Prepared; answered: PreparedWant[] }) {
  if (answered.length === 0 && !p.dropped?.length) return null
  return (
    <section className="card difference" aria-label="What changes">
      {p.dropped && p.dropped.length > 0 && (
        <>
          <h2>It does not ask for this any more, and loses it</h2>
          <ul>
            {p.dropped.map((d) => (
              <li key={d.capability} className="less">
                <Text value={d.meaning || d.capability} /> <Code value={d.capability} />
              </li>
            ))}
          </ul>
        </>
      )}
      {answered.length > 0 && (
        <>
          <h2>As before</h2>
          <ul>
            {answered.map((w) => (
              <li key={w.capability}>
                <Badge tone={w.state === 'WANT_STATE_ALLOWED' ? 'good' : 'bad'}>{w.state === 'WANT_STATE_ALLOWED' ? 'allowed' : 'denied'}</Badge> <Text value={w.meaning || w.capability} />
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}
