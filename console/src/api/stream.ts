import { Failure, failureOf, headers, send, unreachable } from './call'

// Each message of a Connect stream stands behind a byte of flags and its length.
const prefix = 5
const endFlag = 2

function envelope(message: object): Uint8Array<ArrayBuffer> {
  const data = new TextEncoder().encode(JSON.stringify(message))
  const framed = new Uint8Array(prefix + data.length)
  new DataView(framed.buffer).setUint32(1, data.length)
  framed.set(data, prefix)
  return framed
}

/** Calls a procedure that answers with a stream, until that ends or the signal says so. */
export async function* stream<T>(procedure: string, message: object, signal: AbortSignal): AsyncGenerator<T> {
  const r = await send(`/ambit.v1.${procedure}`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/connect+json' },
    body: envelope(message),
    signal,
  })
  if (!r.ok || !r.body) throw await failureOf(r)
  const reader = r.body.getReader()
  try {
    yield* messages<T>(reader)
  } finally {
    reader.cancel().catch(() => {}) // it may have ended
  }
}

const again = 1000 // ms

/**
 * Reads a stream to its end: where the connection is lost, once more. `once` goes on where
 * it was, and says when it is fine. `error` is told what is wrong; null: nothing any more.
 */
export async function held(signal: AbortSignal, once: (fine: () => void) => Promise<void>, error: (e: unknown) => void) {
  let failed = false
  const fine = () => {
    if (failed) error(null)
    failed = false
  }
  while (!signal.aborted) {
    try {
      return await once(fine)
    } catch (e) {
      if (signal.aborted) return
      failed = true
      error(e)
      if (!(e instanceof Failure && e.code === unreachable)) return
      await new Promise((r) => setTimeout(r, again))
    }
  }
}

async function* messages<T>(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): AsyncGenerator<T> {
  let held: Uint8Array<ArrayBuffer> = new Uint8Array()
  const text = new TextDecoder()
  for (;;) {
    while (held.length >= prefix) {
      const length = new DataView(held.buffer, held.byteOffset).getUint32(1)
      if (held.length < prefix + length) break
      const value = JSON.parse(text.decode(held.subarray(prefix, prefix + length))) as T
      const last = ((held[0] ?? 0) & endFlag) !== 0
      held = held.subarray(prefix + length)
      if (!last) {
        yield value
        continue
      }
      const { error } = value as { error?: { code?: string; message?: string } }
      if (error) throw new Failure(error.code ?? 'unknown', error.message ?? 'the stream ended with an error')
      return
    }
    const { value, done } = await reader.read().catch(() => {
      throw new Failure(unreachable, 'The connection to the host was lost.')
    })
    if (done) throw new Failure(unreachable, 'The connection to the host was lost.')
    const joined = new Uint8Array(held.length + value.length)
    joined.set(held)
    joined.set(value, held.length)
    held = joined
  }
}
