import { type Init, type Message } from './codec.js';
export interface CallOptions {
    /** Ends the call, which then fails with the code canceled. */
    readonly signal?: AbortSignal | undefined;
    /** How many milliseconds an answer may take: a minute where nothing is said. Streams have no such end. */
    readonly timeout?: number | undefined;
}
/** An answer whose body has not been read yet. */
export interface Answer {
    readonly status: number;
    readonly type: string;
    readonly body: AsyncIterable<Uint8Array>;
}
/** How requests get to a host. */
export interface Service {
    /** Sends a request, and fails with a Failure of the code unavailable where no answer comes. */
    send(procedure: string, headers: {
        readonly [name: string]: string;
    }, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Answer>;
}
/** Calls a procedure that answers once. */
export declare function call<I, O>(service: Service, procedure: string, input: Message<I>, output: Message<O>, request: Init<I>, options: CallOptions): Promise<O>;
/** Calls a procedure that answers with a stream, until that ends or nobody wants more of it. */
export declare function stream<I, O>(service: Service, procedure: string, input: Message<I>, output: Message<O>, request: Init<I>, options: CallOptions): AsyncGenerator<O, void, undefined>;
/** Reads a list page by page. */
export declare function pages<P extends {
    nextPageToken: string;
}, R>(read: (pageToken: string) => Promise<P>, rows: (page: P) => R[]): AsyncGenerator<R, void, undefined>;
