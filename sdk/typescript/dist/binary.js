// Reads messages in protobuf's binary form: the details of errors come so, also in JSON.
import { Malformed, fromJSON } from './codec.js';
/** Reads a message that has texts, whole numbers, enums and messages; the rest is left alone. */
export function fromBinary(type, data) {
    return fromJSON(type, values(type, data));
}
function values(type, data) {
    const at = { data, offset: 0 };
    const made = {};
    while (at.offset < data.length) {
        const tag = Number(varint(at));
        const value = raw(at, tag & 7);
        const row = type.fields().find(([number]) => number === tag >> 3);
        if (!row)
            continue;
        const [, name, of, rule] = row;
        const read = rule === 'map' ? undefined : one(of, value);
        if (read === undefined)
            continue;
        if (rule === 'many')
            made[name] = [...(made[name] ?? []), read];
        else
            made[name] = read;
    }
    return made;
}
function one(of, value) {
    if (typeof value !== 'bigint') {
        if (of === 'string')
            return new TextDecoder().decode(value);
        return typeof of === 'object' && 'fields' in of ? values(of, value) : undefined;
    }
    if (typeof of === 'object')
        return 'names' in of ? of.names.get(Number(BigInt.asIntN(32, value))) : undefined;
    if (of === 'bool')
        return value !== 0n;
    if (of === 'int')
        return Number(BigInt.asIntN(32, value));
    return of === 'long' ? String(value) : undefined;
}
function varint(at) {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
        const byte = at.data[at.offset++];
        if (byte === undefined)
            break;
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    throw new Malformed('a message ends in a number');
}
function raw(at, wire) {
    if (wire === 0)
        return varint(at);
    const length = wire === 2 ? Number(varint(at)) : wire === 1 ? 8 : wire === 5 ? 4 : -1;
    const value = at.data.subarray(at.offset, at.offset + length);
    if (length < 0 || value.length !== length)
        throw new Malformed('a message ends in a field');
    at.offset += length;
    return value;
}
