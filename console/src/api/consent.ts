// Installing packs: an archive on its way.
import { call } from './call'
import type { Prepared } from './types'

/** The most that an upload has, and each part of it. */
export const mostUpload = 64 << 20
const part = 1 << 20

/** Sends an archive in parts, and has it prepared. */
export async function prepareFile(file: File, sent: (bytes: number) => void, allowOlder: boolean): Promise<Prepared> {
  let upload = ''
  for (let offset = 0; offset < file.size; offset += part) {
    const data = await base64(file.slice(offset, offset + part))
    const answer = await call<{ upload: string }>('PackService/UploadPack', { upload, offset: String(offset), data })
    upload = answer.upload
    sent(Math.min(offset + part, file.size))
  }
  return (await call<{ prepared: Prepared }>('PackService/PreparePack', { upload, allowOlder })).prepared
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onerror = () => reject(new Error('The file cannot be read.'))
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''))
    reader.readAsDataURL(blob)
  })
}
