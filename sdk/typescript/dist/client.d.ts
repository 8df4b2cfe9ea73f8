import type { CallOptions, Service } from './call.js';
import { type CheckSessionResponse, type Grant, type Loss, type Offer, type Question, Services, type Span } from './v1.js';
/** A program and what it may. What is left out gives it nothing. */
export interface Command {
    /** The program and its arguments; with a pack, arguments behind its entry. */
    readonly argv?: readonly string[];
    /** The folder of a pack, or the id of one that is installed. */
    readonly pack?: string;
    /** Capabilities, as in fs.read:/srv/data. */
    readonly allow?: readonly string[];
    /** Also inside what is allowed. */
    readonly deny?: readonly string[];
    /** SOURCE:TARGET:ro|rw|cow */
    readonly volumes?: readonly string[];
    readonly env?: {
        readonly [name: string]: string;
    };
    /** As in { memory: '512M' }. */
    readonly limits?: {
        readonly [name: string]: string;
    };
    /** Where it is started; left out: the user's home. */
    readonly dir?: string;
    readonly stdin?: string | Uint8Array;
    /** The first touch of what was not granted is asked about. */
    readonly ask?: boolean;
    /** trap, which needs /dev/fuse on the host, or notification, which is slower. */
    readonly askBy?: 'trap' | 'notification';
    /** How many milliseconds a question waits. */
    readonly askTimeout?: number;
    /** The same command with the same key is started once, however often it is sent. */
    readonly key?: string;
    /** The digest of what check said: it is started as was said, or not at all. */
    readonly checked?: string;
}
/** How much is meant by an answer, and for how long: exactly what was asked, until the program ends. */
export interface AnswerOptions {
    /** Of one of the question's offers. */
    readonly scope?: Offer['scope'];
    readonly span?: Span;
    /** With SPAN_UNTIL: how many milliseconds. */
    readonly lifetime?: number;
    /** Allow also what is wide, or reaches secrets. */
    readonly broad?: boolean;
}
/** Where what a program writes goes. */
export interface Output {
    readonly stdout?: (data: Uint8Array) => void;
    readonly stderr?: (data: Uint8Array) => void;
}
/** A client of a host. */
export declare class Client extends Services {
    constructor(service: Service);
    /**
     * Says what a program would be allowed if it were started now, and with which digest
     * (checked). Nothing is started and nothing recorded. What would be denied is no
     * failure: starts is false then.
     */
    check(command: Command, options?: CallOptions): Promise<CheckSessionResponse>;
    /** Starts a program, and returns when its launch is recorded. Where it was denied, the Failure has the reasons. */
    start(command: Command, options?: CallOptions): Promise<Session>;
    /** The session with an id, which may have been started by anything. */
    session(id: string): Session;
    /** The questions that wait, and then each one as it is put, until nobody wants more. */
    waiting(options?: CallOptions): AsyncGenerator<Waiting, void, undefined>;
    /** The grants and denials that stand, oldest first. */
    standing(options?: CallOptions): AsyncGenerator<Grant, void, undefined>;
    /** Grants capabilities to every command that is run without a pack, or to a pack, until they are revoked: all or none. */
    grant(capabilities: readonly string[], pack?: string, options?: CallOptions): Promise<Grant[]>;
    /** Takes grants back, all or none, and says what sessions that run have lost by it. */
    revoke(ids: readonly string[], options?: CallOptions): Promise<Loss[]>;
}
/** A program in its sandbox. */
export declare class Session {
    #private;
    readonly id: string;
    constructor(client: Client, id: string);
    /**
     * Hands on what the program writes, from its beginning, until it has ended, and returns
     * its exit status: 125, it could not be confined or started; 126, its launch was denied;
     * 127, there is no such command; 128+N, signal N ended it. It is for sessions that the
     * API has started.
     */
    wait(to?: Output, options?: CallOptions): Promise<number>;
    /** Tells the session to end, and returns when it has. */
    stop(options?: CallOptions): Promise<void>;
}
/** A question that waits for an answer. Its texts come from the program: show them as text. */
export declare class Waiting {
    #private;
    readonly question: Question;
    constructor(client: Client, question: Question);
    allow(answer?: AnswerOptions, options?: CallOptions): Promise<void>;
    deny(answer?: AnswerOptions, options?: CallOptions): Promise<void>;
}
