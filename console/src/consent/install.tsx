import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import { call } from '../api/call'
import { mostUpload, prepareFile } from '../api/consent'
import { useMay } from '../api/me'
import type { Prepared } from '../api/types'
import { Field, Page, Problem } from '../ui'
import { Consent } from './consent'
import { isOlder, Older } from './older'

/** Installs a pack: where it comes from, and then what it asks for. */
export function Install() {
  const may = useMay('admin')
  const navigate = useNavigate()
  const [prepared, setPrepared] = useState<Prepared | null>(null)
  return (
    <Page title={prepared ? 'What it asks for' : 'Install a pack'} actions={<Link to="/packs" className="button">All packs</Link>}>
      {!may && <p className="quiet">Your role does not install packs. That takes an admin.</p>}
      {may && !prepared && <Source onPrepared={setPrepared} />}
      {prepared && <Consent key={prepared.id} prepared={prepared} onCancel={() => setPrepared(null)} onDone={(i) => void navigate({ to: '/packs/$id', params: { id: i.pack.id } })} />}
    </Page>
  )
}

function Source({ onPrepared }: { onPrepared: (p: Prepared) => void }) {
  const [source, setSource] = useState('')
  const [signer, setSigner] = useState('')
  const [file, setFile] = useState<File | null>(null)
  const [sent, setSent] = useState(0)
  const look = useMutation({
    mutationFn: async ({ f, allowOlder }: { f: File | null; allowOlder: boolean }) => {
      if (f) return prepareFile(f, setSent, allowOlder)
      return (await call<{ prepared: Prepared }>('PackService/PreparePack', { source: source.trim(), signer: signer.trim(), allowOlder })).prepared
    },
    onSuccess: onPrepared,
  })
  const submit = (f: File | null) => (e: FormEvent) => {
    e.preventDefault()
    setSent(0)
    look.mutate({ f, allowOlder: false })
  }
  const long = (file?.size ?? 0) > mostUpload
  return (
    <>
      <form className="card source" onSubmit={submit(null)}>
        <h2>From this host, or a registry</h2>
        <Field label="Reference, or absolute path on the host">
          {(id) => <input id={id} value={source} required placeholder="oci://registry.example.org/words:1.2" autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(e) => setSource(e.target.value)} />}
        </Field>
        <Field label="Signed by this key alone (may be empty)">
          {(id) => <input id={id} value={signer} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(e) => setSigner(e.target.value)} />}
        </Field>
        <div className="actions">
          <button type="submit" className="primary" disabled={look.isPending}>
            Look at it
          </button>
          <span className="quiet">Nothing is installed yet.</span>
        </div>
      </form>
      <form className="card source" onSubmit={submit(file)}>
        <h2>From this browser</h2>
        <Field label="An archive (tar, tar.gz) of at most 64 MiB">{(id) => <input id={id} type="file" required onChange={(e) => setFile(e.target.files?.[0] ?? null)} />}</Field>
        {long && <p className="notice warn">It is longer than 64 MiB. Put it on the host, or into a registry.</p>}
        <div className="actions">
          <button type="submit" disabled={look.isPending || !file || long}>
            Upload and look at it
          </button>
        </div>
      </form>
      {look.isPending && <p role="status">{sent > 0 ? `Sent ${(sent / 1024).toFixed(0)} KiB…` : 'Unpacking and checking…'}</p>}
      {look.isError && <Problem error={look.error} />}
      {isOlder(look.error) && <Older busy={look.isPending} onTake={() => look.variables && look.mutate({ f: look.variables.f, allowOlder: true })} />}
    </>
  )
}
