// Messages as values of TypeScript, and as the JSON that protobuf makes of them. The
// tables by which that is done stand in v1.ts.
export function enumeration(values) {
    return { zero: values[0]?.[1] ?? '', names: new Map(values) };
}
export function message(name, fields) {
    return { name, fields };
}
/** What was sent is not what the contract says. */
export class Malformed extends Error {
    name = 'Malformed';
}
/** Makes JSON of a message, without what is not given. */
export function toJSON(type, from) {
    const given = from;
    const made = {};
    for (const [, name, of, rule] of type.fields()) {
        const value = given[name];
        if (value === undefined || value === null)
            continue;
        if (rule === 'many')
            made[name] = value.map((v) => put(of, v));
        else if (rule === 'map')
            made[name] = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, put(of, v)]));
        else
            made[name] = put(of, value);
    }
    return made;
}
function put(of, value) {
    if (typeof of === 'object')
        return 'names' in of ? value : toJSON(of, value);
    switch (of) {
        case 'long':
            return String(value);
        case 'bytes':
            return base64(value);
        case 'time':
            return value.toISOString();
        case 'duration':
            return seconds(value);
        default:
            return value;
    }
}
/** Reads a message. Fields that this version does not know are left alone. */
export function fromJSON(type, from) {
    if (typeof from !== 'object' || from === null || Array.isArray(from))
        throw new Malformed(`${type.name} is no object`);
    const sent = from;
    const made = {};
    for (const [, name, of, rule] of type.fields()) {
        const value = Object.hasOwn(sent, name) ? sent[name] : undefined;
        const where = `${type.name}.${name}`;
        if (value === undefined || value === null) {
            if (rule !== 'optional')
                made[name] = rule === 'many' ? [] : rule === 'map' ? {} : zero(of);
        }
        else if (rule === 'many') {
            if (!Array.isArray(value))
                throw new Malformed(`${where} is no list`);
            made[name] = value.map((v) => take(of, v, where));
        }
        else if (rule === 'map') {
            if (typeof value !== 'object' || Array.isArray(value))
                throw new Malformed(`${where} is no object`);
            made[name] = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, take(of, v, where)]));
        }
        else {
            made[name] = take(of, value, where);
        }
    }
    return made;
}
function zero(of) {
    if (typeof of === 'object')
        return 'names' in of ? of.zero : undefined;
    switch (of) {
        case 'string':
            return '';
        case 'bool':
            return false;
        case 'long':
            return 0n;
        case 'bytes':
            return new Uint8Array();
        default:
            return 0;
    }
}
function take(of, value, where) {
    if (typeof of === 'object') {
        if (!('names' in of))
            return fromJSON(of, value);
        // A value that this version does not know reads as none.
        return typeof value === 'string' && [...of.names.values()].includes(value) ? value : of.zero;
    }
    const made = scalar(of, value);
    if (made === undefined)
        throw new Malformed(`${where} is no ${of}`);
    return made;
}
function scalar(of, value) {
    switch (of) {
        case 'string':
            return typeof value === 'string' ? value : undefined;
        case 'bool':
            return typeof value === 'boolean' ? value : undefined;
        case 'int':
            return /^-?\d{1,10}$/.test(String(value)) ? Number(value) : undefined;
        case 'float':
            return typeof value === 'number' || typeof value === 'string' ? Number(value) : undefined;
        case 'long':
            return /^-?\d{1,20}$/.test(String(value)) ? BigInt(String(value)) : undefined;
        case 'bytes':
            return typeof value === 'string' ? bytes(value) : undefined;
        case 'time': {
            const time = new Date(String(value));
            return Number.isNaN(time.getTime()) ? undefined : time;
        }
        case 'duration': {
            const [, text] = /^(-?\d+(?:\.\d+)?)s$/.exec(String(value)) ?? [];
            return text === undefined ? undefined : Number(text) * 1000;
        }
    }
}
/** A duration of milliseconds, as protobuf writes it. */
function seconds(milliseconds) {
    if (!Number.isFinite(milliseconds))
        throw new RangeError(`${milliseconds} milliseconds are no duration`);
    return `${(Math.round(milliseconds) / 1000).toFixed(3)}s`;
}
function base64(data) {
    let text = '';
    for (let i = 0; i < data.length; i += 4096)
        text += String.fromCharCode(...data.subarray(i, i + 4096));
    return btoa(text);
}
/** Reads base64, with or without what fills it up; undefined is none. */
export function bytes(text) {
    try {
        return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    }
    catch {
        return undefined;
    }
}
