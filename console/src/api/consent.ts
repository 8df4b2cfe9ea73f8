// Installing packs: the messages of api/ambit/v1/pack.proto, as far as they are shown.
import { call } from './call'
import type { Pack } from './types'

export interface PreparedWant {
  capability: string
  meaning?: string
  reason?: string
  optional?: boolean
  risk: string
  broad?: boolean
  state: 'WANT_STATE_ASKED' | 'WANT_STATE_ALLOWED' | 'WANT_STATE_DENIED'
}

export interface Prepared {
  id: string
  expires: string
  pack: Pack
  name?: string
  kind?: string
  description?: string
  entry?: string[]
  signerState?: 'SIGNER_STATE_UNSIGNED' | 'SIGNER_STATE_FIRST' | 'SIGNER_STATE_SAME' | 'SIGNER_STATE_TAKES_OVER'
  before?: Pack
  wants?: PreparedWant[]
  dropped?: { capability: string; meaning?: string }[]
}

export interface Installed {
  pack: Pack
  granted?: string[]
  denied?: string[]
  left?: string[]
  revoked?: string[]
}

export interface Updated {
  installed?: Installed
  prepared?: Prepared
  unchanged?: Pack
}

export type Choosing = 'CHOOSING_LATER' | 'CHOOSING_ALLOW' | 'CHOOSING_DENY'

/** The most that an upload has, and each part of it. */
export const mostUpload = 64 << 20
const part = 1 << 20

/** Sends an archive in parts, and has it prepared. */
export async function prepareFile(file: File, sent: (bytes: number) => void): Promise<Prepared> {
  let upload = ''
  for (let offset = 0; offset < file.size; offset += part) {
    const data = await base64(file.slice(offset, offset + part))
    const answer = await call<{ upload: string }>('PackService/UploadPack', { upload, offset: String(offset), data })
    upload = answer.upload
    sent(Math.min(offset + part, file.size))
  }
  return (await call<{ prepared: Prepared }>('PackService/PreparePack', { upload })).prepared
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onerror = () => reject(new Error('The file cannot be read.'))
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''))
    reader.readAsDataURL(blob)
  })
}
