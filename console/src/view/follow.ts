import { Failure } from '../api/call'
import { stream } from '../api/stream'
import type { OutputChunk } from '../api/types'

const again = 1000

export interface End {
  exit: number
  dropped: number
}

export interface Reader {
  data: (bad: boolean, bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>
  end: (end: End) => void
  error: (e: unknown) => void // null: it goes on
}

/** Reads what is written by a session, or by a program that was started in one, to its end. */
export async function follow(id: string, signal: AbortSignal, reader: Reader) {
  let offset = '0'
  let failed = false
  while (!signal.aborted) {
    try {
      for await (const chunk of stream<OutputChunk>('SessionService/StreamOutput', { id, offset }, signal)) {
        if (failed) reader.error(null)
        failed = false
        if (chunk.end) {
          reader.end({ exit: chunk.end.exit ?? 0, dropped: Number(chunk.end.dropped ?? 0) })
          return
        }
        await reader.data(chunk.stream === 'OUTPUT_STREAM_STDERR', Uint8Array.from(atob(chunk.data ?? ''), (c) => c.charCodeAt(0)))
        offset = chunk.next ?? offset
      }
      return
    } catch (error) {
      if (signal.aborted) return
      failed = true
      reader.error(error)
      if (!(error instanceof Failure && error.code === 'unreachable')) return
      await new Promise((r) => setTimeout(r, again)) // from the offset on: nothing is lost
    }
  }
}
