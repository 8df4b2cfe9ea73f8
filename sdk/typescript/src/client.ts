// A host as programs use it: run something, answer what it asks, review what stands.
import type { CallOptions, Service } from './call.js'
import { Failure } from './failure.js'
import { type CheckSessionResponse, type Grant, type Loss, type Offer, type Question, Services, type Span } from './v1.js'

/** A program and what it may. What is left out gives it nothing. */
export interface Command {
  /** The program and its arguments; with a pack, arguments behind its entry. */
  readonly argv?: readonly string[]
  /** The folder of a pack, or the id of one that is installed. */
  readonly pack?: string
  /** Capabilities, as in fs.read:/srv/data. */
  readonly allow?: readonly string[]
  /** Also inside what is allowed. */
  readonly deny?: readonly string[]
  /** SOURCE:TARGET:ro|rw|cow */
  readonly volumes?: readonly string[]
  readonly env?: { readonly [name: string]: string }
  /** As in { memory: '512M' }. */
  readonly limits?: { readonly [name: string]: string }
  /** Where it is started; left out: the user's home. */
  readonly dir?: string
  readonly stdin?: string | Uint8Array
  /** The first touch of what was not granted is asked about. */
  readonly ask?: boolean
  /** trap, which needs /dev/fuse on the host, or notification, which is slower. */
  readonly askBy?: 'trap' | 'notification'
  /** How many milliseconds a question waits. */
  readonly askTimeout?: number
  /** The same command with the same key is started once, however often it is sent. */
  readonly key?: string
  /** The digest of what check said: it is started as was said, or not at all. */
  readonly checked?: string
}

function requestOf({ key, ask, stdin, ...same }: Command) {
  return {
    ...same,
    idempotencyKey: key ?? '',
    ask: ask ? ('ASK_QUEUE' as const) : ('ASK_UNSPECIFIED' as const),
    stdin: typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin,
  }
}

/** How much is meant by an answer, and for how long: exactly what was asked, until the program ends. */
export interface AnswerOptions {
  /** Of one of the question's offers. */
  readonly scope?: Offer['scope']
  readonly span?: Span
  /** With SPAN_UNTIL: how many milliseconds. */
  readonly lifetime?: number
  /** Allow also what is wide, or reaches secrets. */
  readonly broad?: boolean
}

/** Where what a program writes goes. */
export interface Output {
  readonly stdout?: (data: Uint8Array) => void
  readonly stderr?: (data: Uint8Array) => void
}

/** A client of a host. */
export class Client extends Services {
  constructor(service: Service) {
    super(service)
  }

  /**
   * Says what a program would be allowed if it were started now, and with which digest
   * (checked). Nothing is started and nothing recorded. What would be denied is no
   * failure: starts is false then.
   */
  check(command: Command, options?: CallOptions): Promise<CheckSessionResponse> {
    return this.sessions.checkSession({ session: requestOf(command) }, options)
  }

  /** Starts a program, and returns when its launch is recorded. Where it was denied, the Failure has the reasons. */
  async start(command: Command, options?: CallOptions): Promise<Session> {
    const { session } = await this.sessions.createSession(requestOf(command), options)
    return this.session(session?.id ?? '')
  }

  /** The session with an id, which may have been started by anything. */
  session(id: string): Session {
    return new Session(this, id)
  }

  /** The questions that wait, and then each one as it is put, until nobody wants more. */
  async *waiting(options?: CallOptions): AsyncGenerator<Waiting, void, undefined> {
    for await (const { put } of this.questions.watchQuestions({}, options)) {
      if (put) yield new Waiting(this, put)
    }
  }

  /** The grants and denials that stand, oldest first. */
  standing(options?: CallOptions): AsyncGenerator<Grant, void, undefined> {
    return this.grants.allGrants({}, options)
  }

  /** Grants capabilities to every command that is run without a pack, or to a pack, until they are revoked: all or none. */
  async grant(capabilities: readonly string[], pack = '', options?: CallOptions): Promise<Grant[]> {
    return (await this.grants.addGrants({ pack, capabilities, verdict: 'VERDICT_ALLOW' }, options)).grants
  }

  /** Takes grants back, all or none, and says what sessions that run have lost by it. */
  async revoke(ids: readonly string[], options?: CallOptions): Promise<Loss[]> {
    return (await this.grants.revokeGrants({ ids }, options)).losses
  }
}

/** A program in its sandbox. */
export class Session {
  readonly id: string
  readonly #client: Client
  constructor(client: Client, id: string) {
    this.#client = client
    this.id = id
  }

  /**
   * Hands on what the program writes, from its beginning, until it has ended, and returns
   * its exit status: 125, it could not be confined or started; 126, its launch was denied;
   * 127, there is no such command; 128+N, signal N ended it. It is for sessions that the
   * API has started.
   */
  async wait(to: Output = {}, options?: CallOptions): Promise<number> {
    let missing = 0n
    for await (const { stream, data, end, lost } of this.#client.sessions.streamOutput({ id: this.id }, options)) {
      missing += lost + (end?.dropped ?? 0n)
      if (end) {
        if (missing > 0n) throw new Failure('data_loss', `${missing} bytes of output are missing`)
        return end.exit
      }
      if (stream === 'OUTPUT_STREAM_STDOUT') to.stdout?.(data)
      else if (stream === 'OUTPUT_STREAM_STDERR') to.stderr?.(data)
    }
    throw new Failure('unavailable', 'the output ends before the program does')
  }

  /** Tells the session to end, and returns when it has. */
  async stop(options?: CallOptions): Promise<void> {
    await this.#client.sessions.stopSession({ id: this.id }, options)
  }
}

/** A question that waits for an answer. Its texts come from the program: show them as text. */
export class Waiting {
  readonly question: Question
  readonly #client: Client
  constructor(client: Client, question: Question) {
    this.#client = client
    this.question = question
  }

  async allow(answer: AnswerOptions = {}, options?: CallOptions): Promise<void> {
    await this.#client.questions.answerQuestion({ ...answer, id: this.question.id, verdict: 'VERDICT_ALLOW' }, options)
  }

  async deny(answer: AnswerOptions = {}, options?: CallOptions): Promise<void> {
    await this.#client.questions.answerQuestion({ ...answer, id: this.question.id, verdict: 'VERDICT_DENY' }, options)
  }
}
