// How programs in Node reach a host: by the socket in its state folder, or by a port.
import { createHash, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectPlain } from 'node:net';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { connect as connectTLS } from 'node:tls';
import { Client } from './client.js';
import { Failure } from './failure.js';
export * from './index.js';
/**
 * Makes a client of the host that serves a state folder; left out, the one that `ambit`
 * itself uses ($AMBIT_STATE_DIR, $XDG_STATE_HOME/ambit, ~/.local/state/ambit). It fails
 * where no host answers.
 */
export async function dial(state = stateFolder()) {
    return answering(new Client(new Wire('ambit', {}, (signal) => socket(state, signal))));
}
/** Makes a client of a host that listens on a port. It fails where none answers, where it is another one, and where the token is not known. */
export async function dialPort(port) {
    const url = origin(port.url);
    const headers = { Authorization: `Bearer ${tokenOf(port)}` };
    const trust = trustOf(port);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return answering(new Client(new Wire(url.host, headers, (signal) => secure(host, Number(url.port || 443), trust, signal))));
}
/**
 * Makes a client of the host that the environment names: the port in AMBIT_HOST, with
 * AMBIT_TOKEN_FILE or AMBIT_TOKEN and AMBIT_FINGERPRINT or AMBIT_CA_FILE; without
 * AMBIT_HOST the socket, as dial does.
 */
export async function dialEnv() {
    const { AMBIT_HOST: url, AMBIT_TOKEN: token, AMBIT_TOKEN_FILE: tokenFile, AMBIT_FINGERPRINT: fingerprint, AMBIT_CA_FILE: caFile } = process.env;
    return url ? dialPort({ url, token, tokenFile, fingerprint, caFile }) : dial();
}
async function answering(client) {
    await client.host.getVersion();
    return client;
}
function stateFolder() {
    const { AMBIT_STATE_DIR: state, XDG_STATE_HOME: xdg } = process.env;
    if (state)
        return resolve(state);
    return xdg && isAbsolute(xdg) ? join(xdg, 'ambit') : join(homedir(), '.local/state/ambit');
}
function origin(text) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:' || url.username || url.password || url.pathname !== '/' || url.search || url.hash)
        throw new Failure('invalid_argument', `the address of a host is https://HOST:PORT, not ${JSON.stringify(text)}`);
    return url;
}
function tokenOf(port) {
    if (port.token && port.tokenFile)
        throw new Failure('invalid_argument', 'of a token and a file that has it, one is to be given');
    const token = (port.tokenFile ? readFileSync(port.tokenFile, 'utf8') : (port.token ?? '')).trim();
    if (token === '')
        throw new Failure('invalid_argument', "a host's port wants a token (`ambit token add` makes one)");
    if (!/^[!-~]+$/.test(token))
        throw new Failure('invalid_argument', 'what was given as a token is none'); // and is not shown
    return token;
}
function trustOf(port) {
    if (port.fingerprint && port.caFile)
        throw new Failure('invalid_argument', 'of a fingerprint and a file of authorities, one is to be given');
    if (port.caFile)
        return { ca: readFileSync(port.caFile, 'utf8') };
    if (!port.fingerprint)
        return {};
    const digits = port.fingerprint.trim().replace(/^SHA-256 /, '').replaceAll(':', '');
    if (!/^[0-9A-Fa-f]{64}$/.test(digits))
        throw new Failure('invalid_argument', 'the fingerprint is not a SHA-256 in hexadecimal digits');
    return { fingerprint: Buffer.from(digits, 'hex') };
}
const connectTime = 10_000; // milliseconds for a connection and its handshake
const alive = 15_000; // after which a silent host is asked whether it is there
/** Connects to the socket, also where its path is longer than the name of a socket may be. */
async function socket(state, signal) {
    const folder = openSync(state, 'r');
    try {
        return await connected(connectPlain({ path: `/proc/self/fd/${folder}/host.sock` }), 'connect', signal);
    }
    finally {
        closeSync(folder);
    }
}
/**
 * Connects to a port.
 *
 * Security: with a fingerprint neither names nor authorities are looked at, and the one
 * certificate is compared before anything is sent.
 */
async function secure(host, port, trust, signal) {
    const options = { host, port, minVersion: 'TLSv1.3', rejectUnauthorized: !trust.fingerprint };
    if (trust.ca !== undefined)
        options.ca = trust.ca;
    if (!/^[\d.]+$|:/.test(host))
        options.servername = host;
    const made = await connected(connectTLS(options), 'secureConnect', signal);
    if (trust.fingerprint) {
        const shown = createHash('sha256').update(made.getPeerCertificate().raw ?? '').digest();
        if (!timingSafeEqual(shown, trust.fingerprint)) {
            made.destroy();
            throw new Error(`it shows a certificate with the fingerprint ${shown.toString('hex')}, and not the one that is meant`);
        }
    }
    made.setKeepAlive(true, alive);
    return made;
}
function connected(made, event, signal) {
    return new Promise((done, failed) => {
        const fail = (e) => {
            settle();
            made.destroy();
            failed(e instanceof Error ? e : new Error(String(e)));
        };
        const late = setTimeout(() => fail(new Error('no connection came about in time')), connectTime);
        const abort = () => fail(signal.reason);
        const settle = () => {
            clearTimeout(late);
            signal.removeEventListener('abort', abort);
        };
        made.on('error', fail); // which changes nothing once it is connected
        made.once(event, () => {
            settle();
            done(made);
        });
        if (signal.aborted)
            abort();
        else
            signal.addEventListener('abort', abort, { once: true });
    });
}
/** HTTP over connections of its own, one for each request: nothing is sent twice. */
class Wire {
    #host;
    #headers;
    #connect;
    constructor(host, headers, connect) {
        this.#host = host;
        this.#headers = headers;
        this.#connect = connect;
    }
    async send(procedure, headers, body, signal) {
        try {
            const socket = await this.#connect(signal);
            const answer = await exchanged(socket, { path: `/${procedure}`, headers: { ...headers, ...this.#headers, Host: this.#host } }, body, signal);
            return { status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', body: chunks(answer, socket) };
        }
        catch (e) {
            throw new Failure('unavailable', `the host cannot be reached: ${e instanceof Error ? e.message : String(e)}`, [], e);
        }
    }
}
function exchanged(socket, to, body, signal) {
    return new Promise((done, failed) => {
        const made = request({ method: 'POST', ...to, createConnection: () => socket, signal }, done);
        made.on('error', (e) => {
            socket.destroy();
            failed(e);
        });
        made.end(body);
    });
}
async function* chunks(answer, socket) {
    try {
        for await (const chunk of answer)
            yield chunk;
    }
    finally {
        socket.destroy();
    }
}
