import { Client } from './client.js';
import { Failure } from './failure.js';
export { Client, Session as RunningSession, Waiting } from './client.js';
export { Failure } from './failure.js';
export * from './v1.js';
/**
 * A client of the host that the page comes from, as whoever is logged in there. A token
 * is for tools beside a browser: pages of other origins are not served.
 */
export function dialOrigin(token) {
    return new Client(new Fetch(token === undefined ? {} : { Authorization: `Bearer ${token}` }));
}
class Fetch {
    #headers;
    constructor(headers) {
        this.#headers = headers;
    }
    async send(procedure, headers, body, signal) {
        let answer;
        try {
            answer = await fetch(`/${procedure}`, {
                method: 'POST',
                headers: { ...this.#headers, 'X-Ambit': '1', ...headers },
                body,
                signal,
                credentials: 'same-origin',
                redirect: 'error',
                cache: 'no-store',
            });
        }
        catch (e) {
            throw new Failure('unavailable', 'the host cannot be reached', [], e);
        }
        return { status: answer.status, type: answer.headers.get('Content-Type') ?? '', body: chunks(answer.body) };
    }
}
async function* chunks(body) {
    if (!body)
        return;
    const reader = body.getReader();
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done)
                return;
            yield value;
        }
    }
    finally {
        await reader.cancel().catch(() => { }); // it may have ended
    }
}
