/** What a message may be made of: each field may be left out, and is zero then. */
export type Init<T> = T extends string | number | boolean | bigint | Date | Uint8Array ? T : T extends (infer U)[] ? readonly Init<U>[] : {
    readonly [K in keyof T]?: Init<T[K]> | undefined;
};
type Scalar = 'string' | 'bool' | 'int' | 'long' | 'float' | 'bytes' | 'time' | 'duration';
type Rule = 'optional' | 'many' | 'map';
type Of = Scalar | Enumeration | Message<unknown>;
type Row = readonly [number: number, name: string, of: Of, rule?: Rule];
/** The names of an enum. */
export interface Enumeration {
    readonly zero: string;
    readonly names: ReadonlyMap<number, string>;
}
/** What a message is made of. */
export interface Message<T> {
    readonly name: string;
    readonly fields: () => readonly Row[];
    /** Nothing of this is there; it has the type of the values. */
    readonly value?: T;
}
export declare function enumeration<T extends string>(values: readonly (readonly [number, T])[]): Enumeration;
export declare function message<T>(name: string, fields: () => readonly Row[]): Message<T>;
/** What was sent is not what the contract says. */
export declare class Malformed extends Error {
    readonly name = "Malformed";
}
interface Values {
    [name: string]: unknown;
}
/** Makes JSON of a message, without what is not given. */
export declare function toJSON<T>(type: Message<T>, from: Init<T>): Values;
/** Reads a message. Fields that this version does not know are left alone. */
export declare function fromJSON<T>(type: Message<T>, from: unknown): T;
/** Reads base64, with or without what fills it up; undefined is none. */
export declare function bytes(text: string): Uint8Array | undefined;
export {};
