// Requests to the host. The API speaks Connect: a procedure is a POST with JSON.

/** An error that the host answered with, or that it could not be reached. */
export class Failure extends Error {
  readonly code: string
  /** The name of the message that says more, as in ambit.v1.OlderVersion. */
  readonly detail: string
  constructor(code: string, message: string, detail = '') {
    super(message)
    this.code = code
    this.detail = detail
  }
}

export const unreachable = 'unreachable'

export const headers = { 'Connect-Protocol-Version': '1', 'X-Ambit': '1' }

/** Called where the host says that nobody is signed in. */
let signedOut = () => {}
export function onSignedOut(f: () => void) {
  signedOut = f
}

export async function failureOf(r: Response): Promise<Failure> {
  if (r.status === 401) signedOut()
  const text = (await r.text().catch(() => '')).trim()
  const says = text || `the host answered with status ${r.status}`
  if (!r.headers.get('Content-Type')?.startsWith('application/json')) return new Failure(String(r.status), says)
  const body = JSON.parse(text || '{}') as { code?: string; message?: string; details?: { type?: string }[] }
  return new Failure(body.code ?? String(r.status), body.message ?? says, body.details?.[0]?.type)
}

/** Sends something, and throws a Failure where no answer comes. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: 'same-origin', redirect: 'error', cache: 'no-store', ...init })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new Failure(unreachable, 'The host cannot be reached. What is shown may be old.')
  }
}

/** Calls a procedure, as in call<Answer>('QuestionService/AnswerQuestion', {…}). */
export async function call<T>(procedure: string, message: object = {}, signal?: AbortSignal): Promise<T> {
  const r = await send(`/ambit.v1.${procedure}`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(message),
    signal: signal ?? null,
  })
  if (!r.ok) throw await failureOf(r)
  return (await r.json()) as T
}

/** The most pages that are read at once of a list that is shown whole. */
const mostPages = 10

/** Reads a list to its end, or to where it is too long to be shown. */
export async function all<T>(procedure: string, field: string, message: object = {}, signal?: AbortSignal): Promise<{ rows: T[]; more: boolean }> {
  const rows: T[] = []
  let pageToken = ''
  for (let i = 0; i < mostPages; i++) {
    const page: { [k: string]: unknown } = await call(procedure, { ...message, pageSize: 1000, pageToken }, signal)
    rows.push(...((page[field] as T[] | undefined) ?? []))
    pageToken = (page['nextPageToken'] as string | undefined) ?? ''
    if (!pageToken) return { rows, more: false }
  }
  return { rows, more: true }
}
