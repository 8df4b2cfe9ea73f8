import { Client } from './client.js';
export * from './index.js';
/** A host that listens (`ambit serve --listen`), and what it is known by. */
export interface Port {
    /** https://HOST:PORT */
    readonly url: string;
    /** The token (`ambit token add`), or a file that has it and nothing else. */
    readonly token?: string | undefined;
    readonly tokenFile?: string | undefined;
    /** The SHA-256 of the host's certificate, as the host says it when it starts: whoever shows it is the host. */
    readonly fingerprint?: string | undefined;
    /** The certificates that the host's own is to be signed by, as PEM. With neither: those that Node trusts. */
    readonly caFile?: string | undefined;
}
/**
 * Makes a client of the host that serves a state folder; left out, the one that `ambit`
 * itself uses ($AMBIT_STATE_DIR, $XDG_STATE_HOME/ambit, ~/.local/state/ambit). It fails
 * where no host answers.
 */
export declare function dial(state?: string): Promise<Client>;
/** Makes a client of a host that listens on a port. It fails where none answers, where it is another one, and where the token is not known. */
export declare function dialPort(port: Port): Promise<Client>;
/**
 * Makes a client of the host that the environment names: the port in AMBIT_HOST, with
 * AMBIT_TOKEN_FILE or AMBIT_TOKEN and AMBIT_FINGERPRINT or AMBIT_CA_FILE; without
 * AMBIT_HOST the socket, as dial does.
 */
export declare function dialEnv(): Promise<Client>;
