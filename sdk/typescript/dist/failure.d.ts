import { Denial } from './v1.js';
declare const codes: readonly ['canceled', 'unknown', 'invalid_argument', 'deadline_exceeded', 'not_found', 'already_exists', 'permission_denied', 'resource_exhausted', 'failed_precondition', 'aborted', 'out_of_range', 'unimplemented', 'internal', 'unavailable', 'data_loss', 'unauthenticated'];
/** What went wrong; docs/api.md says when. */
export type Code = (typeof codes)[number];
/** A host refused a request, or could not be asked. */
export declare class Failure extends Error {
    readonly name = "Failure";
    readonly code: Code;
    /** Of permission_denied: each decision by which a launch was denied, with its reasons. */
    readonly denials: readonly Denial[];
    constructor(code: Code, text: string, denials?: readonly Denial[], cause?: unknown);
}
/** Makes a failure of what stands in an answer. */
export declare function failureOf(sent: unknown, status?: number): Failure;
export {};
