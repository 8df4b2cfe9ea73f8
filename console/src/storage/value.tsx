import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useMay } from '../api/me'
import { content, forget, remove, restore, versions, type Which } from '../api/storage'
import type { StoredVersion } from '../api/types'
import { Code, plain, Text } from '../text'
import { moment } from '../time'
import { Badge, Confirm, Facts, Page, Problem, State } from '../ui'
import { sizeOf } from './storage'

/** One key with its versions. What they have in them is for operators, as the host says. */
export function Value({ of }: { of: Which }) {
  const client = useQueryClient()
  const may = useMay('operator')
  const mayForget = useMay('admin')
  const navigate = useNavigate()
  const [shown, setShown] = useState('')
  const [removing, setRemoving] = useState(false)
  const [forgetting, setForgetting] = useState(false)
  const query = useQuery({ queryKey: ['value', of], queryFn: ({ signal }) => versions(of, signal) })
  const again = async () => {
    await client.invalidateQueries({ queryKey: ['value', of] })
    await client.invalidateQueries({ queryKey: ['values'] })
  }
  const back = useMutation({ mutationFn: (version: string) => restore(of, version), onSettled: again })
  const rows = [...(query.data ?? [])].reverse() // what is current stands first
  const current = rows[0]
  const open = rows.find((v) => v.number === shown)
  return (
    <Page
      title={plain(of.key)}
      actions={
        <>
          <Link to="/storage" className="button">
            All that is stored
          </Link>
          <button type="button" onClick={() => void query.refetch()}>
            Read again
          </button>
          {may && current && !current.removed && (
            <button type="button" className="danger" onClick={() => setRemoving(true)}>
              Remove
            </button>
          )}
          {mayForget && current && (
            <button type="button" className="danger" onClick={() => setForgetting(true)}>
              Forget
            </button>
          )}
        </>
      }
    >
      <section className="card">
        <Facts
          rows={[
            ['Key', <Code value={of.key} />],
            ['Of', of.pack ? <Text value={of.pack} /> : 'runs without a pack'],
          ]}
        />
        {!may && <p className="quiet">Your role does not see what is in it. That takes an operator.</p>}
      </section>
      <State query={query} what="its versions" />
      <div role="status">{back.data && <p className="notice good">What it had is current, as version {back.data.number}.</p>}</div>
      {back.isError && <Problem error={back.error} />}
      {rows.length > 0 && (
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Size</th>
              <th scope="col">Committed</th>
              <th scope="col">Session</th>
              <th scope="col">
                <span className="unseen">Do</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((v) => (
              <Row key={v.number} version={v} current={v === current} may={may} shown={v === open} busy={back.isPending} onShow={() => setShown(v === open ? '' : v.number)} onRestore={() => back.mutate(v.number)} />
            ))}
          </tbody>
        </table>
      )}
      {open && may && <Content of={of} version={open} />}
      {removing && (
        <Confirm
          title="Remove this value?"
          action="Remove it"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await remove(of)
            back.reset() // what it said is over
            await again()
          }}
        >
          <p>
            There is nothing under <Code value={of.key} /> then. Its versions stay, and can be restored.
          </p>
        </Confirm>
      )}
      {forgetting && (
        <Confirm
          title="Forget this value?"
          action="Forget it"
          onClose={() => setForgetting(false)}
          onConfirm={async () => {
            await forget(of)
            client.removeQueries({ queryKey: ['value', of] })
            await client.invalidateQueries({ queryKey: ['values'] })
            await navigate({ to: '/storage', search: {} })
          }}
        >
          <p>
            <Code value={of.key} /> is gone then with all its versions. Nothing brings them back.
          </p>
        </Confirm>
      )}
    </Page>
  )
}

interface RowProps {
  version: StoredVersion
  current: boolean
  may: boolean
  shown: boolean
  busy: boolean
  onShow: () => void
  onRestore: () => void
}

function Row({ version: v, current, may, shown, busy, onShow, onRestore }: RowProps) {
  return (
    <tr>
      <td data-label="Version">
        {v.number} {current && <Badge tone={v.removed ? undefined : 'good'}>current</Badge>}
      </td>
      <td data-label="Size">{v.removed ? <span className="quiet">removed</span> : sizeOf(v.size)}</td>
      <td data-label="Committed">{moment(v.time)}</td>
      <td data-label="Session">
        {v.session ? (
          <Link to="/sessions/$id" params={{ id: v.session }}>
            <Code value={v.session} />
          </Link>
        ) : (
          <span className="quiet">none: a person did</span>
        )}
      </td>
      <td>
        {may && !v.removed && (
          <span className="actions">
            <button type="button" aria-label={`Show version ${v.number}`} aria-expanded={shown} onClick={onShow}>
              Show
            </button>
            {!current && (
              <button type="button" aria-label={`Restore version ${v.number}`} disabled={busy} onClick={onRestore}>
                Restore
              </button>
            )}
          </span>
        )}
      </td>
    </tr>
  )
}

const mostShown = 256 * 1024 // bytes

/** The beginning of a version, as text: markup and escapes stay visible. */
function Content({ of, version: v }: { of: Which; version: StoredVersion }) {
  const query = useQuery({
    queryKey: ['stored', of, v.number, v.digest],
    queryFn: ({ signal }) => content(of, v.number, mostShown, signal),
    staleTime: Infinity, // nothing changes a version
  })
  const r = query.data
  return (
    <section className="card" aria-label="Content of the version">
      <h2>Version {v.number}</h2>
      <State query={query} what="the version" />
      {r?.text === '' && <p className="quiet">It is empty.</p>}
      {r && r.text !== '' && (
        <pre className="output" tabIndex={0} aria-label="Content">
          <Text value={r.text} layout />
        </pre>
      )}
      {r?.more && <p className="quiet">Only its beginning is shown. The command line has all of it: ambit storage cat</p>}
    </section>
  )
}
