// Files of a session, and what is done with them.
import { all, call } from './call'
import { stream } from './stream'
import type { Entry } from './types'

/** The names on the way from the root. Each is its bytes: a program chose them. */
export type Path = readonly Uint8Array[]

const decoder = new TextDecoder()

export const nameOf = (bytes: Uint8Array): string => decoder.decode(bytes)

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}

function toBase64(bytes: Uint8Array): string {
  let s = ''
  for (const b of bytes) s += String.fromCharCode(b)
  return btoa(s)
}

export const bytesOf = (e: Entry): Uint8Array => (e.rawName ? fromBase64(e.rawName) : new TextEncoder().encode(e.name))

/** A path as a request has it. */
export function pathOf(path: Path): { rawPath: string } {
  const slash = new Uint8Array([0x2f])
  const parts = path.length ? path.flatMap((name) => [slash, name]) : [slash]
  const joined = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    joined.set(p, at)
    at += p.length
  }
  return { rawPath: toBase64(joined) }
}

/** The names of a path that a person types. */
export const pathFrom = (text: string): Path =>
  text
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .map((name) => new TextEncoder().encode(name))

export const list = (session: string, path: Path, signal: AbortSignal) => all<Entry>('FileService/ListFiles', 'files', { session, ...pathOf(path) }, signal)

export interface Read {
  data: Blob
  size: number
  changed: boolean
}

/** Reads a file, or its beginning. */
export async function read(session: string, path: Path, length: number, signal: AbortSignal): Promise<Read> {
  const parts: Uint8Array<ArrayBuffer>[] = []
  let end: { size?: string; changed?: boolean } = {}
  for await (const m of stream<{ data?: string; end?: { size?: string; changed?: boolean } }>('FileService/StreamFile', { session, ...pathOf(path), length: String(length) }, signal)) {
    if (m.data) parts.push(Uint8Array.from(atob(m.data), (c) => c.charCodeAt(0)))
    if (m.end) end = m.end
  }
  return { data: new Blob(parts, { type: 'application/octet-stream' }), size: Number(end.size ?? 0), changed: !!end.changed }
}

/** The most that a file which is written has, and each part of it. */
export const mostWritten = 64 << 20
const part = 1 << 20

/** Writes a file in parts. */
export async function write(session: string, path: Path, file: Blob, sent: (bytes: number) => void): Promise<void> {
  let upload = ''
  for (let offset = 0; ; offset += part) {
    const data = toBase64(new Uint8Array(await file.slice(offset, offset + part).arrayBuffer()))
    const last = offset + part >= file.size
    const answer = await call<{ upload: string }>('FileService/WriteFile', { session, ...pathOf(path), upload, offset: String(offset), data, last })
    upload = answer.upload
    sent(Math.min(offset + part, file.size))
    if (last) return
  }
}

/** Removes a file, or a folder: an empty one, or with all that is in it. */
export const remove = (session: string, path: Path, folder: boolean, all: boolean) => call('FileService/RemoveFile', { session, ...pathOf(path), folder, all })

export const makeFolder = (session: string, path: Path) => call('FileService/MakeFolder', { session, ...pathOf(path) })
