import { call, Failure, unreachable } from '../api/call'

const mostAtOnce = 8 * 1024
/** What is typed, or pasted, and not sent yet. */
const mostWaiting = 1024 * 1024
/** As much may wait before nothing is answered any more: what somebody types comes behind it. */
const mostAnswers = 512
const again = 500

/**
 * Types into a terminal of the host, in order. What is sent again, since no answer came,
 * is typed once: each piece says where it begins.
 */
export class Keyboard {
  private readonly id: string
  private readonly failed: (e: unknown) => void
  private readonly writer = crypto.randomUUID()
  private readonly stopped = new AbortController()
  private waiting: number[] = []
  private offset = 0
  private busy = false

  constructor(id: string, failed: (e: unknown) => void) {
    this.id = id
    this.failed = failed
  }

  type(bytes: Uint8Array) {
    if (this.waiting.length + bytes.length > mostWaiting) {
      this.failed(new Failure('too_much', 'That is too much to be typed at once. Nothing of it was.'))
      return
    }
    for (const b of bytes) this.waiting.push(b)
    if (!this.busy) void this.send()
  }

  /** Types what a terminal says by itself, in ASCII. */
  answer(text: string) {
    if (this.waiting.length + text.length <= mostAnswers) this.type(Uint8Array.from(text, (c) => c.charCodeAt(0)))
  }

  stop() {
    this.stopped.abort()
  }

  private async send() {
    this.busy = true
    while (this.waiting.length > 0 && !this.stopped.signal.aborted) {
      const data = btoa(String.fromCharCode(...this.waiting.slice(0, mostAtOnce)))
      try {
        const message = { id: this.id, writer: this.writer, offset: String(this.offset), data }
        const { next } = await call<{ next?: string }>('TerminalService/WriteInput', message, this.stopped.signal)
        this.waiting.splice(0, Number(next ?? 0) - this.offset)
        this.offset = Number(next ?? 0)
      } catch (e) {
        if (this.stopped.signal.aborted) break
        this.failed(e)
        if (!(e instanceof Failure && (e.code === unreachable || e.code === 'unavailable'))) {
          this.waiting = []
          break
        }
        await new Promise((r) => setTimeout(r, again))
      }
    }
    this.busy = false
  }
}
