// A client of the API of an Ambit host, for browsers; node.ts has the ways by which
// programs reach a host.
import type { Answer, Service } from './call.js'
import { Client } from './client.js'
import { Failure } from './failure.js'

export type { Answer, CallOptions, Service } from './call.js'
export { type AnswerOptions, Client, type Command, type Output, Session as RunningSession, Waiting } from './client.js'
export type { Init } from './codec.js'
export { type Code, Failure } from './failure.js'
export * from './v1.js'

/**
 * A client of the host that the page comes from, as whoever is logged in there. A token
 * is for tools beside a browser: pages of other origins are not served.
 */
export function dialOrigin(token?: string): Client {
  return new Client(new Fetch(token === undefined ? {} : { Authorization: `Bearer ${token}` }))
}

class Fetch implements Service {
  readonly #headers: { readonly [name: string]: string }
  constructor(headers: { readonly [name: string]: string }) {
    this.#headers = headers
  }

  async send(procedure: string, headers: { readonly [name: string]: string }, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Answer> {
    let answer: Response
    try {
      answer = await fetch(`/${procedure}`, {
        method: 'POST',
        headers: { ...this.#headers, 'X-Ambit': '1', ...headers },
        body,
        signal,
        credentials: 'same-origin',
        redirect: 'error',
        cache: 'no-store',
      })
    } catch (e) {
      throw new Failure('unavailable', 'the host cannot be reached', [], e)
    }
    return { status: answer.status, type: answer.headers.get('Content-Type') ?? '', body: chunks(answer.body) }
  }
}

async function* chunks(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (!body) return
  const reader = body.getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => {}) // it may have ended
  }
}
