import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useId, useRef, useState } from 'react'
import { all, call } from '../api/call'
import { useMay } from '../api/me'
import type { Checked, CreateSession, Pack, Session } from '../api/types'
import { started } from '../terminal/own'
import { plain } from '../text'
import { Field, Page, Problem } from '../ui'
import { Allowed } from './allowed'
import { Beside } from './beside'
import { beside, faultsOf, unready } from './fault'
import { askings, bounds, nothing, requestOf, tiers, type Filled } from './request'

/** Starts a session: what it is, then what it would be allowed, and then the session. */
export function Start() {
  const may = useMay('operator')
  return (
    <Page title="Start a session" actions={<Link to="/sessions" className="button">All sessions</Link>}>
      {may ? <Asked /> : <p className="quiet">Your role starts no sessions. That takes an operator.</p>}
    </Page>
  )
}

function Asked() {
  const navigate = useNavigate()
  const [filled, setFilled] = useState(nothing)
  const latest = useRef(filled)
  const look = useMutation({
    mutationFn: async (of: Filled) => ({ of, request: requestOf(of), checked: await call<Checked>('SessionService/CheckSession', { session: requestOf(of) }) }),
  })
  const start = useMutation({
    mutationFn: (request: CreateSession) => call<{ session: Session }>('SessionService/CreateSession', request),
    onSuccess: ({ session }) => {
      started(session.id)
      return navigate({ to: '/sessions/$id', params: { id: session.id } })
    },
  })
  const fill = (f: Filled) => {
    latest.current = f
    setFilled(f)
    look.reset() // it was about something else
    start.reset()
  }
  const seen = look.data?.of === latest.current ? look.data : undefined
  const faults = faultsOf(filled, look.error?.message ?? '')
  return (
    <>
      <form
        className="card source"
        onSubmit={(e) => {
          e.preventDefault()
          start.reset()
          if (!unready(faults)) look.mutate(filled)
          else e.currentTarget.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
        }}
      >
        <What filled={filled} onFill={fill} />
        <How filled={filled} onFill={fill} />
        <Beside filled={filled} faults={faults} onFill={fill} />
        <div className="actions">
          <button type="submit" className={seen ? '' : 'primary'} disabled={look.isPending || start.isPending}>
            Look at what it would be allowed
          </button>
          <span className="quiet">Nothing is started yet.</span>
        </div>
      </form>
      {look.isPending && <p role="status">Deciding…</p>}
      {look.isError && !beside(faults) && <Problem error={look.error} />}
      {seen && (
        <Allowed checked={seen.checked}>
          {start.isError && <Problem error={start.error} />}
          <div className="actions">
            <button type="button" className="primary" disabled={!seen.checked.starts || start.isPending} onClick={() => start.mutate({ ...seen.request, checked: seen.checked.digest ?? '' })}>
              {start.isPending ? 'Starting…' : 'Start it'}
            </button>
            <span className="quiet">{seen.checked.starts ? 'It is started with exactly this, or not at all.' : 'It cannot be started: something is denied.'}</span>
          </div>
        </Allowed>
      )}
    </>
  )
}

interface Part {
  filled: Filled
  onFill: (f: Filled) => void
}

/** What is started: a pack, or a command, word by word. */
function What({ filled: f, onFill }: Part) {
  const packs = useQuery({ queryKey: ['packs'], queryFn: ({ signal }) => all<Pack>('PackService/ListPacks', 'packs', {}, signal) })
  const words = useId()
  const set = (at: number, word: string) => onFill({ ...f, words: f.words.map((w, i) => (i === at ? word : w)) })
  return (
    <>
      <Field label="What">
        {(id) => (
          <select id={id} value={f.pack} onChange={(e) => onFill({ ...f, pack: e.target.value })}>
            <option value="">A command without a pack</option>
            {packs.data?.rows.map((p) => (
              <option key={p.id} value={p.id}>
                {plain(p.id)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {packs.error && <Problem error={packs.error} />}
      <div role="group" aria-labelledby={words} className="field">
        <span id={words} className="quiet">
          {f.pack ? 'Its arguments, each in a field of its own' : 'The command and its arguments, each in a field of its own. No shell reads them.'}
        </span>
        {f.words.map((word, i) => (
          <div key={i} className="word">
            <input aria-label={`Word ${i + 1}`} value={word} required={!f.pack && i === 0} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(e) => set(i, e.target.value)} />
            {f.words.length > 1 && (
              <button type="button" aria-label={`Leave out word ${i + 1}`} onClick={() => onFill({ ...f, words: f.words.filter((_, at) => at !== i) })}>
                Leave out
              </button>
            )}
          </div>
        ))}
        <div className="actions">
          <button type="button" onClick={() => onFill({ ...f, words: [...f.words, ''] })}>
            Another word
          </button>
        </div>
      </div>
    </>
  )
}

/** How it is started: what it may, and within which bounds. */
function How({ filled: f, onFill }: Part) {
  return (
    <>
      <Field label="Allow for this session, a capability on each line (may be empty)">
        {(id) => <textarea id={id} rows={3} value={f.allow} placeholder="fs.read:/srv/data" autoCapitalize="off" spellCheck={false} onChange={(e) => onFill({ ...f, allow: e.target.value })} />}
      </Field>
      <Field label="What is not allowed, at its first touch">
        {(id) => (
          <select id={id} value={f.asking} onChange={(e) => onFill({ ...f, asking: e.target.value })}>
            {askings.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <div className="filters">
        <Field label="Tier">
          {(id) => (
            <select id={id} value={f.tier} onChange={(e) => onFill({ ...f, tier: e.target.value })}>
              {tiers.map((t) => (
                <option key={t} value={t}>
                  {t || 'by the kind of the pack'}
                </option>
              ))}
            </select>
          )}
        </Field>
        {bounds.map(([name, label, hint]) => (
          <Field key={name} label={label}>
            {(id) => <input id={id} value={f.limits[name] ?? ''} placeholder={hint} autoComplete="off" spellCheck={false} onChange={(e) => onFill({ ...f, limits: { ...f.limits, [name]: e.target.value } })} />}
          </Field>
        ))}
        <Field label="In the folder">
          {(id) => <input id={id} value={f.dir} placeholder="the home" autoComplete="off" spellCheck={false} onChange={(e) => onFill({ ...f, dir: e.target.value })} />}
        </Field>
        <label className="check">
          <input type="checkbox" checked={f.terminal} onChange={(e) => onFill({ ...f, terminal: e.target.checked })} />
          At a terminal
        </label>
      </div>
    </>
  )
}
