import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { all } from '../api/call'
import { useMay } from '../api/me'
import { adopt } from '../api/storage'
import type { StoredValue } from '../api/types'
import { Code, plain, Text } from '../text'
import { moment } from '../time'
import { Badge, Confirm, Empty, Page, State } from '../ui'
import { Value } from './value'

export interface ValueSearch {
  key?: string
  pack?: string
}

/** Takes from an address whose value is looked at. */
export function readValue(search: { [k: string]: unknown }): ValueSearch {
  const out: ValueSearch = {}
  for (const name of ['key', 'pack'] as const) {
    const value = search[name]
    if (typeof value === 'string' && value !== '') out[name] = value
  }
  return out
}

/** What outlives sessions: all keys, or one of them. */
export function Storage() {
  const { key, pack = '' } = useSearch({ from: '/storage' })
  return key === undefined ? <Values /> : <Value key={`${pack} ${key}`} of={{ pack, key }} />
}

function Values() {
  const client = useQueryClient()
  const may = useMay('admin')
  const [adopting, setAdopting] = useState('')
  const query = useQuery({ queryKey: ['values'], queryFn: ({ signal }) => all<StoredValue>('StorageService/ListValues', 'values', {}, signal) })
  const rows = query.data?.rows ?? []
  return (
    <Page title="Storage" count={query.data && rows.length} actions={<button type="button" onClick={() => void query.refetch()}>Read again</button>}>
      <State query={query} what="what is stored" />
      {query.data && rows.length === 0 && (
        <Empty title="Nothing is stored.">
          <p className="quiet">
            A program that was granted <code>storage.write:KEY</code> keeps something there from one session to the next.
          </p>
        </Empty>
      )}
      {rows.length > 0 && (
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">Key</th>
              <th scope="col">Of</th>
              <th scope="col">Current</th>
              <th scope="col">Kept</th>
              <th scope="col">Changed</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((v) => (
              <Row key={JSON.stringify([v.pack, v.left, v.key])} value={v} onAdopt={may ? setAdopting : undefined} />
            ))}
          </tbody>
        </table>
      )}
      {query.data?.more && <p className="quiet">There are more than are shown. The command line lists them all: ambit storage ls</p>}
      {adopting && (
        <Confirm
          title="Give it to the pack that has the id now?"
          action="Give it"
          onClose={() => setAdopting('')}
          onConfirm={async () => {
            await adopt(adopting)
            await client.invalidateQueries({ queryKey: ['values'] })
          }}
        >
          <p>
            All that <Code value={adopting} /> had stored when it was removed last is its own again, whoever made the pack that has that id now.
          </p>
        </Confirm>
      )}
    </Page>
  )
}

function Row({ value: v, onAdopt }: { value: StoredValue; onAdopt: ((pack: string) => void) | undefined }) {
  const kept = v.versions ?? 0
  return (
    <tr>
      <td>
        {v.left ? (
          <Code value={v.key} />
        ) : (
          <Link to="/storage" search={readValue({ key: v.key, pack: v.pack })} className="strong">
            <Code value={v.key} />
          </Link>
        )}
      </td>
      <td data-label="Of">
        {v.pack ? <Text value={v.pack} /> : <span className="quiet">runs without a pack</span>}{' '}
        {v.left && <Badge tone="warn">was removed {moment(v.left)}, kept for nobody</Badge>}{' '}
        {v.left && onAdopt && (
          <button type="button" aria-label={`Give it to the pack ${plain(v.pack ?? '')}: ${plain(v.key)} and what else was left`} onClick={() => onAdopt(v.pack ?? '')}>
            Give it to the pack
          </button>
        )}
      </td>
      <td data-label="Current">
        {v.current.removed ? <span className="quiet">nothing</span> : sizeOf(v.current.size)}
      </td>
      <td data-label="Kept">
        {kept === 1 ? '1 version' : `${kept} versions`}, {sizeOf(v.bytes)}
      </td>
      <td data-label="Changed">{moment(v.current.time)}</td>
    </tr>
  )
}

/** How many bytes; what is zero is left out on the wire. */
export function sizeOf(bytes: string | undefined): string {
  const n = Number(bytes ?? 0)
  return n === 1 ? '1 byte' : `${n.toLocaleString('en-GB')} bytes`
}
