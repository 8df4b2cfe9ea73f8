import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { all, call } from '../api/call'
import type { Pack as PackMessage, PackDetail, Want } from '../api/types'
import { Code, plain, Text } from '../text'
import { Badge, Empty, Facts, Page, State } from '../ui'

export function Packs() {
  const query = useQuery({ queryKey: ['packs'], queryFn: ({ signal }) => all<PackMessage>('PackService/ListPacks', 'packs', {}, signal) })
  const rows = query.data?.rows ?? []
  return (
    <Page title="Packs" count={query.data && rows.length}>
      <State query={query} what="the packs" />
      {query.data && rows.length === 0 && (
        <Empty title="No pack is installed.">
          <p className="quiet">
            <code>ambit pack install DIR</code> installs one, and asks what it may have.
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
  const query = useQuery({ queryKey: ['pack', id], queryFn: ({ signal }) => call<PackDetail>('PackService/GetPack', { id }, signal) })
  const d = query.data
  return (
    <Page title={plain(d?.name || id)} actions={<Link to="/packs" className="button">All packs</Link>}>
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
    </Page>
  )
}

function WantRow({ want: w }: { want: Want }) {
  return (
    <li>
      <div>
        <Badge tone={w.granted ? 'good' : undefined}>{w.granted ? 'granted' : 'not granted'}</Badge> {w.broad && <Badge tone="warn">wide</Badge>}{' '}
        {w.optional && <Badge>optional</Badge>}
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
