import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { all, call } from '../api/call'
import { useMay } from '../api/me'
import type { Installed, Pack as PackMessage, PackDetail, Prepared, Updated, Want } from '../api/types'
import { Consent } from '../consent/consent'
import { isOlder, Older } from '../consent/older'
import { Code, plain, Text } from '../text'
import { Badge, Confirm, Empty, Facts, Page, Problem, State } from '../ui'

export function Packs() {
  const query = useQuery({ queryKey: ['packs'], queryFn: ({ signal }) => all<PackMessage>('PackService/ListPacks', 'packs', {}, signal) })
  const rows = query.data?.rows ?? []
  const may = useMay('admin')
  return (
    <Page title="Packs" count={query.data && rows.length} actions={may && <Link to="/install" className="button">Install a pack</Link>}>
      <State query={query} what="the packs" />
      {query.data && rows.length === 0 && (
        <Empty title="No pack is installed.">
          <p className="quiet">
            <code>ambit pack install DIR</code>, or an admin here, installs one. What it may have is asked first.
          </p>
        </Empty>
      )}
      {rows.length > 0 && (
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">Pack</th>
              <th scope="col">Version</th>
              <th scope="col">Signed by</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((p) => (
              <tr key={p.id}>
                <td>
                  <Link to="/packs/$id" params={{ id: p.id }} className="strong">
                    <Text value={p.id} />
                  </Link>
                </td>
                <td data-label="Version">
                  <Text value={p.version} />
                </td>
                <td data-label="Signed by">{p.signer ? <Code value={p.signer} /> : <span className="quiet">nobody</span>}</td>
                <td data-label="From">{p.installed ? <Text value={p.source} /> : <Code value={p.folder} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Page>
  )
}

export function Pack() {
  const { id } = useParams({ from: '/packs/$id' })
  const client = useQueryClient()
  const navigate = useNavigate()
  const may = useMay('admin')
  const [removing, setRemoving] = useState(false)
  const [prepared, setPrepared] = useState<Prepared | null>(null)
  const [said, setSaid] = useState('')
  const query = useQuery({ queryKey: ['pack', id], queryFn: ({ signal }) => call<PackDetail>('PackService/GetPack', { id }, signal) })
  const update = useMutation({
    mutationFn: (allowOlder: boolean) => call<Updated>('PackService/UpdatePack', { id, allowOlder }),
    onMutate: () => setSaid(''),
    onSuccess: async (u) => {
      setPrepared(u.prepared ?? null)
      if (u.unchanged) setSaid('Its source has what is installed.')
      if (u.installed) setSaid(updated(u.installed))
      await client.invalidateQueries({ queryKey: ['pack', id] })
    },
  })
  const d = query.data
  if (prepared) {
    const done = () => {
      setPrepared(null)
      setSaid('The update is installed.')
    }
    return (
      <Page title="What the update asks for">
        <Consent prepared={prepared} onCancel={() => setPrepared(null)} onDone={done} />
      </Page>
    )
  }
  return (
    <Page
      title={plain(d?.name || id)}
      actions={
        <>
          <Link to="/packs" className="button">
            All packs
          </Link>
          {may && d?.pack.installed && (
            <button type="button" disabled={update.isPending} onClick={() => update.mutate(false)}>
              Update
            </button>
          )}
          {may && d && (
            <button type="button" className="danger" onClick={() => setRemoving(true)}>
              Remove
            </button>
          )}
        </>
      }
    >
      {said && (
        <p className="notice good" role="status">
          {said}
        </p>
      )}
      {update.isError && <Problem error={update.error} />}
      {isOlder(update.error) && <Older busy={update.isPending} onTake={() => update.mutate(true)} />}
      <State query={query} what="the pack" />
      {d && (
        <>
          <section className="card">
            <Facts
              rows={[
                ['What', d.description ? <Text value={d.description} /> : ''],
                ['Id', <Code value={d.pack.id} />],
                ['Kind', <Text value={d.kind} />],
                ['Starts', d.entry?.length ? <Code value={d.entry.join(' ')} /> : ''],
                ['Version', <Text value={d.pack.version} />],
                ['Folder', <Code value={d.pack.folder} />],
                ['Digest', d.pack.digest ? <Code value={d.pack.digest} /> : ''],
                ['Signed by', d.pack.signer ? <Code value={d.pack.signer} /> : 'nobody'],
              ]}
            />
            {d.problems?.map((p, i) => (
              <p key={i} className="notice bad">
                <Text value={p} />
              </p>
            ))}
          </section>
          <section className="card">
            <h2>What it wants, and has</h2>
            {!d.wants?.length && <p className="quiet">It wants nothing.</p>}
            <ul className="wants">
              {d.wants?.map((w, i) => (
                <WantRow key={i} want={w} />
              ))}
            </ul>
          </section>
        </>
      )}
      {removing && d && (
        <Confirm
          title="Remove this pack?"
          action="Remove it"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await call('PackService/RemovePack', { id })
            await client.invalidateQueries({ queryKey: ['packs'] })
            await navigate({ to: '/packs' })
          }}
        >
          <p>
            All that was granted to <Text value={id} /> is taken back. {d.pack.installed ? 'Its files are removed.' : 'Its folder stays.'}
          </p>
        </Confirm>
      )}
    </Page>
  )
}

function updated(i: Installed): string {
  const less = i.revoked?.length ? ` It lost ${i.revoked.length} that it does not ask for any more.` : ''
  return `The update asks for no more than was allowed, and is installed.${less}`
}

/** In how many of its sessions it used something; nothing where nobody can tell. */
function Use({ want: w }: { want: Want }) {
  if (!w.sessions) return null
  if (!w.used) return <Badge tone="warn">never used, in {w.sessions === 1 ? '1 session' : `${w.sessions} sessions`}</Badge>
  return (
    <Badge>
      used in {w.used} of {w.sessions}
    </Badge>
  )
}

function WantRow({ want: w }: { want: Want }) {
  return (
    <li>
      <div>
        <Badge tone={w.granted ? 'good' : undefined}>{w.granted ? 'granted' : 'not granted'}</Badge> {w.broad && <Badge tone="warn">wide</Badge>}{' '}
        {w.optional && <Badge>optional</Badge>} <Use want={w} />
      </div>
      <div>
        <p>
          <Text value={w.meaning || w.capability} />
        </p>
        <p>
          <Code value={w.capability} />
        </p>
        {w.reason && (
          <p className="quiet">
            Because <q><Text value={w.reason} /></q>
          </p>
        )}
        {w.why && (
          <p className="quiet">
            <Text value={w.why} />
          </p>
        )}
        {w.problem && (
          <p className="notice bad">
            <Text value={w.problem} />
          </p>
        )}
      </div>
    </li>
  )
}
