import { type Message } from './codec.js';
/** Reads a message that has texts, whole numbers, enums and messages; the rest is left alone. */
export declare function fromBinary<T>(type: Message<T>, data: Uint8Array): T;
