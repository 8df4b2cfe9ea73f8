import { Rows, type Wrong } from './rows'
import { modes, type Filled, type Variable, type Volume } from './request'
import type { Faults } from './fault'

/** What a session has beside what it is allowed: volumes, variables, and what it is denied. */
export function Beside({ filled: f, faults, onFill }: { filled: Filled; faults: Faults; onFill: (f: Filled) => void }) {
  return (
    <>
      <Volumes rows={f.volumes} wrong={faults.volumes} onRows={(volumes) => onFill({ ...f, volumes })} />
      <Variables rows={f.env} wrong={faults.env} onRows={(env) => onFill({ ...f, env })} />
      <Rows
        title="Deny for this session, also inside what is allowed"
        one="denial"
        about="A capability, as fs.read:/srv/data/private."
        rows={f.deny}
        blank=""
        wrong={faults.deny}
        onRows={(deny) => onFill({ ...f, deny })}
      >
        {(row, i, set, marked) => <input {...marked} aria-label={`Denial ${i + 1}`} value={row} required onChange={(e) => set(e.target.value)} />}
      </Rows>
    </>
  )
}

interface Part<Row> {
  rows: Row[]
  wrong: (Wrong | undefined)[]
  onRows: (rows: Row[]) => void
}

function Volumes(p: Part<Volume>) {
  return (
    <Rows {...p} title="Show paths of the host at others, inside" one="volume" about="What is changed in a copy is kept apart, and reviewed at the end." blank={{ source: '', target: '', mode: 'ro' }}>
      {(v, i, set, marked) => (
        <>
          <input {...marked} aria-label={`Volume ${i + 1}: path of the host`} placeholder="/srv/data" value={v.source} required onChange={(e) => set({ ...v, source: e.target.value })} />
          <input {...marked} aria-label={`Volume ${i + 1}: path inside`} placeholder="/data" value={v.target} required onChange={(e) => set({ ...v, target: e.target.value })} />
          <select aria-label={`Volume ${i + 1}: how`} value={v.mode} onChange={(e) => set({ ...v, mode: e.target.value })}>
            {modes.map(([mode, label]) => (
              <option key={mode} value={mode}>
                {label}
              </option>
            ))}
          </select>
        </>
      )}
    </Rows>
  )
}

function Variables(p: Part<Variable>) {
  return (
    <Rows {...p} title="Variables" one="variable" about="The host's own do not go in." blank={{ name: '', value: '' }}>
      {(v, i, set, marked) => (
        <>
          <input {...marked} aria-label={`Variable ${i + 1}: name`} placeholder="NAME" value={v.name} required onChange={(e) => set(named(e.target.value, v))} />
          <input {...marked} aria-label={`Variable ${i + 1}: value`} placeholder="empty" value={v.value} onChange={(e) => set({ ...v, value: e.target.value })} />
        </>
      )}
    </Rows>
  )
}

/** A name that was typed; NAME=VALUE, which is pasted like that, is both. */
function named(text: string, v: Variable): Variable {
  const at = text.indexOf('=')
  return at < 0 || v.value !== '' ? { ...v, name: text } : { name: text.slice(0, at), value: text.slice(at + 1) }
}
