import { call, Failure, unreachable } from '../api/call'

const mostAtOnce = 8 * 1024
/** What is typed, or pasted, and not sent yet. */
const mostWaiting = 1024 * 1024
/** As much may wait before nothing is answered any more: what somebody types comes behind it. */
const mostAnswers = 512
const again = 500

/** What is typed; `asked` of what the terminal says by itself: where it was asked. */
interface Stroke {
  bytes: number[]
  asked: string
}

/**
 * Types into a terminal of the host, in order. What is sent again, since no answer came,
 * is typed once: each piece says where it begins.
 */
export class Keyboard {
  private readonly id: string
  private readonly failed: (e: unknown) => void
  private readonly writer = crypto.randomUUID()
  private readonly stopped = new AbortController()
  private waiting: Stroke[] = []
  private length = 0 // of all that waits
  private offset = 0
  private busy = false

  constructor(id: string, failed: (e: unknown) => void) {
    this.id = id
    this.failed = failed
  }

  type(bytes: Uint8Array) {
    if (this.length + bytes.length > mostWaiting) {
      this.failed(new Failure('too_much', 'That is too much to be typed at once. Nothing of it was.'))
      return
    }
    this.add(bytes, '0')
  }

  /**
   * Types what a terminal says by itself, in ASCII, where the output that ends at an offset
   * asks for it. The host leaves it out where another page answers that.
   */
  answer(text: string, asked: string) {
    if (this.length + text.length <= mostAnswers) this.add(Uint8Array.from(text, (c) => c.charCodeAt(0)), asked)
  }

  stop() {
    this.stopped.abort()
  }

  private add(bytes: Uint8Array, asked: string) {
    let last = this.waiting.at(-1)
    if (last?.asked !== asked) this.waiting.push((last = { bytes: [], asked }))
    for (const b of bytes) last.bytes.push(b)
    this.length += bytes.length
    if (!this.busy) void this.send()
  }

  private async send() {
    this.busy = true
    for (let first = this.waiting[0]; first && !this.stopped.signal.aborted; first = this.waiting[0]) {
      const data = btoa(String.fromCharCode(...first.bytes.slice(0, mostAtOnce)))
      try {
        const message = { id: this.id, writer: this.writer, offset: String(this.offset), data, asked: first.asked }
        const { next } = await call<{ next?: string }>('TerminalService/WriteInput', message, this.stopped.signal)
        const taken = Number(next ?? 0) - this.offset
        first.bytes.splice(0, taken)
        this.length -= taken
        this.offset += taken
        if (first.bytes.length === 0) this.waiting.shift()
      } catch (e) {
        if (this.stopped.signal.aborted) break
        this.failed(e)
        if (!(e instanceof Failure && (e.code === unreachable || e.code === 'unavailable'))) {
          this.waiting = []
          this.length = 0
          break
        }
        await new Promise((r) => setTimeout(r, again))
      }
    }
    this.busy = false
  }
}
