import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type KeyboardEvent } from 'react'
import { call } from '../api/call'
import type { Change, Volume } from '../api/types'
import { Code, plain, Text } from '../text'
import { Badge, Confirm, Problem, State } from '../ui'
import { DifferenceOf } from './difference'

interface List {
  volumes: Volume[]
  changes: Change[]
  more: boolean
}

/** The most changes that are shown; what is applied as a whole may have more. */
const most = 2000

async function read(session: string, signal: AbortSignal): Promise<List> {
  const list: List = { volumes: [], changes: [], more: false }
  for (let pageToken = ''; ; ) {
    const page = await call<{ volumes?: Volume[]; changes?: Change[]; nextPageToken?: string }>('ChangeService/ListChanges', { session, pageSize: 1000, pageToken }, signal)
    if (!pageToken) list.volumes = page.volumes ?? []
    list.changes.push(...(page.changes ?? []))
    pageToken = page.nextPageToken ?? ''
    if (!pageToken) return list
    if (list.changes.length >= most) return { ...list, more: true }
  }
}

/** What a session that has ended changed in volumes that copy on write. */
export function Review({ session }: { session: string }) {
  const query = useQuery({ queryKey: ['changes', session], queryFn: ({ signal }) => read(session, signal), staleTime: 60_000 })
  const volumes = query.data?.volumes ?? []
  if (query.data && volumes.length === 0) return null
  return (
    <section className="card" aria-label="What it changed">
      <h2>What it changed</h2>
      <State query={query} what="the changes" />
      {volumes.map((v) => (
        <VolumeOf key={v.volume + v.stamp} session={session} volume={v} changes={(query.data?.changes ?? []).filter((c) => c.volume === v.volume)} more={!!query.data?.more} />
      ))}
    </section>
  )
}

function VolumeOf({ session, volume: v, changes, more }: { session: string; volume: Volume; changes: Change[]; more: boolean }) {
  const client = useQueryClient()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [open, setOpen] = useState<string | null>(null)
  const [dropping, setDropping] = useState(false)
  const again = () => client.invalidateQueries({ queryKey: ['changes', session] })
  const apply = useMutation({
    mutationFn: (paths: string[]) => call('ChangeService/ApplyChanges', { session, volume: v.volume, stamp: v.stamp, paths, all: paths.length === 0 }),
    onSuccess: again,
  })
  const toggle = (path: string) => {
    const next = new Set(chosen)
    if (!next.delete(path)) next.add(path)
    setChosen(next)
  }
  return (
    <div className="review">
      <p className="quiet">
        <Code value={v.source} /> on the host, <Code value={v.target} /> in the session. Nothing of this is on the host yet.
      </p>
      {changes.length === 0 && <p className="quiet">Nothing is left of it.</p>}
      <ul className="changes" onKeyDown={move}>
        {changes.map((c) => (
          <li key={c.path}>
            <div className="change">
              <input type="checkbox" aria-label={`Choose ${plain(c.path)}`} checked={chosen.has(c.path)} disabled={apply.isPending} onChange={() => toggle(c.path)} />
              <span className={`what ${c.what}`}>{c.what}</span>
              <button type="button" className="path" aria-expanded={open === c.path} onClick={() => setOpen(open === c.path ? null : c.path)}>
                <Text value={c.path} />
                {c.type === 'directory' && '/'}
              </button>
              <span>
                {c.type !== 'file' && c.type !== 'directory' && <Badge>{c.type}</Badge>} {c.runs && <Badge tone="bad">may run by itself</Badge>}
              </span>
            </div>
            {open === c.path && <DifferenceOf session={session} change={c} stamp={v.stamp} />}
          </li>
        ))}
      </ul>
      {more && <p className="notice warn">There are more than {most} changes. All of them can be applied or dropped; the rest is told by ambit session diff.</p>}
      {apply.isError && <Problem error={apply.error} retry={() => (apply.reset(), void again())} />}
      <div className="actions">
        <button type="button" className="primary" disabled={apply.isPending || chosen.size === 0} onClick={() => apply.mutate([...chosen])}>
          Apply {chosen.size} chosen
        </button>
        <button type="button" disabled={apply.isPending || changes.length === 0} onClick={() => apply.mutate([])}>
          Apply all
        </button>
        <button type="button" className="danger" disabled={apply.isPending} onClick={() => setDropping(true)}>
          Drop
        </button>
      </div>
      {dropping && (
        <Confirm
          title="Drop what it changed?"
          action="Drop it"
          onClose={() => setDropping(false)}
          onConfirm={async () => {
            await call('ChangeService/DropChanges', { session, volume: v.volume })
            await again()
          }}
        >
          <p>
            What the session changed of <Text value={v.source} /> and was not applied is forgotten. The host&apos;s files stay as they are.
          </p>
        </Confirm>
      )}
    </div>
  )
}

/** Goes to the next path, or the one before: j and k, as in the inbox; x chooses. */
function move(e: KeyboardEvent<HTMLUListElement>) {
  if (e.ctrlKey || e.metaKey || e.altKey) return
  const rows = [...e.currentTarget.querySelectorAll('li')]
  const at = rows.findIndex((li) => li.contains(document.activeElement))
  const to = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1 }[e.key]
  if (to !== undefined) rows[to]?.querySelector<HTMLElement>('.path')?.focus()
  else if (e.key === 'x') rows[at]?.querySelector('input')?.click()
  else return
  e.preventDefault()
}
