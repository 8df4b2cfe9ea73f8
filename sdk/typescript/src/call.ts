// Calls of procedures, by Connect's protocol: a POST of JSON each, and for a stream of
// answers JSON in envelopes.
import { type Init, Malformed, type Message, fromJSON, toJSON } from './codec.js'
import { Failure, failureOf } from './failure.js'

export interface CallOptions {
  /** Ends the call, which then fails with the code canceled. */
  readonly signal?: AbortSignal | undefined
  /** How many milliseconds an answer may take: a minute where nothing is said. Streams have no such end. */
  readonly timeout?: number | undefined
}

/** An answer whose body has not been read yet. */
export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: AsyncIterable<Uint8Array>
}

/** How requests get to a host. */
export interface Service {
  /** Sends a request, and fails with a Failure of the code unavailable where no answer comes. */
  send(procedure: string, headers: { readonly [name: string]: string }, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Answer>
}

const patience = 60_000
/** No answer and no message of a stream is longer. */
const most = 64 << 20

/** Calls a procedure that answers once. */
export async function call<I, O>(service: Service, procedure: string, input: Message<I>, output: Message<O>, request: Init<I>, options: CallOptions): Promise<O> {
  const timeout = options.timeout ?? patience
  const late = AbortSignal.timeout(timeout)
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late
  const body = new TextEncoder().encode(JSON.stringify(toJSON(input, request)))
  try {
    const headers = { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1', 'Connect-Timeout-Ms': String(Math.ceil(timeout)) }
    const answer = await service.send(procedure, headers, body, signal)
    const sent = await whole(answer)
    if (answer.status !== 200) throw failureOf(parsed(sent), answer.status)
    if (!answer.type.startsWith('application/json')) throw new Failure('unknown', 'what answers is no host')
    return fromJSON(output, parsed(sent))
  } catch (e) {
    throw failed(e, options.signal, late)
  }
}

/** Calls a procedure that answers with a stream, until that ends or nobody wants more of it. */
export async function* stream<I, O>(
  service: Service,
  procedure: string,
  input: Message<I>,
  output: Message<O>,
  request: Init<I>,
  options: CallOptions,
): AsyncGenerator<O, void, undefined> {
  const left = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
  const data = new TextEncoder().encode(JSON.stringify(toJSON(input, request)))
  const body = new Uint8Array(prefix + data.length)
  new DataView(body.buffer).setUint32(1, data.length)
  body.set(data, prefix)
  try {
    const answer = await service.send(procedure, { 'Content-Type': 'application/connect+json', 'Connect-Protocol-Version': '1' }, body, signal)
    if (answer.status !== 200) throw failureOf(parsed(await whole(answer)), answer.status)
    if (!answer.type.startsWith('application/connect+json')) throw new Failure('unknown', 'what answers is no host')
    for await (const [last, text] of envelopes(answer.body)) {
      if (!last) {
        yield fromJSON(output, JSON.parse(text))
        continue
      }
      const end = parsed(text) as { error?: unknown } | undefined
      if (end === undefined) throw new Malformed('the end of a stream is no JSON')
      if (end.error) throw failureOf(end.error)
      return
    }
    throw new Failure('unavailable', 'the answer broke off')
  } catch (e) {
    throw failed(e, options.signal)
  } finally {
    left.abort()
  }
}

/** Reads a list page by page. */
export async function* pages<P extends { nextPageToken: string }, R>(read: (pageToken: string) => Promise<P>, rows: (page: P) => R[]): AsyncGenerator<R, void, undefined> {
  for (let token = ''; ; ) {
    const page = await read(token)
    yield* rows(page)
    token = page.nextPageToken
    if (token === '') return
  }
}

// Each message of a stream stands behind a byte of flags and its length.
const prefix = 5
const compressed = 1
const end = 2

async function* envelopes(body: AsyncIterable<Uint8Array>): AsyncGenerator<[last: boolean, text: string]> {
  let held: Uint8Array[] = []
  let size = 0
  let want = prefix
  let flags = -1 // of the message that is being read
  for await (const chunk of body) {
    held.push(chunk)
    size += chunk.length
    while (size >= want) {
      const all = joined(held, size)
      const rest = all.subarray(want)
      held = [rest]
      size = rest.length
      if (flags < 0) {
        flags = all[0] ?? 0
        want = new DataView(all.buffer, all.byteOffset).getUint32(1)
        if ((flags & compressed) !== 0 || want > most) throw new Malformed('a message of a stream is compressed, or too long')
        continue
      }
      yield [(flags & end) !== 0, new TextDecoder().decode(all.subarray(0, want))]
      flags = -1
      want = prefix
    }
  }
}

function joined(chunks: Uint8Array[], size: number): Uint8Array {
  const [first] = chunks
  if (chunks.length === 1 && first) return first
  const all = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}

async function whole(answer: Answer): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body) {
    chunks.push(chunk)
    size += chunk.length
    if (size > most) throw new Malformed('the answer is too long')
  }
  return new TextDecoder().decode(joined(chunks, size))
}

/** Reads JSON; undefined is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function failed(e: unknown, signal: AbortSignal | undefined, late?: AbortSignal): Failure {
  if (signal?.aborted) return new Failure('canceled', 'the call was ended', [], signal.reason)
  if (late?.aborted) return new Failure('deadline_exceeded', 'no answer came in time', [], e)
  if (e instanceof Failure) return e
  if (e instanceof Malformed || e instanceof SyntaxError) return new Failure('internal', e.message, [], e)
  return new Failure('unavailable', `the answer broke off: ${e instanceof Error ? e.message : String(e)}`, [], e)
}
