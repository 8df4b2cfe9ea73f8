// What a session is started with, as a person fills it in.
import type { CreateSession } from '../api/types'

/** How first touches are asked about; the value is the API's. */
export const askings = [
  ['trap', 'Ask in the inbox'],
  ['notification', 'Ask in the inbox, where the host has no /dev/fuse: slower'],
  ['', 'Ask nobody: what is not allowed is not there'],
] as const

export const tiers = ['', 'process', 'gvisor', 'microvm', 'microvm-emulated']

/** The bounds that can be filled in, and what one looks like. */
export const bounds = [
  ['wall', 'Ends after', '10m'],
  ['memory', 'Memory', '512M'],
  ['cpu', 'Processors', '1.5'],
  ['pids', 'Processes', '100'],
  ['disk', 'Disk', '1G'],
] as const

/** How a volume is shown; the value is the API's. */
export const modes = [
  ['ro', 'to be read'],
  ['rw', 'to be changed'],
  ['append', 'to be added to'],
  ['cow', 'as a copy'],
] as const

export interface Volume {
  source: string // a path of the host
  target: string // where the program sees it
  mode: string
}

/** As the API has it. */
export const volumeOf = (v: Volume) => `${v.source}:${v.target}:${v.mode}`

export interface Variable {
  name: string
  value: string
}

export interface Filled {
  pack: string // '': a command
  words: string[]
  allow: string // a capability on each line
  deny: string[]
  volumes: Volume[]
  env: Variable[]
  dir: string
  tier: string
  asking: string
  terminal: boolean
  limits: { [name: string]: string }
}

export const nothing: Filled = { pack: '', words: [''], allow: '', deny: [], volumes: [], env: [], dir: '', tier: '', asking: 'trap', terminal: true, limits: {} }

/** The request; each word is a word of its own, whatever is in it. */
export function requestOf(f: Filled): CreateSession {
  const limits = Object.fromEntries(Object.entries(f.limits).flatMap(([name, value]) => (value.trim() ? [[name, value.trim()]] : [])))
  const allow = f.allow.split('\n').map((line) => line.trim())
  return {
    pack: f.pack,
    argv: f.words.length === 1 && f.words[0] === '' ? [] : f.words,
    allow: allow.filter((line) => line !== ''),
    deny: f.deny,
    volumes: f.volumes.map(volumeOf),
    env: Object.fromEntries(f.env.map((v) => [v.name, v.value])),
    dir: f.dir.trim(),
    tier: f.tier,
    ask: f.asking ? 'ASK_QUEUE' : 'ASK_NOBODY',
    askBy: f.asking,
    limits,
    ...(f.terminal ? { terminal: { rows: 24, columns: 80 } } : {}),
  }
}
