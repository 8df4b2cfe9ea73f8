import { Client } from './client.js';
export type { Answer, CallOptions, Service } from './call.js';
export { type AnswerOptions, Client, type Command, type Output, Session as RunningSession, Waiting } from './client.js';
export type { Init } from './codec.js';
export { type Code, Failure } from './failure.js';
export * from './v1.js';
/**
 * A client of the host that the page comes from, as whoever is logged in there. A token
 * is for tools beside a browser: pages of other origins are not served.
 */
export declare function dialOrigin(token?: string): Client;
