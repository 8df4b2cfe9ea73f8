import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { bytesOf, list, makeFolder, mostWritten, nameOf, pathFrom, pathOf, read, remove, write, type Path } from '../api/file'
import type { Entry } from '../api/types'
import { plain, Text } from '../text'
import { moment } from '../time'
import { Confirm, Field, Problem, State } from '../ui'
import { FileText } from './show'

/** What a session that runs has: its files, by the rights of its programs. */
export function Files({ session }: { session: string }) {
  const [open, setOpen] = useState(false)
  return (
    <section className="card" aria-label="Files">
      <h2>Files</h2>
      {!open && (
        <div className="actions">
          <button type="button" onClick={() => setOpen(true)}>
            Show its files
          </button>
        </div>
      )}
      {open && <Browser session={session} />}
    </section>
  )
}

function Browser({ session }: { session: string }) {
  const client = useQueryClient()
  const [path, setPath] = useState<Path>(pathFrom('/tmp'))
  const [shown, setShown] = useState<Entry | null>(null)
  const [doomed, setDoomed] = useState<Entry | null>(null)
  const key = ['files', session, pathOf(path).rawPath]
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => list(session, path, signal) })
  const again = () => client.invalidateQueries({ queryKey: ['files', session] })
  const go = (to: Path) => {
    setPath(to)
    setShown(null)
  }
  const rows = query.data?.rows ?? []
  const within = (e: Entry): Path => [...path, bytesOf(e)]
  return (
    <>
      <div className="crumbs" role="group" aria-label="Folder">
        <button type="button" className="path" onClick={() => go([])}>
          /
        </button>
        {path.map((name, i) => (
          <button key={i} type="button" className="path" aria-current={i === path.length - 1} onClick={() => go(path.slice(0, i + 1))}>
            <Text value={nameOf(name)} />/
          </button>
        ))}
      </div>
      <State query={query} what="the folder" />
      {query.data && rows.length === 0 && <p className="quiet">Nothing is in it.</p>}
      <ul className="files">
        {rows.map((e) => (
          <li key={e.rawName ?? e.name}>
            <Row entry={e} shown={shown === e} onOpen={() => (folderOf(e) ? go(within(e)) : setShown(shown === e ? null : e))} onRemove={() => setDoomed(e)} onSave={() => save(session, within(e), e)} />
            {shown === e && <FileText session={session} path={within(e)} />}
          </li>
        ))}
      </ul>
      {query.data?.more && <p className="notice warn">There are more names than are shown.</p>}
      <Put session={session} path={path} onDone={again} />
      {doomed && (
        <Removal
          entry={doomed}
          onClose={() => setDoomed(null)}
          onConfirm={async (all) => {
            await remove(session, within(doomed), folderOf(doomed), all)
            await again()
          }}
        />
      )}
    </>
  )
}

/** Asks before something is removed; what is in a folder goes with it only where that is said. */
function Removal({ entry: e, onClose, onConfirm }: { entry: Entry; onClose: () => void; onConfirm: (all: boolean) => Promise<void> }) {
  const [all, setAll] = useState(false)
  return (
    <Confirm title={folderOf(e) ? 'Remove this folder?' : 'Remove this?'} action={all ? 'Remove all of it' : 'Remove it'} onClose={onClose} onConfirm={() => onConfirm(all)}>
      <p>
        <Text value={e.name} /> is removed in the session, and on the host where that is a granted folder.
      </p>
      {folderOf(e) && (
        <label className="check">
          <input type="checkbox" checked={all} onChange={(c) => setAll(c.target.checked)} />
          With all that is in it
        </label>
      )}
    </Confirm>
  )
}

const folderOf = (e: Entry) => e.kind === 'FILE_KIND_FOLDER'
const fileOf = (e: Entry) => e.kind === 'FILE_KIND_FILE' || e.kind === undefined

function Row({ entry: e, shown, onOpen, onSave, onRemove }: { entry: Entry; shown: boolean; onOpen: () => void; onSave: () => Promise<void>; onRemove: () => void }) {
  const saving = useMutation({ mutationFn: onSave })
  return (
    <div className="file">
      {folderOf(e) || fileOf(e) ? (
        <button type="button" className="path" aria-expanded={folderOf(e) ? undefined : shown} onClick={onOpen}>
          <Text value={e.name} />
          {folderOf(e) && '/'}
        </button>
      ) : (
        <span className="path">
          <Text value={e.name} />
        </span>
      )}
      <span className="quiet">
        {e.kind === 'FILE_KIND_FILE' && `${Number(e.size ?? 0).toLocaleString('en-GB')} bytes`}
        {e.kind === 'FILE_KIND_LINK' && (
          <>
            link to <Text value={e.target} />
          </>
        )}
        {e.kind && !folderOf(e) && !fileOf(e) && e.kind !== 'FILE_KIND_LINK' && e.kind.slice('FILE_KIND_'.length).toLowerCase()}
      </span>
      <span className="quiet">{moment(e.modified)}</span>
      <span className="actions">
        {fileOf(e) && (
          <button type="button" aria-label={`Download ${plain(e.name)}`} disabled={saving.isPending} onClick={() => saving.mutate()}>
            Download
          </button>
        )}
        <button type="button" aria-label={`Remove ${plain(e.name)}`} onClick={onRemove}>
          Remove
        </button>
      </span>
      {saving.isError && <Problem error={saving.error} />}
    </div>
  )
}

/** Has the browser keep a file. Its name was chosen by a program: of it letters, digits and few signs stay. */
async function save(session: string, path: Path, e: Entry): Promise<void> {
  const { data, changed } = await read(session, path, 0, new AbortController().signal)
  const at = document.createElement('a')
  at.href = URL.createObjectURL(data)
  at.download = e.name.replace(/[^\p{L}\p{N}._-]/gu, '_').replace(/^\.+/, '_') || 'file'
  at.click()
  setTimeout(() => URL.revokeObjectURL(at.href), 60_000)
  if (changed) throw new Error('It was changed while it was read: what was kept may be of both.')
}

/** Uploads a file into the folder, or makes a folder in it. */
function Put({ session, path, onDone }: { session: string; path: Path; onDone: () => Promise<unknown> }) {
  const [file, setFile] = useState<File | null>(null)
  const [folder, setFolder] = useState('')
  const [sent, setSent] = useState(0)
  const put = useMutation({
    mutationFn: async (f: File) => {
      if (f.size > mostWritten) throw new Error('A file that is uploaded here has at most 64 MiB; ambit cp takes larger ones.')
      await write(session, [...path, new TextEncoder().encode(f.name)], f, setSent)
    },
    onSuccess: onDone,
  })
  const make = useMutation({ mutationFn: (name: string) => makeFolder(session, [...path, ...pathFrom(name)]), onSuccess: () => (setFolder(''), onDone()) })
  return (
    <>
      <form
        className="filters"
        onSubmit={(e) => {
          e.preventDefault()
          if (file) put.mutate(file)
        }}
      >
        <Field label="Upload a file into this folder">{(id) => <input id={id} type="file" required onChange={(e) => setFile(e.target.files?.[0] ?? null)} />}</Field>
        <button type="submit" disabled={!file || put.isPending}>
          Upload it
        </button>
        <span role="status">{put.isPending ? `${sent} bytes are sent` : put.isSuccess && 'It is there.'}</span>
      </form>
      <form
        className="filters"
        onSubmit={(e) => {
          e.preventDefault()
          make.mutate(folder)
        }}
      >
        <Field label="Make a folder in it">{(id) => <input id={id} value={folder} required onChange={(e) => setFolder(e.target.value)} />}</Field>
        <button type="submit" disabled={make.isPending}>
          Make it
        </button>
      </form>
      {put.isError && <Problem error={put.error} />}
      {make.isError && <Problem error={make.error} />}
    </>
  )
}
