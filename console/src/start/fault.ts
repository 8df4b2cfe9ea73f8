// What is wrong with what was filled in, row by row.
import type { Wrong } from './rows'
import { volumeOf, type Filled, type Variable, type Volume } from './request'

export interface Faults {
  volumes: (Wrong | undefined)[]
  env: (Wrong | undefined)[]
  deny: (Wrong | undefined)[]
}

const absolute = (path: string) => path === '' || path.startsWith('/')

// What is not there yet is no fault: the browser wants a field that is required.
function ofVolume(v: Volume): string {
  if (!absolute(v.source)) return 'The path of the host begins with /.'
  if (!absolute(v.target)) return 'The path inside begins with /.'
  return v.target.includes(':') ? 'The path inside has no colon.' : ''
}

function ofVariable(v: Variable, i: number, all: Variable[]): string {
  if (v.name.includes('=')) return 'A name has no =.'
  return v.name !== '' && all.findIndex((w) => w.name === v.name) < i ? 'That name is there already.' : ''
}

const ofDenial = (text: string) => (/^\s|\s$/.test(text) ? 'A capability begins and ends with no space.' : '')

/** What the form sees by itself, and what the host said of a row. */
export function faultsOf(f: Filled, said: string): Faults {
  const wrong = (text: string, row: string): Wrong | undefined => {
    if (text) return { text, by: 'form' }
    return said.startsWith(row) ? { text: said.slice(row.length), by: 'host' } : undefined
  }
  return {
    volumes: f.volumes.map((v) => wrong(ofVolume(v), `volume ${volumeOf(v)}: `)),
    env: f.env.map((v, i) => wrong(ofVariable(v, i, f.env), `--env ${v.name}=${v.value}: `)),
    deny: f.deny.map((d) => wrong(ofDenial(d), `--deny ${d}: `)),
  }
}

const all = (f: Faults) => [...f.volumes, ...f.env, ...f.deny]

/** Reports whether nothing is asked of the host, since the form knows the answer. */
export const unready = (f: Faults) => all(f).some((w) => w?.by === 'form')

/** Reports whether what the host said stands beside a row. */
export const beside = (f: Faults) => all(f).some((w) => w?.by === 'host')
