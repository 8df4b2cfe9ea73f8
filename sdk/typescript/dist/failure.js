// What goes wrong, as callers see it.
import { fromBinary } from './binary.js';
import { Malformed, bytes } from './codec.js';
import { Denial } from './v1.js';
const codes = [
    'canceled',
    'unknown',
    'invalid_argument',
    'deadline_exceeded',
    'not_found',
    'already_exists',
    'permission_denied',
    'resource_exhausted',
    'failed_precondition',
    'aborted',
    'out_of_range',
    'unimplemented',
    'internal',
    'unavailable',
    'data_loss',
    'unauthenticated',
];
/** A host refused a request, or could not be asked. */
export class Failure extends Error {
    name = 'Failure';
    code;
    /** Of permission_denied: each decision by which a launch was denied, with its reasons. */
    denials;
    constructor(code, text, denials = [], cause) {
        super(text, cause === undefined ? {} : { cause });
        this.code = code;
        this.denials = denials;
    }
}
/** Makes a failure of what stands in an answer. */
export function failureOf(sent, status = 0) {
    const { code, message, details } = (typeof sent === 'object' && sent !== null ? sent : {});
    const known = codes.find((c) => c === code) ?? codeOf(status);
    const text = typeof message === 'string' && message !== '' ? message : status > 0 ? `the host answered with status ${status}` : known;
    return new Failure(known, text, Array.isArray(details) ? details.flatMap(denialOf) : []);
}
function denialOf(detail) {
    if (typeof detail !== 'object' || detail === null)
        return [];
    const { type, value } = detail;
    const data = type === Denial.name && typeof value === 'string' ? bytes(value) : undefined;
    try {
        return data === undefined ? [] : [fromBinary(Denial, data)];
    }
    catch (e) {
        if (e instanceof Malformed)
            return []; // the code stands without it
        throw e;
    }
}
/** What a status says that no host of ours has sent. */
function codeOf(status) {
    switch (status) {
        case 400:
            return 'internal';
        case 401:
            return 'unauthenticated';
        case 403:
            return 'permission_denied';
        case 404:
            return 'unimplemented';
        case 429:
        case 502:
        case 503:
        case 504:
            return 'unavailable';
        default:
            return 'unknown';
    }
}
