import { Failure } from './failure.js';
import { Services } from './v1.js';
function requestOf({ key, ask, stdin, ...same }) {
    return {
        ...same,
        idempotencyKey: key ?? '',
        ask: ask ? 'ASK_QUEUE' : 'ASK_UNSPECIFIED',
        stdin: typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin,
    };
}
/** A client of a host. */
export class Client extends Services {
    constructor(service) {
        super(service);
    }
    /**
     * Says what a program would be allowed if it were started now, and with which digest
     * (checked). Nothing is started and nothing recorded. What would be denied is no
     * failure: starts is false then.
     */
    check(command, options) {
        return this.sessions.checkSession({ session: requestOf(command) }, options);
    }
    /** Starts a program, and returns when its launch is recorded. Where it was denied, the Failure has the reasons. */
    async start(command, options) {
        const { session } = await this.sessions.createSession(requestOf(command), options);
        return this.session(session?.id ?? '');
    }
    /** The session with an id, which may have been started by anything. */
    session(id) {
        return new Session(this, id);
    }
    /** The questions that wait, and then each one as it is put, until nobody wants more. */
    async *waiting(options) {
        for await (const { put } of this.questions.watchQuestions({}, options)) {
            if (put)
                yield new Waiting(this, put);
        }
    }
    /** The grants and denials that stand, oldest first. */
    standing(options) {
        return this.grants.allGrants({}, options);
    }
    /** Grants capabilities to every command that is run without a pack, or to a pack, until they are revoked: all or none. */
    async grant(capabilities, pack = '', options) {
        return (await this.grants.addGrants({ pack, capabilities, verdict: 'VERDICT_ALLOW' }, options)).grants;
    }
    /** Takes grants back, all or none, and says what sessions that run have lost by it. */
    async revoke(ids, options) {
        return (await this.grants.revokeGrants({ ids }, options)).losses;
    }
}
/** A program in its sandbox. */
export class Session {
    id;
    #client;
    constructor(client, id) {
        this.#client = client;
        this.id = id;
    }
    /**
     * Hands on what the program writes, from its beginning, until it has ended, and returns
     * its exit status: 125, it could not be confined or started; 126, its launch was denied;
     * 127, there is no such command; 128+N, signal N ended it. It is for sessions that the
     * API has started.
     */
    async wait(to = {}, options) {
        let missing = 0n;
        for await (const { stream, data, end, lost } of this.#client.sessions.streamOutput({ id: this.id }, options)) {
            missing += lost + (end?.dropped ?? 0n);
            if (end) {
                if (missing > 0n)
                    throw new Failure('data_loss', `${missing} bytes of output are missing`);
                return end.exit;
            }
            if (stream === 'OUTPUT_STREAM_STDOUT')
                to.stdout?.(data);
            else if (stream === 'OUTPUT_STREAM_STDERR')
                to.stderr?.(data);
        }
        throw new Failure('unavailable', 'the output ends before the program does');
    }
    /** Tells the session to end, and returns when it has. */
    async stop(options) {
        await this.#client.sessions.stopSession({ id: this.id }, options);
    }
}
/** A question that waits for an answer. Its texts come from the program: show them as text. */
export class Waiting {
    question;
    #client;
    constructor(client, question) {
        this.#client = client;
        this.question = question;
    }
    async allow(answer = {}, options) {
        await this.#client.questions.answerQuestion({ ...answer, id: this.question.id, verdict: 'VERDICT_ALLOW' }, options);
    }
    async deny(answer = {}, options) {
        await this.#client.questions.answerQuestion({ ...answer, id: this.question.id, verdict: 'VERDICT_DENY' }, options);
    }
}
