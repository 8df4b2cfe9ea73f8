import { type CallOptions, type Service } from './call.js';
import { type Init, type Message } from './codec.js';
export type DifferenceKind = 'DIFFERENCE_KIND_UNSPECIFIED' | 'DIFFERENCE_KIND_TEXT' | 'DIFFERENCE_KIND_BINARY' | 'DIFFERENCE_KIND_LONG';
export type SessionState = 'SESSION_STATE_UNSPECIFIED' | 'SESSION_STATE_STARTING' | 'SESSION_STATE_RUNNING' | 'SESSION_STATE_ENDED' | 'SESSION_STATE_LOST';
/** Who is asked at the first touch of what was not granted. */
export type Ask = 'ASK_UNSPECIFIED' | 'ASK_NOBODY' | 'ASK_QUEUE';
/** Where output comes from. */
export type OutputStream = 'OUTPUT_STREAM_UNSPECIFIED' | 'OUTPUT_STREAM_STDOUT' | 'OUTPUT_STREAM_STDERR';
export type FileKind = 'FILE_KIND_UNSPECIFIED' | 'FILE_KIND_FILE' | 'FILE_KIND_FOLDER' | 'FILE_KIND_LINK' | 'FILE_KIND_PIPE' | 'FILE_KIND_SOCKET' | 'FILE_KIND_DEVICE';
/** How a question is answered. */
export type Verdict = 'VERDICT_UNSPECIFIED' | 'VERDICT_DENY' | 'VERDICT_ALLOW';
/** How long an answer or a grant holds. */
export type Span = 'SPAN_UNSPECIFIED' | 'SPAN_ONCE' | 'SPAN_SESSION' | 'SPAN_ALWAYS' | 'SPAN_UNTIL';
/** Who signed a pack, beside who signed what is installed. */
export type SignerState = 'SIGNER_STATE_UNSPECIFIED' | 'SIGNER_STATE_UNSIGNED' | 'SIGNER_STATE_FIRST' | 'SIGNER_STATE_SAME' | 'SIGNER_STATE_TAKES_OVER' | 'SIGNER_STATE_HANDED_ON';
/** What was answered to a capability before. */
export type WantState = 'WANT_STATE_UNSPECIFIED' | 'WANT_STATE_ASKED' | 'WANT_STATE_ALLOWED' | 'WANT_STATE_DENIED';
export type Choosing = 'CHOOSING_UNSPECIFIED' | 'CHOOSING_LATER' | 'CHOOSING_ALLOW' | 'CHOOSING_DENY';
export interface Record {
    seq: bigint;
    time?: Date;
    id: string;
    kind: string;
    session: string;
    pack: string;
    /** JSON, as it stands in the log. */
    body: string;
    /** The hash of what stands before it, hexadecimal. */
    prev: string;
    /** The id of the trace that it belongs to (W3C Trace Context); empty: none. */
    trace: string;
    /** The organisation that it is for; empty: the machine itself. */
    organisation: string;
}
export declare const Record: Message<Record>;
/** Empty fields let everything through. */
export interface RecordFilter {
    session: string;
    kind: string;
    pack: string;
    since?: Date;
    until?: Date;
    /** The beginning of the capability that the record is about. */
    capability: string;
    /** Of decisions and grants: allow, ask or deny. */
    outcome: string;
    /** The id of a trace, 32 hexadecimal digits. */
    trace: string;
}
export declare const RecordFilter: Message<RecordFilter>;
export interface ListRecordsRequest {
    pageSize: number;
    pageToken: string;
    filter?: RecordFilter;
}
export declare const ListRecordsRequest: Message<ListRecordsRequest>;
export interface ListRecordsResponse {
    records: Record[];
    nextPageToken: string;
}
export declare const ListRecordsResponse: Message<ListRecordsResponse>;
export interface GetRecordRequest {
    /** The id or the number of one record. */
    ref: string;
}
export declare const GetRecordRequest: Message<GetRecordRequest>;
export interface GetRecordResponse {
    record?: Record;
}
export declare const GetRecordResponse: Message<GetRecordResponse>;
export interface StreamRecordsRequest {
    filter?: RecordFilter;
    /** From this number on; 0: what is written from now on. */
    from: bigint;
}
export declare const StreamRecordsRequest: Message<StreamRecordsRequest>;
export interface StreamRecordsResponse {
    record?: Record;
}
export declare const StreamRecordsResponse: Message<StreamRecordsResponse>;
export interface VerifyLogRequest {
}
export declare const VerifyLogRequest: Message<VerifyLogRequest>;
export interface VerifyLogResponse {
    intact: boolean;
    records: bigint;
    /** Where it is not what was written, and how. */
    fault: string;
    /** The signed head, to keep elsewhere. */
    head: string;
    /**
     * How many records behind these are not there that were written, but not known to be
     * on the disk, before the machine last stopped: lost with it, or cut off.
     */
    lost: bigint;
}
export declare const VerifyLogResponse: Message<VerifyLogResponse>;
/** A directory of the host that a session saw as a volume. */
export interface ChangedVolume {
    volume: string;
    /** On the host, and in the session. */
    source: string;
    target: string;
    /** Another one after each change of what is kept apart. */
    stamp: string;
}
export declare const ChangedVolume: Message<ChangedVolume>;
/** What became of one path. A directory that was removed stands for all in it. */
export interface Change {
    volume: string;
    /** Beneath the volume's source. */
    path: string;
    /** added, changed, replaced or removed. */
    what: string;
    /** file, program, directory, link or special file. */
    type: string;
    size: bigint;
    /** Of a link. */
    target: string;
    /** It may run as the person without their starting it, by a list of names. */
    runs: boolean;
}
export declare const Change: Message<Change>;
export interface ListChangesRequest {
    session: string;
    pageSize: number;
    pageToken: string;
}
export declare const ListChangesRequest: Message<ListChangesRequest>;
export interface ListChangesResponse {
    volumes: ChangedVolume[];
    changes: Change[];
    nextPageToken: string;
}
export declare const ListChangesResponse: Message<ListChangesResponse>;
export interface GetDifferenceRequest {
    session: string;
    volume: string;
    path: string;
}
export declare const GetDifferenceRequest: Message<GetDifferenceRequest>;
export interface GetDifferenceResponse {
    change?: Change;
    kind: DifferenceKind;
    /**
     * Of text: lines that begin with a space, - or +, in parts that begin with @@, as
     * diff -u prints them. What stands in it was written by the program.
     */
    text: string;
    /** It is longer than is told. */
    more: boolean;
}
export declare const GetDifferenceResponse: Message<GetDifferenceResponse>;
export interface ApplyChangesRequest {
    session: string;
    volume: string;
    /** That of the volume when it was looked at. */
    stamp: string;
    /** Each stands for itself; directories that lead there are made with it. */
    paths: string[];
    /** Instead of paths: all of the volume. */
    all: boolean;
}
export declare const ApplyChangesRequest: Message<ApplyChangesRequest>;
export interface ApplyChangesResponse {
    applied: Change[];
}
export declare const ApplyChangesResponse: Message<ApplyChangesResponse>;
export interface DropChangesRequest {
    session: string;
    volume: string;
    /** Instead of a volume: all of them. */
    all: boolean;
}
export declare const DropChangesRequest: Message<DropChangesRequest>;
export interface DropChangesResponse {
}
export declare const DropChangesResponse: Message<DropChangesResponse>;
/** A detail of errors with the code permission_denied: what was denied, and why. */
export interface Denial {
    /** The record of the decision in the audit log, which `ambit why ID` explains. */
    id: string;
    capability: string;
    reasons: Reason[];
}
export declare const Denial: Message<Denial>;
/** One reason of a decision. */
export interface Reason {
    /** The rule that applied, one of a closed set. */
    rule: string;
    text: string;
    /** What would change the answer, where anything would. */
    fix: string;
    /** The grant that decided, where one did. */
    grant: string;
}
export declare const Reason: Message<Reason>;
/** That a program gets a terminal, and which. */
export interface Terminal {
    /** Its size, at most 1000 each. */
    rows: number;
    columns: number;
    /** What it understands, as in TERM. Empty: xterm-256color. */
    term: string;
}
export declare const Terminal: Message<Terminal>;
export interface WriteInputRequest {
    /** Of a session or of a program that was started in one. */
    id: string;
    /**
     * Chosen at random by who types, at most 64 characters: what each writer has typed
     * is counted by itself.
     */
    writer: string;
    /** How much this writer has typed before: `next` of an earlier answer. */
    offset: bigint;
    /** At most 32 KiB. */
    data: Uint8Array;
    /**
     * Nobody pressed these keys: a program asked its terminal something, and this is the
     * answer. It is `next` of the message of StreamOutput in which it asked. Of several
     * writers that answer one alone is typed: who did it last, as long as that one does so
     * within 0.3 s. What the others say is taken, and not typed. 0: somebody types.
     */
    asked: bigint;
}
export declare const WriteInputRequest: Message<WriteInputRequest>;
export interface WriteInputResponse {
    /**
     * Up to where this writer's input has been taken. What lies behind it was not, since
     * the program does not read: it is to be sent again from there, later.
     */
    next: bigint;
}
export declare const WriteInputResponse: Message<WriteInputResponse>;
export interface ResizeTerminalRequest {
    id: string;
    rows: number;
    columns: number;
}
export declare const ResizeTerminalRequest: Message<ResizeTerminalRequest>;
export interface ResizeTerminalResponse {
}
export declare const ResizeTerminalResponse: Message<ResizeTerminalResponse>;
export interface Session {
    id: string;
    pack: string;
    program: string;
    tier: string;
    /** The process that looks after it. */
    pid: number;
    started?: Date;
    ended?: Date;
    state: SessionState;
    /** How it ended, in words. */
    status: string;
    /**
     * Of a session that has ended: the exit status of `ambit run`. 125: it could not
     * be confined or started; 126: denied; 127: no such command; 128+N: signal N.
     */
    exit?: number;
    /** It was made by this API, which keeps its output. */
    kept: boolean;
    /** What Ambit itself said, where the launch failed. */
    error: string;
    /** It was given a terminal, which can be typed into: TerminalService. */
    terminal: boolean;
    /** Of a session that was made by this API: the id of the trace that it belongs to. */
    trace: string;
    /** The organisation that it is for; empty: the machine itself. */
    organisation: string;
    /** It runs, and nothing in it goes on until it is resumed: PauseService. */
    paused: boolean;
}
export declare const Session: Message<Session>;
export interface ListSessionsRequest {
    pageSize: number;
    pageToken: string;
    /** Also those that have ended. */
    ended: boolean;
}
export declare const ListSessionsRequest: Message<ListSessionsRequest>;
export interface ListSessionsResponse {
    sessions: Session[];
    nextPageToken: string;
}
export declare const ListSessionsResponse: Message<ListSessionsResponse>;
export interface GetSessionRequest {
    id: string;
}
export declare const GetSessionRequest: Message<GetSessionRequest>;
export interface GetSessionResponse {
    session?: Session;
}
export declare const GetSessionResponse: Message<GetSessionResponse>;
/** Each field is a flag of `ambit run`. */
export interface CreateSessionRequest {
    /**
     * Chosen by the caller, at most 128 characters: the same request with the same
     * key starts one session, however often it is sent. Empty: each starts one.
     */
    idempotencyKey: string;
    /** The command. With a pack, arguments behind its entry. */
    argv: string[];
    /** A folder's absolute path, or the id of an installed pack. */
    pack: string;
    allow: string[];
    deny: string[];
    /** SOURCE:TARGET:ro|rw|append|cow, with absolute paths. */
    volumes: string[];
    /** Variables inside, by name. Nothing of the host's environment goes in. */
    env: {
        [key: string]: string;
    };
    /** Bounds, as in memory: 512M. */
    limits: {
        [key: string]: string;
    };
    home: string;
    tier: string;
    ask: Ask;
    /**
     * How long a question waits.
     * In milliseconds.
     */
    askTimeout?: number;
    /** The working directory, absolute. Empty: the user's home. */
    dir: string;
    /** What the program reads on its standard input, at most 1 MiB. */
    stdin: Uint8Array;
    /**
     * How first touches are heard of: trap, which needs /dev/fuse, or notification,
     * which is slower. Empty: trap.
     */
    askBy: string;
    /**
     * Instead of stdin: the program gets a terminal of its own. All that it writes is
     * its standard output then.
     */
    terminal?: Terminal;
    /** The digest of a CheckSessionResponse: it is started as was said there, or not at all. */
    checked: string;
}
export declare const CreateSessionRequest: Message<CreateSessionRequest>;
export interface CreateSessionResponse {
    session?: Session;
}
export declare const CreateSessionResponse: Message<CreateSessionResponse>;
export interface CheckSessionRequest {
    session?: CreateSessionRequest;
}
export declare const CheckSessionRequest: Message<CheckSessionRequest>;
export interface CheckSessionResponse {
    /** Nothing that is denied stops it. */
    starts: boolean;
    /** The file that is started, and with which arguments. */
    program: string;
    argv: string[];
    /** Where it is started; empty: it is not. */
    dir: string;
    pack: string;
    version: string;
    packDigest: string;
    tier: string;
    /** The home that it has: none, ephemeral, private or host. */
    home: string;
    /** First touches of what was not granted are asked about. */
    asks: boolean;
    /** The gravest first. */
    capabilities: CheckedCapability[];
    volumes: CheckedVolume[];
    limits: {
        [key: string]: string;
    };
    /** Of all this and of what would be enforced: CreateSessionRequest.checked. */
    digest: string;
    /** The variables that the request sets, as NAME=VALUE. */
    env: string[];
}
export declare const CheckSessionResponse: Message<CheckSessionResponse>;
/** A capability that the request names, the pack wants, or that was granted before. */
export interface CheckedCapability {
    capability: string;
    meaning: string;
    /** allow, ask (at its first touch) or deny. */
    outcome: string;
    /** It is wide, or reaches secrets. */
    broad: boolean;
    /** It is denied, and nothing is started for that. */
    stops: boolean;
    /** What the pack wants it for, in its author's words. */
    reason: string;
    /** Why it is not allowed. */
    why: string;
}
export declare const CheckedCapability: Message<CheckedCapability>;
/** A path of the host and where the program sees it. */
export interface CheckedVolume {
    source: string;
    target: string;
    /** ro, rw, append or cow. */
    mode: string;
    /** The zone of the pack that it is; empty: the request names it. */
    zone: string;
    /** How much there can be in it; 0: it has no bound of its own. */
    bytes: bigint;
    files: bigint;
}
export declare const CheckedVolume: Message<CheckedVolume>;
export interface StopSessionRequest {
    id: string;
    /** Without giving it time: its end is then not in the log. */
    now: boolean;
}
export declare const StopSessionRequest: Message<StopSessionRequest>;
export interface StopSessionResponse {
}
export declare const StopSessionResponse: Message<StopSessionResponse>;
export interface StreamOutputRequest {
    id: string;
    /** Of the first chunk that is wanted: `next` of an earlier one. */
    offset: bigint;
}
export declare const StreamOutputRequest: Message<StreamOutputRequest>;
export interface StreamOutputResponse {
    stream: OutputStream;
    data: Uint8Array;
    /** The offset to go on from. */
    next: bigint;
    /** In the last message alone: how the session ended. */
    end?: SessionEnd;
    /**
     * What was to come before this is not kept any more, since more was written than is:
     * so far apart are the offset that was wanted and that of this, which count what was
     * written and five bytes for each piece.
     */
    lost: bigint;
    /**
     * In a message of its own, once: all that was written before this call was made, or a
     * moment later, has been sent. There is none where it has ended.
     */
    caughtUp: boolean;
}
export declare const StreamOutputResponse: Message<StreamOutputResponse>;
export interface SessionEnd {
    exit: number;
    /**
     * Where the newest output cannot be kept in the place of the oldest (`lost`): so many
     * bytes are missing behind what was sent.
     */
    dropped: bigint;
}
export declare const SessionEnd: Message<SessionEnd>;
export interface Exec {
    /** That of its record in the log, too. */
    id: string;
    session: string;
    argv: string[];
    started?: Date;
    ended?: Date;
    state: SessionState;
    /** Of one that has ended: the exit status of `ambit exec`, as a session's. */
    exit?: number;
    terminal: boolean;
}
export declare const Exec: Message<Exec>;
export interface CreateExecRequest {
    /** As of CreateSession. */
    idempotencyKey: string;
    session: string;
    argv: string[];
    /** Beside the session's own. */
    env: {
        [key: string]: string;
    };
    /** A folder of the session, absolute. Empty: where its program was started. */
    dir: string;
    /** At most 1 MiB. */
    stdin: Uint8Array;
    /** Instead of stdin. */
    terminal?: Terminal;
}
export declare const CreateExecRequest: Message<CreateExecRequest>;
export interface CreateExecResponse {
    exec?: Exec;
}
export declare const CreateExecResponse: Message<CreateExecResponse>;
export interface ListExecsRequest {
    session: string;
    pageSize: number;
    pageToken: string;
    /** Also those that have ended. */
    ended: boolean;
}
export declare const ListExecsRequest: Message<ListExecsRequest>;
export interface ListExecsResponse {
    execs: Exec[];
    nextPageToken: string;
}
export declare const ListExecsResponse: Message<ListExecsResponse>;
export interface GetExecRequest {
    id: string;
}
export declare const GetExecRequest: Message<GetExecRequest>;
export interface GetExecResponse {
    exec?: Exec;
}
export declare const GetExecResponse: Message<GetExecResponse>;
export interface StopExecRequest {
    id: string;
}
export declare const StopExecRequest: Message<StopExecRequest>;
export interface StopExecResponse {
}
export declare const StopExecResponse: Message<StopExecResponse>;
/** A name in a session. Names are chosen by programs: they are to be shown as text. */
export interface File {
    /** What is not UTF-8 in it is replaced. */
    name: string;
    /** The name, where it is not UTF-8. */
    rawName: Uint8Array;
    kind: FileKind;
    size: bigint;
    /** The twelve bits of permissions. */
    mode: number;
    modified?: Date;
    /** Of a link: where it leads inside, in words. */
    target: string;
}
export declare const File: Message<File>;
export interface ListFilesRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
    pageSize: number;
    pageToken: string;
}
export declare const ListFilesRequest: Message<ListFilesRequest>;
export interface ListFilesResponse {
    files: File[];
    nextPageToken: string;
}
export declare const ListFilesResponse: Message<ListFilesResponse>;
export interface GetFileRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
}
export declare const GetFileRequest: Message<GetFileRequest>;
export interface GetFileResponse {
    file?: File;
}
export declare const GetFileResponse: Message<GetFileResponse>;
export interface StreamFileRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
    /** The first byte that is wanted. */
    offset: bigint;
    /** How many at most; 0: to the end. */
    length: bigint;
}
export declare const StreamFileRequest: Message<StreamFileRequest>;
export interface StreamFileResponse {
    data: Uint8Array;
    /** In the last message alone. */
    end?: FileEnd;
}
export declare const StreamFileResponse: Message<StreamFileResponse>;
export interface FileEnd {
    /** Of the whole file, when it was opened. */
    size: bigint;
    /** It was changed while it was read: what was sent may be of both. */
    changed: boolean;
}
export declare const FileEnd: Message<FileEnd>;
export interface WriteFileRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
    /** That of the answer to the first part; empty in the first. */
    upload: string;
    /** How much was sent before. */
    offset: bigint;
    /** At most 1 MiB, and 64 MiB in all. */
    data: Uint8Array;
    /** This is the last part. */
    last: boolean;
}
export declare const WriteFileRequest: Message<WriteFileRequest>;
export interface WriteFileResponse {
    upload: string;
    /** How much was sent until now. */
    size: bigint;
}
export declare const WriteFileResponse: Message<WriteFileResponse>;
export interface RemoveFileRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
    /** It is a folder. */
    folder: boolean;
    /**
     * It is a folder, and goes with what is in it. Where something in it may not be removed,
     * nothing is: then it is failed_precondition or permission_denied, and says what.
     */
    all: boolean;
}
export declare const RemoveFileRequest: Message<RemoveFileRequest>;
export interface RemoveFileResponse {
    /** How many names were removed. */
    names: bigint;
}
export declare const RemoveFileResponse: Message<RemoveFileResponse>;
export interface MakeFolderRequest {
    session: string;
    path: string;
    rawPath: Uint8Array;
}
export declare const MakeFolderRequest: Message<MakeFolderRequest>;
export interface MakeFolderResponse {
}
export declare const MakeFolderResponse: Message<MakeFolderResponse>;
/**
 * A question that a session has put. Texts in it come from the program that
 * waits: show them as text, and never as markup or to a terminal unescaped.
 */
export interface Question {
    id: string;
    session: string;
    /** The pack that asks; empty for a command that is run without one. */
    pack: string;
    program: string;
    pid: number;
    argv: string[];
    capability: string;
    /** What the capability lets the program do, in words. */
    meaning: string;
    /** Why the pack's manifest says that it wants it. */
    reason: string;
    /** What is secret about it, where something is. */
    sensitive: string;
    offers: Offer[];
    asked?: Date;
    expires?: Date;
    /** The organisation that it is for; empty: the machine itself. */
    organisation: string;
}
export declare const Question: Message<Question>;
/** What may be granted in answer to a question. The first one is the narrowest. */
export interface Offer {
    capability: string;
    /** One of file, run, dir, declared. */
    scope: string;
    words: string;
    /** It is wide, or reaches secrets: allowing it wants `broad`. */
    broad: boolean;
}
export declare const Offer: Message<Offer>;
export interface ListQuestionsRequest {
    /** At most so many; 0 is 100, and more than 1000 is 1000. */
    pageSize: number;
    /** next_page_token of an earlier response to the same request. */
    pageToken: string;
}
export declare const ListQuestionsRequest: Message<ListQuestionsRequest>;
export interface ListQuestionsResponse {
    questions: Question[];
    /** Empty on the last page. */
    nextPageToken: string;
}
export declare const ListQuestionsResponse: Message<ListQuestionsResponse>;
export interface WatchQuestionsRequest {
}
export declare const WatchQuestionsRequest: Message<WatchQuestionsRequest>;
export interface WatchQuestionsResponse {
    put?: Question;
    /** The id of a question that was answered, withdrawn, or whose time is over. */
    over?: string;
    /** All questions that waited at the beginning have been sent. */
    caughtUp?: boolean;
}
export declare const WatchQuestionsResponse: Message<WatchQuestionsResponse>;
export interface AnswerQuestionRequest {
    /** The whole id. */
    id: string;
    verdict: Verdict;
    /**
     * The scope of one of the offers, or its capability. Empty: the narrowest, or,
     * to deny, exactly what was asked.
     */
    scope: string;
    span: Span;
    /**
     * With SPAN_UNTIL: how long from now.
     * In milliseconds.
     */
    lifetime?: number;
    /** Allow also what is wide, or reaches secrets. */
    broad: boolean;
}
export declare const AnswerQuestionRequest: Message<AnswerQuestionRequest>;
export interface AnswerQuestionResponse {
    capability: string;
    verdict: Verdict;
    span: Span;
    until?: Date;
    /** The session has taken the answer. If not yet, it may be stopped. */
    taken: boolean;
}
export declare const AnswerQuestionResponse: Message<AnswerQuestionResponse>;
export interface Grant {
    id: string;
    /** Empty: every command that is run without a pack. */
    pack: string;
    digest: string;
    capability: string;
    meaning: string;
    verdict: Verdict;
    span: Span;
    until?: Date;
    /** The session that a grant for a session is for. */
    session: string;
    origin: string;
    reason: string;
    created?: Date;
    revoked?: Date;
    /** The organisation that it is for; empty: the machine itself. */
    organisation: string;
}
export declare const Grant: Message<Grant>;
export interface ListGrantsRequest {
    pageSize: number;
    pageToken: string;
    /** Only those of this pack. */
    pack: string;
    /** Also those that were revoked or are over. */
    ended: boolean;
}
export declare const ListGrantsRequest: Message<ListGrantsRequest>;
export interface ListGrantsResponse {
    grants: Grant[];
    nextPageToken: string;
}
export declare const ListGrantsResponse: Message<ListGrantsResponse>;
export interface AddGrantsRequest {
    /** As on the command line, with absolute paths or ~. */
    capabilities: string[];
    /**
     * A folder's absolute path, or the id of an installed pack. Empty: every command
     * that is run without one.
     */
    pack: string;
    /** VERDICT_ALLOW or VERDICT_DENY. */
    verdict: Verdict;
    /**
     * How long from now; none: until it is revoked.
     * In milliseconds.
     */
    lifetime?: number;
    reason: string;
    /** Allow also what is wide. */
    broad: boolean;
}
export declare const AddGrantsRequest: Message<AddGrantsRequest>;
export interface AddGrantsResponse {
    /** What was added: not what held already. */
    grants: Grant[];
}
export declare const AddGrantsResponse: Message<AddGrantsResponse>;
export interface RevokeGrantsRequest {
    ids: string[];
    /** End the sessions that lose something by it. */
    endSessions: boolean;
}
export declare const RevokeGrantsRequest: Message<RevokeGrantsRequest>;
export interface RevokeGrantsResponse {
    grants: Grant[];
    losses: Loss[];
}
export declare const RevokeGrantsResponse: Message<RevokeGrantsResponse>;
/** What a running session no longer has. */
export interface Loss {
    session: string;
    capability: string;
    /** Descriptors that it still has open of it, and other hold that was found. */
    open: number;
    /** The session was told to end. */
    ended: boolean;
}
export declare const Loss: Message<Loss>;
export interface GetVersionRequest {
}
export declare const GetVersionRequest: Message<GetVersionRequest>;
export interface GetVersionResponse {
    version: string;
    /** Who the caller is to Ambit. */
    principal: string;
    /** The role that decides which routes the caller may use. */
    role: string;
    started?: Date;
}
export declare const GetVersionResponse: Message<GetVersionResponse>;
export interface CheckHealthRequest {
}
export declare const CheckHealthRequest: Message<CheckHealthRequest>;
export interface CheckHealthResponse {
    ready: boolean;
    checks: Check[];
}
export declare const CheckHealthResponse: Message<CheckHealthResponse>;
export interface Check {
    name: string;
    holds: boolean;
    detail: string;
}
export declare const Check: Message<Check>;
export interface DiagnoseRequest {
}
export declare const DiagnoseRequest: Message<DiagnoseRequest>;
export interface DiagnoseResponse {
    /** Everything that the process tier needs holds. */
    holds: boolean;
    findings: Finding[];
}
export declare const DiagnoseResponse: Message<DiagnoseResponse>;
export interface Finding {
    layer: string;
    /** One of holds, weaker, fails, absent. */
    state: string;
    needed: boolean;
    detail: string;
    fix: string;
}
export declare const Finding: Message<Finding>;
export interface Pack {
    id: string;
    folder: string;
    version: string;
    digest: string;
    signer: string;
    source: string;
    /** It was installed, and is not run where it lies. */
    installed: boolean;
}
export declare const Pack: Message<Pack>;
export interface ListPacksRequest {
    pageSize: number;
    pageToken: string;
}
export declare const ListPacksRequest: Message<ListPacksRequest>;
export interface ListPacksResponse {
    packs: Pack[];
    nextPageToken: string;
}
export declare const ListPacksResponse: Message<ListPacksResponse>;
export interface GetPackRequest {
    id: string;
}
export declare const GetPackRequest: Message<GetPackRequest>;
export interface GetPackResponse {
    pack?: Pack;
    name: string;
    kind: string;
    description: string;
    entry: string[];
    wants: Want[];
    /** What keeps it from running here. */
    problems: string[];
}
export declare const GetPackResponse: Message<GetPackResponse>;
/** One capability that a pack declares. */
export interface Want {
    capability: string;
    meaning: string;
    reason: string;
    optional: boolean;
    broad: boolean;
    granted: boolean;
    /** Why it is granted, or not. */
    why: string;
    problem: string;
    /**
     * Sessions that had it and in which its use could be seen, and those of them that
     * used it, as `ambit pack show` counts them.
     */
    sessions: number;
    used: number;
}
export declare const Want: Message<Want>;
export interface UploadPackRequest {
    /** Empty: a new one. After that the answer's. */
    upload: string;
    /** How much was sent before. */
    offset: bigint;
    data: Uint8Array;
}
export declare const UploadPackRequest: Message<UploadPackRequest>;
export interface UploadPackResponse {
    upload: string;
    /** How much is there. */
    size: bigint;
}
export declare const UploadPackResponse: Message<UploadPackResponse>;
export interface PreparePackRequest {
    /**
     * An absolute path on the host (a folder, an archive, an OCI layout), or
     * oci://REGISTRY/NAME:TAG.
     */
    source?: string;
    /** The id of an upload, which is used up. */
    upload?: string;
    /** Only what this key signed, which may take over from another key. */
    signer: string;
    /** Also a version that is older than the one installed last. */
    allowOlder: boolean;
}
export declare const PreparePackRequest: Message<PreparePackRequest>;
/**
 * The detail of a refusal (FAILED_PRECONDITION): nothing says that a version is as new
 * as the one installed last. The same request with allow_older takes it.
 */
export interface OlderVersion {
    id: string;
    /** That the pack has. */
    version: string;
    /** That was installed last. */
    taken: string;
}
export declare const OlderVersion: Message<OlderVersion>;
export interface PreparePackResponse {
    prepared?: Prepared;
}
export declare const PreparePackResponse: Message<PreparePackResponse>;
/**
 * A pack that lies ready, and what it asks for. Its texts come from whoever made the
 * pack: show them as text.
 */
export interface Prepared {
    /** Good for one InstallPack. */
    id: string;
    expires?: Date;
    /** As it would be installed. */
    pack?: Pack;
    name: string;
    kind: string;
    description: string;
    entry: string[];
    signerState: SignerState;
    /** What is installed now, if anything is. */
    before?: Pack;
    /** All that it declares, the gravest first. */
    wants: PreparedWant[];
    /** What was granted, it does not ask for any more, and is taken back. */
    dropped: Dropped[];
    /** Its version was installed before, with other content. */
    sameVersion: boolean;
}
export declare const Prepared: Message<Prepared>;
export interface PreparedWant {
    /** To be named in a choice, as it stands here. */
    capability: string;
    meaning: string;
    /** What its author says it is for. */
    reason: string;
    optional: boolean;
    /** The name of its group: those that stand together are of one risk. */
    risk: string;
    /** To allow it takes the pack's id, typed. */
    broad: boolean;
    state: WantState;
}
export declare const PreparedWant: Message<PreparedWant>;
export interface Dropped {
    capability: string;
    meaning: string;
}
export declare const Dropped: Message<Dropped>;
/** What is to become of one capability that is asked for. */
export interface Choice {
    capability: string;
    choosing: Choosing;
}
export declare const Choice: Message<Choice>;
export interface InstallPackRequest {
    id: string;
    /** Of the pack that was shown. */
    digest: string;
    choices: Choice[];
    /** The pack's id, where something broad is allowed. */
    typedId: string;
}
export declare const InstallPackRequest: Message<InstallPackRequest>;
export interface InstallPackResponse {
    installed?: Installed;
}
export declare const InstallPackResponse: Message<InstallPackResponse>;
export interface Installed {
    pack?: Pack;
    granted: string[];
    denied: string[];
    /** What it asks for and was not answered. */
    left: string[];
    revoked: string[];
}
export declare const Installed: Message<Installed>;
export interface UpdatePackRequest {
    id: string;
    signer: string;
    /** Also a version that is older than the one installed last. */
    allowOlder: boolean;
}
export declare const UpdatePackRequest: Message<UpdatePackRequest>;
export interface UpdatePackResponse {
    installed?: Installed;
    /** It asks for more: InstallPack goes on. */
    prepared?: Prepared;
    /** The source has what is installed. */
    unchanged?: Pack;
}
export declare const UpdatePackResponse: Message<UpdatePackResponse>;
export interface RemovePackRequest {
    id: string;
}
export declare const RemovePackRequest: Message<RemovePackRequest>;
export interface RemovePackResponse {
    pack?: Pack;
    /** How many grants were taken back. */
    revoked: number;
}
export declare const RemovePackResponse: Message<RemovePackResponse>;
export interface PauseSessionRequest {
    id: string;
}
export declare const PauseSessionRequest: Message<PauseSessionRequest>;
export interface PauseSessionResponse {
    /** By which it stands still, in words. */
    way: string;
}
export declare const PauseSessionResponse: Message<PauseSessionResponse>;
export interface ResumeSessionRequest {
    id: string;
}
export declare const ResumeSessionRequest: Message<ResumeSessionRequest>;
export interface ResumeSessionResponse {
}
export declare const ResumeSessionResponse: Message<ResumeSessionResponse>;
/** What a key had from one commit to the next. */
export interface StoredVersion {
    number: bigint;
    /** "sha256:…"; empty where there was nothing. */
    digest: string;
    size: bigint;
    time?: Date;
    /** Empty: a person committed it. */
    session: string;
    /** From here on there was nothing under the key. */
    removed: boolean;
}
export declare const StoredVersion: Message<StoredVersion>;
/** A key with what is current. */
export interface StoredValue {
    /** Empty: of runs without a pack. */
    pack: string;
    key: string;
    current?: StoredVersion;
    /** How many versions are kept, and the bytes of all. */
    versions: number;
    bytes: bigint;
    /** The pack was removed then, and what it stored is kept for nobody. */
    left?: Date;
}
export declare const StoredValue: Message<StoredValue>;
export interface ListValuesRequest {
    pageSize: number;
    pageToken: string;
}
export declare const ListValuesRequest: Message<ListValuesRequest>;
export interface ListValuesResponse {
    values: StoredValue[];
    nextPageToken: string;
}
export declare const ListValuesResponse: Message<ListValuesResponse>;
export interface GetValueRequest {
    pack: string;
    key: string;
}
export declare const GetValueRequest: Message<GetValueRequest>;
export interface GetValueResponse {
    versions: StoredVersion[];
}
export declare const GetValueResponse: Message<GetValueResponse>;
export interface GetContentRequest {
    pack: string;
    key: string;
    /** 0: what is current. */
    version: bigint;
    offset: bigint;
}
export declare const GetContentRequest: Message<GetContentRequest>;
export interface GetContentResponse {
    /** The version that it is of, to ask for the rest of it. */
    version: bigint;
    size: bigint;
    /** At most 1 MiB. */
    data: Uint8Array;
}
export declare const GetContentResponse: Message<GetContentResponse>;
export interface RemoveValueRequest {
    pack: string;
    key: string;
}
export declare const RemoveValueRequest: Message<RemoveValueRequest>;
export interface RemoveValueResponse {
}
export declare const RemoveValueResponse: Message<RemoveValueResponse>;
export interface RestoreValueRequest {
    pack: string;
    key: string;
    version: bigint;
}
export declare const RestoreValueRequest: Message<RestoreValueRequest>;
export interface RestoreValueResponse {
    /** The new version, or what was current where it had that content already. */
    version?: StoredVersion;
}
export declare const RestoreValueResponse: Message<RestoreValueResponse>;
export interface ForgetValueRequest {
    pack: string;
    key: string;
}
export declare const ForgetValueRequest: Message<ForgetValueRequest>;
export interface ForgetValueResponse {
}
export declare const ForgetValueResponse: Message<ForgetValueResponse>;
export interface AdoptValuesRequest {
    pack: string;
}
export declare const AdoptValuesRequest: Message<AdoptValuesRequest>;
export interface AdoptValuesResponse {
}
export declare const AdoptValuesResponse: Message<AdoptValuesResponse>;
/** The record of what was asked, answered and done. */
export declare class AuditService {
    #private;
    constructor(service: Service);
    /** Records, the newest first. */
    listRecords(request?: Init<ListRecordsRequest>, options?: CallOptions): Promise<ListRecordsResponse>;
    /** The rows of all pages of listRecords, each page when it is come to. */
    allRecords(request?: Init<ListRecordsRequest>, options?: CallOptions): AsyncGenerator<Record>;
    getRecord(request?: Init<GetRecordRequest>, options?: CallOptions): Promise<GetRecordResponse>;
    /** Records as they are written, from now on or from a number on. */
    streamRecords(request?: Init<StreamRecordsRequest>, options?: CallOptions): AsyncGenerator<StreamRecordsResponse>;
    /** Checks the whole log, as `ambit audit verify` does. */
    verifyLog(request?: Init<VerifyLogRequest>, options?: CallOptions): Promise<VerifyLogResponse>;
}
/**
 * What sessions changed in volumes that copy on write, which is kept apart until
 * somebody applies it or drops it. Of a session that still runs there is none yet.
 */
export declare class ChangeService {
    #private;
    constructor(service: Service);
    /** What was changed, one volume after the other, in the order of the paths. */
    listChanges(request?: Init<ListChangesRequest>, options?: CallOptions): Promise<ListChangesResponse>;
    /** The rows of all pages of listChanges, each page when it is come to. */
    allChanges(request?: Init<ListChangesRequest>, options?: CallOptions): AsyncGenerator<ChangedVolume>;
    /** What became of one file. */
    getDifference(request?: Init<GetDifferenceRequest>, options?: CallOptions): Promise<GetDifferenceResponse>;
    /**
     * Puts changes of one volume into their place, all that are named or none: none
     * where the host's files, or what is kept apart, were changed since.
     */
    applyChanges(request?: Init<ApplyChangesRequest>, options?: CallOptions): Promise<ApplyChangesResponse>;
    /** Forgets the changes of a volume, or of all. */
    dropChanges(request?: Init<DropChangesRequest>, options?: CallOptions): Promise<DropChangesResponse>;
}
/**
 * The terminals of programs that this API has started with one. What is written to
 * them is SessionService.StreamOutput's.
 */
export declare class TerminalService {
    #private;
    constructor(service: Service);
    /** Types something. A call that is sent again types nothing twice. */
    writeInput(request?: Init<WriteInputRequest>, options?: CallOptions): Promise<WriteInputResponse>;
    resizeTerminal(request?: Init<ResizeTerminalRequest>, options?: CallOptions): Promise<ResizeTerminalResponse>;
}
/** Programs in their sandboxes. */
export declare class SessionService {
    #private;
    constructor(service: Service);
    /** The sessions that run, the latest first. */
    listSessions(request?: Init<ListSessionsRequest>, options?: CallOptions): Promise<ListSessionsResponse>;
    /** The rows of all pages of listSessions, each page when it is come to. */
    allSessions(request?: Init<ListSessionsRequest>, options?: CallOptions): AsyncGenerator<Session>;
    getSession(request?: Init<GetSessionRequest>, options?: CallOptions): Promise<GetSessionResponse>;
    /**
     * Starts a program by `ambit run`, and returns when it is recorded as begun or
     * refused. A launch that is denied is permission_denied with a Denial each.
     */
    createSession(request?: Init<CreateSessionRequest>, options?: CallOptions): Promise<CreateSessionResponse>;
    /**
     * What a program would be started with, as CreateSession would decide it now. Nothing
     * is started and nothing is recorded.
     */
    checkSession(request?: Init<CheckSessionRequest>, options?: CallOptions): Promise<CheckSessionResponse>;
    /** Tells a session to end, and waits for that. */
    stopSession(request?: Init<StopSessionRequest>, options?: CallOptions): Promise<StopSessionResponse>;
    /**
     * What the program of a session that this API has made writes, from an offset
     * on, until it has ended.
     */
    streamOutput(request?: Init<StreamOutputRequest>, options?: CallOptions): AsyncGenerator<StreamOutputResponse>;
}
/**
 * Further programs in sessions that run, as `ambit exec` starts them. What they write
 * SessionService.StreamOutput has by their id, and TerminalService types into them.
 */
export declare class ExecService {
    #private;
    constructor(service: Service);
    /**
     * Starts a program in a session, and returns when that is recorded or refused: by
     * the same decision as for the session's own programs.
     */
    createExec(request?: Init<CreateExecRequest>, options?: CallOptions): Promise<CreateExecResponse>;
    /** Those of a session that run, the latest first: the ones that this API has started. */
    listExecs(request?: Init<ListExecsRequest>, options?: CallOptions): Promise<ListExecsResponse>;
    /** The rows of all pages of listExecs, each page when it is come to. */
    allExecs(request?: Init<ListExecsRequest>, options?: CallOptions): AsyncGenerator<Exec>;
    getExec(request?: Init<GetExecRequest>, options?: CallOptions): Promise<GetExecResponse>;
    /**
     * Tells a program to end, and all that it started with it. Who wants to know when
     * it has, reads its output to the end.
     */
    stopExec(request?: Init<StopExecRequest>, options?: CallOptions): Promise<StopExecResponse>;
}
/**
 * Files of a session that runs, by the rights that its programs have. A path is
 * absolute and walked inside. It is given as text, or where it is not UTF-8 as raw
 * bytes, and never as both.
 */
export declare class FileService {
    #private;
    constructor(service: Service);
    /** What is in a folder, in the order of the names' bytes. Links are not followed. */
    listFiles(request?: Init<ListFilesRequest>, options?: CallOptions): Promise<ListFilesResponse>;
    /** The rows of all pages of listFiles, each page when it is come to. */
    allFiles(request?: Init<ListFilesRequest>, options?: CallOptions): AsyncGenerator<File>;
    /** What a path is. A link at its end is not followed. */
    getFile(request?: Init<GetFileRequest>, options?: CallOptions): Promise<GetFileResponse>;
    /** A file as it is, or a part of it: as much as it has when it is opened. */
    streamFile(request?: Init<StreamFileRequest>, options?: CallOptions): AsyncGenerator<StreamFileResponse>;
    /** Sends a file in parts. It is put in its place with the last one, whole. */
    writeFile(request?: Init<WriteFileRequest>, options?: CallOptions): Promise<WriteFileResponse>;
    /** Removes a file, or a folder: one in which nothing is, or with what is in it. */
    removeFile(request?: Init<RemoveFileRequest>, options?: CallOptions): Promise<RemoveFileResponse>;
    /** Makes a folder in one that is there. */
    makeFolder(request?: Init<MakeFolderRequest>, options?: CallOptions): Promise<MakeFolderResponse>;
}
/** What running programs have asked for, and the answers of people. */
export declare class QuestionService {
    #private;
    constructor(service: Service);
    /** The questions that wait, oldest first. */
    listQuestions(request?: Init<ListQuestionsRequest>, options?: CallOptions): Promise<ListQuestionsResponse>;
    /** The rows of all pages of listQuestions, each page when it is come to. */
    allQuestions(request?: Init<ListQuestionsRequest>, options?: CallOptions): AsyncGenerator<Question>;
    /** The questions that wait, and then each change, until the caller leaves. */
    watchQuestions(request?: Init<WatchQuestionsRequest>, options?: CallOptions): AsyncGenerator<WatchQuestionsResponse>;
    /** Answers a question. Of two answers the first one stands. */
    answerQuestion(request?: Init<AnswerQuestionRequest>, options?: CallOptions): Promise<AnswerQuestionResponse>;
}
/** What was granted and denied until further notice. */
export declare class GrantService {
    #private;
    constructor(service: Service);
    /** The grants of the caller, oldest first. */
    listGrants(request?: Init<ListGrantsRequest>, options?: CallOptions): Promise<ListGrantsResponse>;
    /** The rows of all pages of listGrants, each page when it is come to. */
    allGrants(request?: Init<ListGrantsRequest>, options?: CallOptions): AsyncGenerator<Grant>;
    /** Grants or denies, as `ambit grants add` does: all that is named, or nothing. */
    addGrants(request?: Init<AddGrantsRequest>, options?: CallOptions): Promise<AddGrantsResponse>;
    /**
     * Takes grants back, as `ambit grants revoke` does: all that are named, or none.
     * Sessions that run lose them within a second.
     */
    revokeGrants(request?: Init<RevokeGrantsRequest>, options?: CallOptions): Promise<RevokeGrantsResponse>;
}
/** The machine, and what serves this API on it. */
export declare class HostService {
    #private;
    constructor(service: Service);
    getVersion(request?: Init<GetVersionRequest>, options?: CallOptions): Promise<GetVersionResponse>;
    /** Whether the store answers and the log can be read. */
    checkHealth(request?: Init<CheckHealthRequest>, options?: CallOptions): Promise<CheckHealthResponse>;
    /** What holds on this machine, as `ambit doctor` finds it. It takes seconds. */
    diagnose(request?: Init<DiagnoseRequest>, options?: CallOptions): Promise<DiagnoseResponse>;
}
/** Installed packs. */
export declare class PackService {
    #private;
    constructor(service: Service);
    listPacks(request?: Init<ListPacksRequest>, options?: CallOptions): Promise<ListPacksResponse>;
    /** The rows of all pages of listPacks, each page when it is come to. */
    allPacks(request?: Init<ListPacksRequest>, options?: CallOptions): AsyncGenerator<Pack>;
    /** What a pack is and asks for, as `ambit pack check` says it. */
    getPack(request?: Init<GetPackRequest>, options?: CallOptions): Promise<GetPackResponse>;
    /**
     * Takes an archive in parts, in their order, each of at most 1 MiB and all together
     * of at most 64 MiB. PreparePack reads it; what nobody goes on with is forgotten.
     */
    uploadPack(request?: Init<UploadPackRequest>, options?: CallOptions): Promise<UploadPackResponse>;
    /**
     * Unpacks and checks a pack, and says what it asks for. Nothing is installed and
     * nothing granted: InstallPack does that with the id of the answer, once, within
     * a quarter of an hour, for the same caller.
     */
    preparePack(request?: Init<PreparePackRequest>, options?: CallOptions): Promise<PreparePackResponse>;
    /** Installs what was prepared, exactly that, and grants what is chosen. */
    installPack(request?: Init<InstallPackRequest>, options?: CallOptions): Promise<InstallPackResponse>;
    /**
     * Prepares what the source of an installed pack has now. What asks for no more than
     * was allowed is installed at once.
     */
    updatePack(request?: Init<UpdatePackRequest>, options?: CallOptions): Promise<UpdatePackResponse>;
    /** Removes a pack, and takes back what was granted to it, as `ambit pack rm` does. */
    removePack(request?: Init<RemovePackRequest>, options?: CallOptions): Promise<RemovePackResponse>;
}
/** Sessions that stand still for a time. */
export declare class PauseService {
    #private;
    constructor(service: Service);
    /**
     * Has nothing in a session that runs go on, and returns when that is so. What waits
     * for an answer waits on; a bound on time goes on.
     */
    pauseSession(request?: Init<PauseSessionRequest>, options?: CallOptions): Promise<PauseSessionResponse>;
    /** Lets it go on. */
    resumeSession(request?: Init<ResumeSessionRequest>, options?: CallOptions): Promise<ResumeSessionResponse>;
}
/**
 * What outlives sessions: values under keys, of each pack, and of runs without one,
 * each in the versions that programs committed. The caller's own, and nobody else's.
 */
export declare class StorageService {
    #private;
    constructor(service: Service);
    /** All keys, in the order of packs and keys, with what is current. */
    listValues(request?: Init<ListValuesRequest>, options?: CallOptions): Promise<ListValuesResponse>;
    /** The rows of all pages of listValues, each page when it is come to. */
    allValues(request?: Init<ListValuesRequest>, options?: CallOptions): AsyncGenerator<StoredValue>;
    /** The versions of one key, oldest first. */
    getValue(request?: Init<GetValueRequest>, options?: CallOptions): Promise<GetValueResponse>;
    /** A part of the content of a version. */
    getContent(request?: Init<GetContentRequest>, options?: CallOptions): Promise<GetContentResponse>;
    /** Commits that there is nothing under a key. Its versions stay. */
    removeValue(request?: Init<RemoveValueRequest>, options?: CallOptions): Promise<RemoveValueResponse>;
    /** Commits what a version had once more, as a version of its own. */
    restoreValue(request?: Init<RestoreValueRequest>, options?: CallOptions): Promise<RestoreValueResponse>;
    /** Removes a key with all its versions: nothing brings them back. */
    forgetValue(request?: Init<ForgetValueRequest>, options?: CallOptions): Promise<ForgetValueResponse>;
    /** Gives a pack what the one that had its id before, and was removed, had stored. */
    adoptValues(request?: Init<AdoptValuesRequest>, options?: CallOptions): Promise<AdoptValuesResponse>;
}
/** Every service of a host. */
export declare class Services {
    readonly audit: AuditService;
    readonly changes: ChangeService;
    readonly terminals: TerminalService;
    readonly sessions: SessionService;
    readonly execs: ExecService;
    readonly files: FileService;
    readonly questions: QuestionService;
    readonly grants: GrantService;
    readonly host: HostService;
    readonly packs: PackService;
    readonly pause: PauseService;
    readonly storage: StorageService;
    constructor(service: Service);
}
