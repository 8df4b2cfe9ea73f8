// What outlives sessions: one value of StorageService, and what is done with it.
import { call } from './call'
import type { StoredVersion } from './types'

/** Which value: a key, of a pack or ('') of runs without one. */
export interface Which {
  pack: string
  key: string
}

export const versions = async (of: Which, signal: AbortSignal): Promise<StoredVersion[]> =>
  (await call<{ versions?: StoredVersion[] }>('StorageService/GetValue', of, signal)).versions ?? []

export interface Content {
  text: string
  more: boolean
}

/** The beginning of a version, as text. */
export async function content(of: Which, version: string, most: number, signal: AbortSignal): Promise<Content> {
  const r = await call<{ size?: string; data?: string }>('StorageService/GetContent', { ...of, version }, signal)
  const data = Uint8Array.from(atob(r.data ?? ''), (c) => c.charCodeAt(0))
  return { text: new TextDecoder().decode(data.subarray(0, most)), more: Number(r.size ?? 0) > Math.min(most, data.length) }
}

export const restore = async (of: Which, version: string): Promise<StoredVersion> =>
  (await call<{ version: StoredVersion }>('StorageService/RestoreValue', { ...of, version })).version

export const remove = (of: Which) => call('StorageService/RemoveValue', of)

/** Removes it with its versions. */
export const forget = (of: Which) => call('StorageService/ForgetValue', of)

/** Gives a pack what a removed one with its id had stored. */
export const adopt = (pack: string) => call('StorageService/AdoptValues', { pack })
