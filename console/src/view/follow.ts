import { held, stream } from '../api/stream'
import type { OutputChunk } from '../api/types'

export interface End {
  exit: number
  dropped: number
}

export interface Reader {
  data: (bad: boolean, bytes: Uint8Array<ArrayBuffer>, next: string) => void | Promise<void> // up to the offset `next`
  lost: (bytes: number) => void // before what comes next, and not kept any more
  live?: (on: boolean) => void // what comes now is written now, and was not there before
  end: (end: End) => void
  error: (e: unknown) => void // null: it goes on
}

export const gone = (bytes: number) => `About ${bytes} bytes that were written before this are not kept any more.`

/** Reads what is written by a session, or by a program that was started in one, to its end. */
export async function follow(id: string, signal: AbortSignal, reader: Reader) {
  let offset = '0' // from there on: nothing is lost with a connection
  let behind = false // a connection was lost
  const once = async (fine: () => void) => {
    if (behind) reader.live?.(false)
    behind = true
    for await (const chunk of stream<OutputChunk>('SessionService/StreamOutput', { id, offset }, signal)) {
      fine()
      if (chunk.end) return reader.end({ exit: chunk.end.exit ?? 0, dropped: Number(chunk.end.dropped ?? 0) })
      if (chunk.caughtUp) {
        reader.live?.(true)
        continue
      }
      if (chunk.lost) reader.lost(Number(chunk.lost))
      const next = chunk.next ?? offset
      await reader.data(chunk.stream === 'OUTPUT_STREAM_STDERR', Uint8Array.from(atob(chunk.data ?? ''), (c) => c.charCodeAt(0)), next)
      offset = next
    }
  }
  await held(signal, once, reader.error)
}
