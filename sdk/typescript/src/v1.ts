// Made by api/gen of the files in api/ambit/v1: change those and run `make api`.

import { type CallOptions, type Service, call, pages, stream } from './call.js'
import { type Init, type Message, enumeration, message } from './codec.js'

export type DifferenceKind = 'DIFFERENCE_KIND_UNSPECIFIED' | 'DIFFERENCE_KIND_TEXT' | 'DIFFERENCE_KIND_BINARY' | 'DIFFERENCE_KIND_LONG'
const differenceKindNames = enumeration<DifferenceKind>([[0, 'DIFFERENCE_KIND_UNSPECIFIED'], [1, 'DIFFERENCE_KIND_TEXT'], [2, 'DIFFERENCE_KIND_BINARY'], [3, 'DIFFERENCE_KIND_LONG']])

export type SessionState = 'SESSION_STATE_UNSPECIFIED' | 'SESSION_STATE_STARTING' | 'SESSION_STATE_RUNNING' | 'SESSION_STATE_ENDED' | 'SESSION_STATE_LOST'
const sessionStateNames = enumeration<SessionState>([[0, 'SESSION_STATE_UNSPECIFIED'], [1, 'SESSION_STATE_STARTING'], [2, 'SESSION_STATE_RUNNING'], [3, 'SESSION_STATE_ENDED'], [4, 'SESSION_STATE_LOST']])

/** Who is asked at the first touch of what was not granted. */
export type Ask = 'ASK_UNSPECIFIED' | 'ASK_NOBODY' | 'ASK_QUEUE'
const askNames = enumeration<Ask>([[0, 'ASK_UNSPECIFIED'], [1, 'ASK_NOBODY'], [2, 'ASK_QUEUE']])

/** Where output comes from. */
export type OutputStream = 'OUTPUT_STREAM_UNSPECIFIED' | 'OUTPUT_STREAM_STDOUT' | 'OUTPUT_STREAM_STDERR'
const outputStreamNames = enumeration<OutputStream>([[0, 'OUTPUT_STREAM_UNSPECIFIED'], [1, 'OUTPUT_STREAM_STDOUT'], [2, 'OUTPUT_STREAM_STDERR']])

export type FileKind = 'FILE_KIND_UNSPECIFIED' | 'FILE_KIND_FILE' | 'FILE_KIND_FOLDER' | 'FILE_KIND_LINK' | 'FILE_KIND_PIPE' | 'FILE_KIND_SOCKET' | 'FILE_KIND_DEVICE'
const fileKindNames = enumeration<FileKind>([[0, 'FILE_KIND_UNSPECIFIED'], [1, 'FILE_KIND_FILE'], [2, 'FILE_KIND_FOLDER'], [3, 'FILE_KIND_LINK'], [4, 'FILE_KIND_PIPE'], [5, 'FILE_KIND_SOCKET'], [6, 'FILE_KIND_DEVICE']])

/** How a question is answered. */
export type Verdict = 'VERDICT_UNSPECIFIED' | 'VERDICT_DENY' | 'VERDICT_ALLOW'
const verdictNames = enumeration<Verdict>([[0, 'VERDICT_UNSPECIFIED'], [1, 'VERDICT_DENY'], [2, 'VERDICT_ALLOW']])

/** How long an answer or a grant holds. */
export type Span = 'SPAN_UNSPECIFIED' | 'SPAN_ONCE' | 'SPAN_SESSION' | 'SPAN_ALWAYS' | 'SPAN_UNTIL'
const spanNames = enumeration<Span>([[0, 'SPAN_UNSPECIFIED'], [1, 'SPAN_ONCE'], [2, 'SPAN_SESSION'], [3, 'SPAN_ALWAYS'], [4, 'SPAN_UNTIL']])

/** Who signed a pack, beside who signed what is installed. */
export type SignerState = 'SIGNER_STATE_UNSPECIFIED' | 'SIGNER_STATE_UNSIGNED' | 'SIGNER_STATE_FIRST' | 'SIGNER_STATE_SAME' | 'SIGNER_STATE_TAKES_OVER' | 'SIGNER_STATE_HANDED_ON'
const signerStateNames = enumeration<SignerState>([[0, 'SIGNER_STATE_UNSPECIFIED'], [1, 'SIGNER_STATE_UNSIGNED'], [2, 'SIGNER_STATE_FIRST'], [3, 'SIGNER_STATE_SAME'], [4, 'SIGNER_STATE_TAKES_OVER'], [5, 'SIGNER_STATE_HANDED_ON']])

/** What was answered to a capability before. */
export type WantState = 'WANT_STATE_UNSPECIFIED' | 'WANT_STATE_ASKED' | 'WANT_STATE_ALLOWED' | 'WANT_STATE_DENIED'
const wantStateNames = enumeration<WantState>([[0, 'WANT_STATE_UNSPECIFIED'], [1, 'WANT_STATE_ASKED'], [2, 'WANT_STATE_ALLOWED'], [3, 'WANT_STATE_DENIED']])

export type Choosing = 'CHOOSING_UNSPECIFIED' | 'CHOOSING_LATER' | 'CHOOSING_ALLOW' | 'CHOOSING_DENY'
const choosingNames = enumeration<Choosing>([[0, 'CHOOSING_UNSPECIFIED'], [1, 'CHOOSING_LATER'], [2, 'CHOOSING_ALLOW'], [3, 'CHOOSING_DENY']])

export interface Record {
  seq: bigint
  time?: Date
  id: string
  kind: string
  session: string
  pack: string
  /** JSON, as it stands in the log. */
  body: string
  /** The hash of what stands before it, hexadecimal. */
  prev: string
  /** The id of the trace that it belongs to (W3C Trace Context); empty: none. */
  trace: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation: string
}
export const Record: Message<Record> = message('ambit.v1.Record', () => [
  [1, 'seq', 'long'],
  [2, 'time', 'time', 'optional'],
  [3, 'id', 'string'],
  [4, 'kind', 'string'],
  [5, 'session', 'string'],
  [6, 'pack', 'string'],
  [7, 'body', 'string'],
  [8, 'prev', 'string'],
  [9, 'trace', 'string'],
  [10, 'organisation', 'string'],
])

/** Empty fields let everything through. */
export interface RecordFilter {
  session: string
  kind: string
  pack: string
  since?: Date
  until?: Date
  /** The beginning of the capability that the record is about. */
  capability: string
  /** Of decisions and grants: allow, ask or deny. */
  outcome: string
  /** The id of a trace, 32 hexadecimal digits. */
  trace: string
}
export const RecordFilter: Message<RecordFilter> = message('ambit.v1.RecordFilter', () => [
  [1, 'session', 'string'],
  [2, 'kind', 'string'],
  [3, 'pack', 'string'],
  [4, 'since', 'time', 'optional'],
  [5, 'until', 'time', 'optional'],
  [6, 'capability', 'string'],
  [7, 'outcome', 'string'],
  [8, 'trace', 'string'],
])

export interface ListRecordsRequest {
  pageSize: number
  pageToken: string
  filter?: RecordFilter
}
export const ListRecordsRequest: Message<ListRecordsRequest> = message('ambit.v1.ListRecordsRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
  [3, 'filter', RecordFilter, 'optional'],
])

export interface ListRecordsResponse {
  records: Record[]
  nextPageToken: string
}
export const ListRecordsResponse: Message<ListRecordsResponse> = message('ambit.v1.ListRecordsResponse', () => [
  [1, 'records', Record, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetRecordRequest {
  /** The id or the number of one record. */
  ref: string
}
export const GetRecordRequest: Message<GetRecordRequest> = message('ambit.v1.GetRecordRequest', () => [
  [1, 'ref', 'string'],
])

export interface GetRecordResponse {
  record?: Record
}
export const GetRecordResponse: Message<GetRecordResponse> = message('ambit.v1.GetRecordResponse', () => [
  [1, 'record', Record, 'optional'],
])

export interface StreamRecordsRequest {
  filter?: RecordFilter
  /** From this number on; 0: what is written from now on. */
  from: bigint
}
export const StreamRecordsRequest: Message<StreamRecordsRequest> = message('ambit.v1.StreamRecordsRequest', () => [
  [1, 'filter', RecordFilter, 'optional'],
  [2, 'from', 'long'],
])

export interface StreamRecordsResponse {
  record?: Record
}
export const StreamRecordsResponse: Message<StreamRecordsResponse> = message('ambit.v1.StreamRecordsResponse', () => [
  [1, 'record', Record, 'optional'],
])

export interface VerifyLogRequest {
}
export const VerifyLogRequest: Message<VerifyLogRequest> = message('ambit.v1.VerifyLogRequest', () => [])

export interface VerifyLogResponse {
  intact: boolean
  records: bigint
  /** Where it is not what was written, and how. */
  fault: string
  /** The signed head, to keep elsewhere. */
  head: string
  /**
   * How many records behind these are not there that were written, but not known to be
   * on the disk, before the machine last stopped: lost with it, or cut off.
   */
  lost: bigint
}
export const VerifyLogResponse: Message<VerifyLogResponse> = message('ambit.v1.VerifyLogResponse', () => [
  [1, 'intact', 'bool'],
  [2, 'records', 'long'],
  [3, 'fault', 'string'],
  [4, 'head', 'string'],
  [5, 'lost', 'long'],
])

/** A directory of the host that a session saw as a volume. */
export interface ChangedVolume {
  volume: string
  /** On the host, and in the session. */
  source: string
  target: string
  /** Another one after each change of what is kept apart. */
  stamp: string
}
export const ChangedVolume: Message<ChangedVolume> = message('ambit.v1.ChangedVolume', () => [
  [1, 'volume', 'string'],
  [2, 'source', 'string'],
  [3, 'target', 'string'],
  [4, 'stamp', 'string'],
])

/** What became of one path. A directory that was removed stands for all in it. */
export interface Change {
  volume: string
  /** Beneath the volume's source. */
  path: string
  /** added, changed, replaced or removed. */
  what: string
  /** file, program, directory, link or special file. */
  type: string
  size: bigint
  /** Of a link. */
  target: string
  /** It may run as the person without their starting it, by a list of names. */
  runs: boolean
}
export const Change: Message<Change> = message('ambit.v1.Change', () => [
  [1, 'volume', 'string'],
  [2, 'path', 'string'],
  [3, 'what', 'string'],
  [4, 'type', 'string'],
  [5, 'size', 'long'],
  [6, 'target', 'string'],
  [7, 'runs', 'bool'],
])

export interface ListChangesRequest {
  session: string
  pageSize: number
  pageToken: string
}
export const ListChangesRequest: Message<ListChangesRequest> = message('ambit.v1.ListChangesRequest', () => [
  [1, 'session', 'string'],
  [2, 'pageSize', 'int'],
  [3, 'pageToken', 'string'],
])

export interface ListChangesResponse {
  volumes: ChangedVolume[]
  changes: Change[]
  nextPageToken: string
}
export const ListChangesResponse: Message<ListChangesResponse> = message('ambit.v1.ListChangesResponse', () => [
  [1, 'volumes', ChangedVolume, 'many'],
  [2, 'changes', Change, 'many'],
  [3, 'nextPageToken', 'string'],
])

export interface GetDifferenceRequest {
  session: string
  volume: string
  path: string
}
export const GetDifferenceRequest: Message<GetDifferenceRequest> = message('ambit.v1.GetDifferenceRequest', () => [
  [1, 'session', 'string'],
  [2, 'volume', 'string'],
  [3, 'path', 'string'],
])

export interface GetDifferenceResponse {
  change?: Change
  kind: DifferenceKind
  /**
   * Of text: lines that begin with a space, - or +, in parts that begin with @@, as
   * diff -u prints them. What stands in it was written by the program.
   */
  text: string
  /** It is longer than is told. */
  more: boolean
}
export const GetDifferenceResponse: Message<GetDifferenceResponse> = message('ambit.v1.GetDifferenceResponse', () => [
  [1, 'change', Change, 'optional'],
  [2, 'kind', differenceKindNames],
  [3, 'text', 'string'],
  [4, 'more', 'bool'],
])

export interface ApplyChangesRequest {
  session: string
  volume: string
  /** That of the volume when it was looked at. */
  stamp: string
  /** Each stands for itself; directories that lead there are made with it. */
  paths: string[]
  /** Instead of paths: all of the volume. */
  all: boolean
}
export const ApplyChangesRequest: Message<ApplyChangesRequest> = message('ambit.v1.ApplyChangesRequest', () => [
  [1, 'session', 'string'],
  [2, 'volume', 'string'],
  [3, 'stamp', 'string'],
  [4, 'paths', 'string', 'many'],
  [5, 'all', 'bool'],
])

export interface ApplyChangesResponse {
  applied: Change[]
}
export const ApplyChangesResponse: Message<ApplyChangesResponse> = message('ambit.v1.ApplyChangesResponse', () => [
  [1, 'applied', Change, 'many'],
])

export interface DropChangesRequest {
  session: string
  volume: string
  /** Instead of a volume: all of them. */
  all: boolean
}
export const DropChangesRequest: Message<DropChangesRequest> = message('ambit.v1.DropChangesRequest', () => [
  [1, 'session', 'string'],
  [2, 'volume', 'string'],
  [3, 'all', 'bool'],
])

export interface DropChangesResponse {
}
export const DropChangesResponse: Message<DropChangesResponse> = message('ambit.v1.DropChangesResponse', () => [])

/** A detail of errors with the code permission_denied: what was denied, and why. */
export interface Denial {
  /** The record of the decision in the audit log, which `ambit why ID` explains. */
  id: string
  capability: string
  reasons: Reason[]
}
export const Denial: Message<Denial> = message('ambit.v1.Denial', () => [
  [1, 'id', 'string'],
  [2, 'capability', 'string'],
  [3, 'reasons', Reason, 'many'],
])

/** One reason of a decision. */
export interface Reason {
  /** The rule that applied, one of a closed set. */
  rule: string
  text: string
  /** What would change the answer, where anything would. */
  fix: string
  /** The grant that decided, where one did. */
  grant: string
}
export const Reason: Message<Reason> = message('ambit.v1.Reason', () => [
  [1, 'rule', 'string'],
  [2, 'text', 'string'],
  [3, 'fix', 'string'],
  [4, 'grant', 'string'],
])

/** That a program gets a terminal, and which. */
export interface Terminal {
  /** Its size, at most 1000 each. */
  rows: number
  columns: number
  /** What it understands, as in TERM. Empty: xterm-256color. */
  term: string
}
export const Terminal: Message<Terminal> = message('ambit.v1.Terminal', () => [
  [1, 'rows', 'int'],
  [2, 'columns', 'int'],
  [3, 'term', 'string'],
])

export interface WriteInputRequest {
  /** Of a session or of a program that was started in one. */
  id: string
  /**
   * Chosen at random by who types, at most 64 characters: what each writer has typed
   * is counted by itself.
   */
  writer: string
  /** How much this writer has typed before: `next` of an earlier answer. */
  offset: bigint
  /** At most 32 KiB. */
  data: Uint8Array
  /**
   * Nobody pressed these keys: a program asked its terminal something, and this is the
   * answer. It is `next` of the message of StreamOutput in which it asked. Of several
   * writers that answer one alone is typed: who did it last, as long as that one does so
   * within 0.3 s. What the others say is taken, and not typed. 0: somebody types.
   */
  asked: bigint
}
export const WriteInputRequest: Message<WriteInputRequest> = message('ambit.v1.WriteInputRequest', () => [
  [1, 'id', 'string'],
  [2, 'writer', 'string'],
  [3, 'offset', 'long'],
  [4, 'data', 'bytes'],
  [5, 'asked', 'long'],
])

export interface WriteInputResponse {
  /**
   * Up to where this writer's input has been taken. What lies behind it was not, since
   * the program does not read: it is to be sent again from there, later.
   */
  next: bigint
}
export const WriteInputResponse: Message<WriteInputResponse> = message('ambit.v1.WriteInputResponse', () => [
  [1, 'next', 'long'],
])

export interface ResizeTerminalRequest {
  id: string
  rows: number
  columns: number
}
export const ResizeTerminalRequest: Message<ResizeTerminalRequest> = message('ambit.v1.ResizeTerminalRequest', () => [
  [1, 'id', 'string'],
  [2, 'rows', 'int'],
  [3, 'columns', 'int'],
])

export interface ResizeTerminalResponse {
}
export const ResizeTerminalResponse: Message<ResizeTerminalResponse> = message('ambit.v1.ResizeTerminalResponse', () => [])

export interface Session {
  id: string
  pack: string
  program: string
  tier: string
  /** The process that looks after it. */
  pid: number
  started?: Date
  ended?: Date
  state: SessionState
  /** How it ended, in words. */
  status: string
  /**
   * Of a session that has ended: the exit status of `ambit run`. 125: it could not
   * be confined or started; 126: denied; 127: no such command; 128+N: signal N.
   */
  exit?: number
  /** It was made by this API, which keeps its output. */
  kept: boolean
  /** What Ambit itself said, where the launch failed. */
  error: string
  /** It was given a terminal, which can be typed into: TerminalService. */
  terminal: boolean
  /** Of a session that was made by this API: the id of the trace that it belongs to. */
  trace: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation: string
  /** It runs, and nothing in it goes on until it is resumed: PauseService. */
  paused: boolean
}
export const Session: Message<Session> = message('ambit.v1.Session', () => [
  [1, 'id', 'string'],
  [2, 'pack', 'string'],
  [3, 'program', 'string'],
  [4, 'tier', 'string'],
  [5, 'pid', 'int'],
  [6, 'started', 'time', 'optional'],
  [7, 'ended', 'time', 'optional'],
  [8, 'state', sessionStateNames],
  [9, 'status', 'string'],
  [10, 'exit', 'int', 'optional'],
  [11, 'kept', 'bool'],
  [12, 'error', 'string'],
  [13, 'terminal', 'bool'],
  [14, 'trace', 'string'],
  [15, 'organisation', 'string'],
  [16, 'paused', 'bool'],
])

export interface ListSessionsRequest {
  pageSize: number
  pageToken: string
  /** Also those that have ended. */
  ended: boolean
}
export const ListSessionsRequest: Message<ListSessionsRequest> = message('ambit.v1.ListSessionsRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
  [3, 'ended', 'bool'],
])

export interface ListSessionsResponse {
  sessions: Session[]
  nextPageToken: string
}
export const ListSessionsResponse: Message<ListSessionsResponse> = message('ambit.v1.ListSessionsResponse', () => [
  [1, 'sessions', Session, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetSessionRequest {
  id: string
}
export const GetSessionRequest: Message<GetSessionRequest> = message('ambit.v1.GetSessionRequest', () => [
  [1, 'id', 'string'],
])

export interface GetSessionResponse {
  session?: Session
}
export const GetSessionResponse: Message<GetSessionResponse> = message('ambit.v1.GetSessionResponse', () => [
  [1, 'session', Session, 'optional'],
])

/** Each field is a flag of `ambit run`. */
export interface CreateSessionRequest {
  /**
   * Chosen by the caller, at most 128 characters: the same request with the same
   * key starts one session, however often it is sent. Empty: each starts one.
   */
  idempotencyKey: string
  /** The command. With a pack, arguments behind its entry. */
  argv: string[]
  /** A folder's absolute path, or the id of an installed pack. */
  pack: string
  allow: string[]
  deny: string[]
  /** SOURCE:TARGET:ro|rw|append|cow, with absolute paths. */
  volumes: string[]
  /** Variables inside, by name. Nothing of the host's environment goes in. */
  env: { [key: string]: string }
  /** Bounds, as in memory: 512M. */
  limits: { [key: string]: string }
  home: string
  tier: string
  ask: Ask
  /**
   * How long a question waits.
   * In milliseconds.
   */
  askTimeout?: number
  /** The working directory, absolute. Empty: the user's home. */
  dir: string
  /** What the program reads on its standard input, at most 1 MiB. */
  stdin: Uint8Array
  /**
   * How first touches are heard of: trap, which needs /dev/fuse, or notification,
   * which is slower. Empty: trap.
   */
  askBy: string
  /**
   * Instead of stdin: the program gets a terminal of its own. All that it writes is
   * its standard output then.
   */
  terminal?: Terminal
  /** The digest of a CheckSessionResponse: it is started as was said there, or not at all. */
  checked: string
}
export const CreateSessionRequest: Message<CreateSessionRequest> = message('ambit.v1.CreateSessionRequest', () => [
  [1, 'idempotencyKey', 'string'],
  [2, 'argv', 'string', 'many'],
  [3, 'pack', 'string'],
  [4, 'allow', 'string', 'many'],
  [5, 'deny', 'string', 'many'],
  [6, 'volumes', 'string', 'many'],
  [7, 'env', 'string', 'map'],
  [8, 'limits', 'string', 'map'],
  [9, 'home', 'string'],
  [10, 'tier', 'string'],
  [11, 'ask', askNames],
  [12, 'askTimeout', 'duration', 'optional'],
  [13, 'dir', 'string'],
  [14, 'stdin', 'bytes'],
  [15, 'askBy', 'string'],
  [16, 'terminal', Terminal, 'optional'],
  [17, 'checked', 'string'],
])

export interface CreateSessionResponse {
  session?: Session
}
export const CreateSessionResponse: Message<CreateSessionResponse> = message('ambit.v1.CreateSessionResponse', () => [
  [1, 'session', Session, 'optional'],
])

export interface CheckSessionRequest {
  session?: CreateSessionRequest
}
export const CheckSessionRequest: Message<CheckSessionRequest> = message('ambit.v1.CheckSessionRequest', () => [
  [1, 'session', CreateSessionRequest, 'optional'],
])

export interface CheckSessionResponse {
  /** Nothing that is denied stops it. */
  starts: boolean
  /** The file that is started, and with which arguments. */
  program: string
  argv: string[]
  /** Where it is started; empty: it is not. */
  dir: string
  pack: string
  version: string
  packDigest: string
  tier: string
  /** The home that it has: none, ephemeral, private or host. */
  home: string
  /** First touches of what was not granted are asked about. */
  asks: boolean
  /** The gravest first. */
  capabilities: CheckedCapability[]
  volumes: CheckedVolume[]
  limits: { [key: string]: string }
  /** Of all this and of what would be enforced: CreateSessionRequest.checked. */
  digest: string
  /** The variables that the request sets, as NAME=VALUE. */
  env: string[]
}
export const CheckSessionResponse: Message<CheckSessionResponse> = message('ambit.v1.CheckSessionResponse', () => [
  [1, 'starts', 'bool'],
  [2, 'program', 'string'],
  [3, 'argv', 'string', 'many'],
  [4, 'dir', 'string'],
  [5, 'pack', 'string'],
  [6, 'version', 'string'],
  [7, 'packDigest', 'string'],
  [8, 'tier', 'string'],
  [9, 'home', 'string'],
  [10, 'asks', 'bool'],
  [11, 'capabilities', CheckedCapability, 'many'],
  [12, 'volumes', CheckedVolume, 'many'],
  [13, 'limits', 'string', 'map'],
  [14, 'digest', 'string'],
  [15, 'env', 'string', 'many'],
])

/** A capability that the request names, the pack wants, or that was granted before. */
export interface CheckedCapability {
  capability: string
  meaning: string
  /** allow, ask (at its first touch) or deny. */
  outcome: string
  /** It is wide, or reaches secrets. */
  broad: boolean
  /** It is denied, and nothing is started for that. */
  stops: boolean
  /** What the pack wants it for, in its author's words. */
  reason: string
  /** Why it is not allowed. */
  why: string
}
export const CheckedCapability: Message<CheckedCapability> = message('ambit.v1.CheckedCapability', () => [
  [1, 'capability', 'string'],
  [2, 'meaning', 'string'],
  [3, 'outcome', 'string'],
  [4, 'broad', 'bool'],
  [5, 'stops', 'bool'],
  [6, 'reason', 'string'],
  [7, 'why', 'string'],
])

/** A path of the host and where the program sees it. */
export interface CheckedVolume {
  source: string
  target: string
  /** ro, rw, append or cow. */
  mode: string
  /** The zone of the pack that it is; empty: the request names it. */
  zone: string
  /** How much there can be in it; 0: it has no bound of its own. */
  bytes: bigint
  files: bigint
}
export const CheckedVolume: Message<CheckedVolume> = message('ambit.v1.CheckedVolume', () => [
  [1, 'source', 'string'],
  [2, 'target', 'string'],
  [3, 'mode', 'string'],
  [4, 'zone', 'string'],
  [5, 'bytes', 'long'],
  [6, 'files', 'long'],
])

export interface StopSessionRequest {
  id: string
  /** Without giving it time: its end is then not in the log. */
  now: boolean
}
export const StopSessionRequest: Message<StopSessionRequest> = message('ambit.v1.StopSessionRequest', () => [
  [1, 'id', 'string'],
  [2, 'now', 'bool'],
])

export interface StopSessionResponse {
}
export const StopSessionResponse: Message<StopSessionResponse> = message('ambit.v1.StopSessionResponse', () => [])

export interface StreamOutputRequest {
  id: string
  /** Of the first chunk that is wanted: `next` of an earlier one. */
  offset: bigint
}
export const StreamOutputRequest: Message<StreamOutputRequest> = message('ambit.v1.StreamOutputRequest', () => [
  [1, 'id', 'string'],
  [2, 'offset', 'long'],
])

export interface StreamOutputResponse {
  stream: OutputStream
  data: Uint8Array
  /** The offset to go on from. */
  next: bigint
  /** In the last message alone: how the session ended. */
  end?: SessionEnd
  /**
   * What was to come before this is not kept any more, since more was written than is:
   * so far apart are the offset that was wanted and that of this, which count what was
   * written and five bytes for each piece.
   */
  lost: bigint
  /**
   * In a message of its own, once: all that was written before this call was made, or a
   * moment later, has been sent. There is none where it has ended.
   */
  caughtUp: boolean
}
export const StreamOutputResponse: Message<StreamOutputResponse> = message('ambit.v1.StreamOutputResponse', () => [
  [1, 'stream', outputStreamNames],
  [2, 'data', 'bytes'],
  [3, 'next', 'long'],
  [4, 'end', SessionEnd, 'optional'],
  [5, 'lost', 'long'],
  [6, 'caughtUp', 'bool'],
])

export interface SessionEnd {
  exit: number
  /**
   * Where the newest output cannot be kept in the place of the oldest (`lost`): so many
   * bytes are missing behind what was sent.
   */
  dropped: bigint
}
export const SessionEnd: Message<SessionEnd> = message('ambit.v1.SessionEnd', () => [
  [1, 'exit', 'int'],
  [2, 'dropped', 'long'],
])

export interface Exec {
  /** That of its record in the log, too. */
  id: string
  session: string
  argv: string[]
  started?: Date
  ended?: Date
  state: SessionState
  /** Of one that has ended: the exit status of `ambit exec`, as a session's. */
  exit?: number
  terminal: boolean
}
export const Exec: Message<Exec> = message('ambit.v1.Exec', () => [
  [1, 'id', 'string'],
  [2, 'session', 'string'],
  [3, 'argv', 'string', 'many'],
  [4, 'started', 'time', 'optional'],
  [5, 'ended', 'time', 'optional'],
  [6, 'state', sessionStateNames],
  [7, 'exit', 'int', 'optional'],
  [8, 'terminal', 'bool'],
])

export interface CreateExecRequest {
  /** As of CreateSession. */
  idempotencyKey: string
  session: string
  argv: string[]
  /** Beside the session's own. */
  env: { [key: string]: string }
  /** A folder of the session, absolute. Empty: where its program was started. */
  dir: string
  /** At most 1 MiB. */
  stdin: Uint8Array
  /** Instead of stdin. */
  terminal?: Terminal
}
export const CreateExecRequest: Message<CreateExecRequest> = message('ambit.v1.CreateExecRequest', () => [
  [1, 'idempotencyKey', 'string'],
  [2, 'session', 'string'],
  [3, 'argv', 'string', 'many'],
  [4, 'env', 'string', 'map'],
  [5, 'dir', 'string'],
  [6, 'stdin', 'bytes'],
  [7, 'terminal', Terminal, 'optional'],
])

export interface CreateExecResponse {
  exec?: Exec
}
export const CreateExecResponse: Message<CreateExecResponse> = message('ambit.v1.CreateExecResponse', () => [
  [1, 'exec', Exec, 'optional'],
])

export interface ListExecsRequest {
  session: string
  pageSize: number
  pageToken: string
  /** Also those that have ended. */
  ended: boolean
}
export const ListExecsRequest: Message<ListExecsRequest> = message('ambit.v1.ListExecsRequest', () => [
  [1, 'session', 'string'],
  [2, 'pageSize', 'int'],
  [3, 'pageToken', 'string'],
  [4, 'ended', 'bool'],
])

export interface ListExecsResponse {
  execs: Exec[]
  nextPageToken: string
}
export const ListExecsResponse: Message<ListExecsResponse> = message('ambit.v1.ListExecsResponse', () => [
  [1, 'execs', Exec, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetExecRequest {
  id: string
}
export const GetExecRequest: Message<GetExecRequest> = message('ambit.v1.GetExecRequest', () => [
  [1, 'id', 'string'],
])

export interface GetExecResponse {
  exec?: Exec
}
export const GetExecResponse: Message<GetExecResponse> = message('ambit.v1.GetExecResponse', () => [
  [1, 'exec', Exec, 'optional'],
])

export interface StopExecRequest {
  id: string
}
export const StopExecRequest: Message<StopExecRequest> = message('ambit.v1.StopExecRequest', () => [
  [1, 'id', 'string'],
])

export interface StopExecResponse {
}
export const StopExecResponse: Message<StopExecResponse> = message('ambit.v1.StopExecResponse', () => [])

/** A name in a session. Names are chosen by programs: they are to be shown as text. */
export interface File {
  /** What is not UTF-8 in it is replaced. */
  name: string
  /** The name, where it is not UTF-8. */
  rawName: Uint8Array
  kind: FileKind
  size: bigint
  /** The twelve bits of permissions. */
  mode: number
  modified?: Date
  /** Of a link: where it leads inside, in words. */
  target: string
}
export const File: Message<File> = message('ambit.v1.File', () => [
  [1, 'name', 'string'],
  [2, 'rawName', 'bytes'],
  [3, 'kind', fileKindNames],
  [4, 'size', 'long'],
  [5, 'mode', 'int'],
  [6, 'modified', 'time', 'optional'],
  [7, 'target', 'string'],
])

export interface ListFilesRequest {
  session: string
  path: string
  rawPath: Uint8Array
  pageSize: number
  pageToken: string
}
export const ListFilesRequest: Message<ListFilesRequest> = message('ambit.v1.ListFilesRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
  [4, 'pageSize', 'int'],
  [5, 'pageToken', 'string'],
])

export interface ListFilesResponse {
  files: File[]
  nextPageToken: string
}
export const ListFilesResponse: Message<ListFilesResponse> = message('ambit.v1.ListFilesResponse', () => [
  [1, 'files', File, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetFileRequest {
  session: string
  path: string
  rawPath: Uint8Array
}
export const GetFileRequest: Message<GetFileRequest> = message('ambit.v1.GetFileRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
])

export interface GetFileResponse {
  file?: File
}
export const GetFileResponse: Message<GetFileResponse> = message('ambit.v1.GetFileResponse', () => [
  [1, 'file', File, 'optional'],
])

export interface StreamFileRequest {
  session: string
  path: string
  rawPath: Uint8Array
  /** The first byte that is wanted. */
  offset: bigint
  /** How many at most; 0: to the end. */
  length: bigint
}
export const StreamFileRequest: Message<StreamFileRequest> = message('ambit.v1.StreamFileRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
  [4, 'offset', 'long'],
  [5, 'length', 'long'],
])

export interface StreamFileResponse {
  data: Uint8Array
  /** In the last message alone. */
  end?: FileEnd
}
export const StreamFileResponse: Message<StreamFileResponse> = message('ambit.v1.StreamFileResponse', () => [
  [1, 'data', 'bytes'],
  [2, 'end', FileEnd, 'optional'],
])

export interface FileEnd {
  /** Of the whole file, when it was opened. */
  size: bigint
  /** It was changed while it was read: what was sent may be of both. */
  changed: boolean
}
export const FileEnd: Message<FileEnd> = message('ambit.v1.FileEnd', () => [
  [1, 'size', 'long'],
  [2, 'changed', 'bool'],
])

export interface WriteFileRequest {
  session: string
  path: string
  rawPath: Uint8Array
  /** That of the answer to the first part; empty in the first. */
  upload: string
  /** How much was sent before. */
  offset: bigint
  /** At most 1 MiB, and 64 MiB in all. */
  data: Uint8Array
  /** This is the last part. */
  last: boolean
}
export const WriteFileRequest: Message<WriteFileRequest> = message('ambit.v1.WriteFileRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
  [4, 'upload', 'string'],
  [5, 'offset', 'long'],
  [6, 'data', 'bytes'],
  [7, 'last', 'bool'],
])

export interface WriteFileResponse {
  upload: string
  /** How much was sent until now. */
  size: bigint
}
export const WriteFileResponse: Message<WriteFileResponse> = message('ambit.v1.WriteFileResponse', () => [
  [1, 'upload', 'string'],
  [2, 'size', 'long'],
])

export interface RemoveFileRequest {
  session: string
  path: string
  rawPath: Uint8Array
  /** It is a folder. */
  folder: boolean
  /**
   * It is a folder, and goes with what is in it. Where something in it may not be removed,
   * nothing is: then it is failed_precondition or permission_denied, and says what.
   */
  all: boolean
}
export const RemoveFileRequest: Message<RemoveFileRequest> = message('ambit.v1.RemoveFileRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
  [4, 'folder', 'bool'],
  [5, 'all', 'bool'],
])

export interface RemoveFileResponse {
  /** How many names were removed. */
  names: bigint
}
export const RemoveFileResponse: Message<RemoveFileResponse> = message('ambit.v1.RemoveFileResponse', () => [
  [1, 'names', 'long'],
])

export interface MakeFolderRequest {
  session: string
  path: string
  rawPath: Uint8Array
}
export const MakeFolderRequest: Message<MakeFolderRequest> = message('ambit.v1.MakeFolderRequest', () => [
  [1, 'session', 'string'],
  [2, 'path', 'string'],
  [3, 'rawPath', 'bytes'],
])

export interface MakeFolderResponse {
}
export const MakeFolderResponse: Message<MakeFolderResponse> = message('ambit.v1.MakeFolderResponse', () => [])

/**
 * A question that a session has put. Texts in it come from the program that
 * waits: show them as text, and never as markup or to a terminal unescaped.
 */
export interface Question {
  id: string
  session: string
  /** The pack that asks; empty for a command that is run without one. */
  pack: string
  program: string
  pid: number
  argv: string[]
  capability: string
  /** What the capability lets the program do, in words. */
  meaning: string
  /** Why the pack's manifest says that it wants it. */
  reason: string
  /** What is secret about it, where something is. */
  sensitive: string
  offers: Offer[]
  asked?: Date
  expires?: Date
  /** The organisation that it is for; empty: the machine itself. */
  organisation: string
}
export const Question: Message<Question> = message('ambit.v1.Question', () => [
  [1, 'id', 'string'],
  [2, 'session', 'string'],
  [3, 'pack', 'string'],
  [4, 'program', 'string'],
  [5, 'pid', 'int'],
  [6, 'argv', 'string', 'many'],
  [7, 'capability', 'string'],
  [8, 'meaning', 'string'],
  [9, 'reason', 'string'],
  [10, 'sensitive', 'string'],
  [11, 'offers', Offer, 'many'],
  [12, 'asked', 'time', 'optional'],
  [13, 'expires', 'time', 'optional'],
  [14, 'organisation', 'string'],
])

/** What may be granted in answer to a question. The first one is the narrowest. */
export interface Offer {
  capability: string
  /** One of file, run, dir, declared. */
  scope: string
  words: string
  /** It is wide, or reaches secrets: allowing it wants `broad`. */
  broad: boolean
}
export const Offer: Message<Offer> = message('ambit.v1.Offer', () => [
  [1, 'capability', 'string'],
  [2, 'scope', 'string'],
  [3, 'words', 'string'],
  [4, 'broad', 'bool'],
])

export interface ListQuestionsRequest {
  /** At most so many; 0 is 100, and more than 1000 is 1000. */
  pageSize: number
  /** next_page_token of an earlier response to the same request. */
  pageToken: string
}
export const ListQuestionsRequest: Message<ListQuestionsRequest> = message('ambit.v1.ListQuestionsRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
])

export interface ListQuestionsResponse {
  questions: Question[]
  /** Empty on the last page. */
  nextPageToken: string
}
export const ListQuestionsResponse: Message<ListQuestionsResponse> = message('ambit.v1.ListQuestionsResponse', () => [
  [1, 'questions', Question, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface WatchQuestionsRequest {
}
export const WatchQuestionsRequest: Message<WatchQuestionsRequest> = message('ambit.v1.WatchQuestionsRequest', () => [])

export interface WatchQuestionsResponse {
  put?: Question
  /** The id of a question that was answered, withdrawn, or whose time is over. */
  over?: string
  /** All questions that waited at the beginning have been sent. */
  caughtUp?: boolean
}
export const WatchQuestionsResponse: Message<WatchQuestionsResponse> = message('ambit.v1.WatchQuestionsResponse', () => [
  [1, 'put', Question, 'optional'],
  [2, 'over', 'string', 'optional'],
  [3, 'caughtUp', 'bool', 'optional'],
])

export interface AnswerQuestionRequest {
  /** The whole id. */
  id: string
  verdict: Verdict
  /**
   * The scope of one of the offers, or its capability. Empty: the narrowest, or,
   * to deny, exactly what was asked.
   */
  scope: string
  span: Span
  /**
   * With SPAN_UNTIL: how long from now.
   * In milliseconds.
   */
  lifetime?: number
  /** Allow also what is wide, or reaches secrets. */
  broad: boolean
}
export const AnswerQuestionRequest: Message<AnswerQuestionRequest> = message('ambit.v1.AnswerQuestionRequest', () => [
  [1, 'id', 'string'],
  [2, 'verdict', verdictNames],
  [3, 'scope', 'string'],
  [4, 'span', spanNames],
  [5, 'lifetime', 'duration', 'optional'],
  [6, 'broad', 'bool'],
])

export interface AnswerQuestionResponse {
  capability: string
  verdict: Verdict
  span: Span
  until?: Date
  /** The session has taken the answer. If not yet, it may be stopped. */
  taken: boolean
}
export const AnswerQuestionResponse: Message<AnswerQuestionResponse> = message('ambit.v1.AnswerQuestionResponse', () => [
  [1, 'capability', 'string'],
  [2, 'verdict', verdictNames],
  [3, 'span', spanNames],
  [4, 'until', 'time', 'optional'],
  [5, 'taken', 'bool'],
])

export interface Grant {
  id: string
  /** Empty: every command that is run without a pack. */
  pack: string
  digest: string
  capability: string
  meaning: string
  verdict: Verdict
  span: Span
  until?: Date
  /** The session that a grant for a session is for. */
  session: string
  origin: string
  reason: string
  created?: Date
  revoked?: Date
  /** The organisation that it is for; empty: the machine itself. */
  organisation: string
}
export const Grant: Message<Grant> = message('ambit.v1.Grant', () => [
  [1, 'id', 'string'],
  [2, 'pack', 'string'],
  [3, 'digest', 'string'],
  [4, 'capability', 'string'],
  [5, 'meaning', 'string'],
  [6, 'verdict', verdictNames],
  [7, 'span', spanNames],
  [8, 'until', 'time', 'optional'],
  [9, 'session', 'string'],
  [10, 'origin', 'string'],
  [11, 'reason', 'string'],
  [12, 'created', 'time', 'optional'],
  [13, 'revoked', 'time', 'optional'],
  [14, 'organisation', 'string'],
])

export interface ListGrantsRequest {
  pageSize: number
  pageToken: string
  /** Only those of this pack. */
  pack: string
  /** Also those that were revoked or are over. */
  ended: boolean
}
export const ListGrantsRequest: Message<ListGrantsRequest> = message('ambit.v1.ListGrantsRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
  [3, 'pack', 'string'],
  [4, 'ended', 'bool'],
])

export interface ListGrantsResponse {
  grants: Grant[]
  nextPageToken: string
}
export const ListGrantsResponse: Message<ListGrantsResponse> = message('ambit.v1.ListGrantsResponse', () => [
  [1, 'grants', Grant, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface AddGrantsRequest {
  /** As on the command line, with absolute paths or ~. */
  capabilities: string[]
  /**
   * A folder's absolute path, or the id of an installed pack. Empty: every command
   * that is run without one.
   */
  pack: string
  /** VERDICT_ALLOW or VERDICT_DENY. */
  verdict: Verdict
  /**
   * How long from now; none: until it is revoked.
   * In milliseconds.
   */
  lifetime?: number
  reason: string
  /** Allow also what is wide. */
  broad: boolean
}
export const AddGrantsRequest: Message<AddGrantsRequest> = message('ambit.v1.AddGrantsRequest', () => [
  [1, 'capabilities', 'string', 'many'],
  [2, 'pack', 'string'],
  [3, 'verdict', verdictNames],
  [4, 'lifetime', 'duration', 'optional'],
  [5, 'reason', 'string'],
  [6, 'broad', 'bool'],
])

export interface AddGrantsResponse {
  /** What was added: not what held already. */
  grants: Grant[]
}
export const AddGrantsResponse: Message<AddGrantsResponse> = message('ambit.v1.AddGrantsResponse', () => [
  [1, 'grants', Grant, 'many'],
])

export interface RevokeGrantsRequest {
  ids: string[]
  /** End the sessions that lose something by it. */
  endSessions: boolean
}
export const RevokeGrantsRequest: Message<RevokeGrantsRequest> = message('ambit.v1.RevokeGrantsRequest', () => [
  [1, 'ids', 'string', 'many'],
  [2, 'endSessions', 'bool'],
])

export interface RevokeGrantsResponse {
  grants: Grant[]
  losses: Loss[]
}
export const RevokeGrantsResponse: Message<RevokeGrantsResponse> = message('ambit.v1.RevokeGrantsResponse', () => [
  [1, 'grants', Grant, 'many'],
  [2, 'losses', Loss, 'many'],
])

/** What a running session no longer has. */
export interface Loss {
  session: string
  capability: string
  /** Descriptors that it still has open of it, and other hold that was found. */
  open: number
  /** The session was told to end. */
  ended: boolean
}
export const Loss: Message<Loss> = message('ambit.v1.Loss', () => [
  [1, 'session', 'string'],
  [2, 'capability', 'string'],
  [3, 'open', 'int'],
  [4, 'ended', 'bool'],
])

export interface GetVersionRequest {
}
export const GetVersionRequest: Message<GetVersionRequest> = message('ambit.v1.GetVersionRequest', () => [])

export interface GetVersionResponse {
  version: string
  /** Who the caller is to Ambit. */
  principal: string
  /** The role that decides which routes the caller may use. */
  role: string
  started?: Date
}
export const GetVersionResponse: Message<GetVersionResponse> = message('ambit.v1.GetVersionResponse', () => [
  [1, 'version', 'string'],
  [2, 'principal', 'string'],
  [3, 'role', 'string'],
  [4, 'started', 'time', 'optional'],
])

export interface CheckHealthRequest {
}
export const CheckHealthRequest: Message<CheckHealthRequest> = message('ambit.v1.CheckHealthRequest', () => [])

export interface CheckHealthResponse {
  ready: boolean
  checks: Check[]
}
export const CheckHealthResponse: Message<CheckHealthResponse> = message('ambit.v1.CheckHealthResponse', () => [
  [1, 'ready', 'bool'],
  [2, 'checks', Check, 'many'],
])

export interface Check {
  name: string
  holds: boolean
  detail: string
}
export const Check: Message<Check> = message('ambit.v1.Check', () => [
  [1, 'name', 'string'],
  [2, 'holds', 'bool'],
  [3, 'detail', 'string'],
])

export interface DiagnoseRequest {
}
export const DiagnoseRequest: Message<DiagnoseRequest> = message('ambit.v1.DiagnoseRequest', () => [])

export interface DiagnoseResponse {
  /** Everything that the process tier needs holds. */
  holds: boolean
  findings: Finding[]
}
export const DiagnoseResponse: Message<DiagnoseResponse> = message('ambit.v1.DiagnoseResponse', () => [
  [1, 'holds', 'bool'],
  [2, 'findings', Finding, 'many'],
])

export interface Finding {
  layer: string
  /** One of holds, weaker, fails, absent. */
  state: string
  needed: boolean
  detail: string
  fix: string
}
export const Finding: Message<Finding> = message('ambit.v1.Finding', () => [
  [1, 'layer', 'string'],
  [2, 'state', 'string'],
  [3, 'needed', 'bool'],
  [4, 'detail', 'string'],
  [5, 'fix', 'string'],
])

export interface Pack {
  id: string
  folder: string
  version: string
  digest: string
  signer: string
  source: string
  /** It was installed, and is not run where it lies. */
  installed: boolean
}
export const Pack: Message<Pack> = message('ambit.v1.Pack', () => [
  [1, 'id', 'string'],
  [2, 'folder', 'string'],
  [3, 'version', 'string'],
  [4, 'digest', 'string'],
  [5, 'signer', 'string'],
  [6, 'source', 'string'],
  [7, 'installed', 'bool'],
])

export interface ListPacksRequest {
  pageSize: number
  pageToken: string
}
export const ListPacksRequest: Message<ListPacksRequest> = message('ambit.v1.ListPacksRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
])

export interface ListPacksResponse {
  packs: Pack[]
  nextPageToken: string
}
export const ListPacksResponse: Message<ListPacksResponse> = message('ambit.v1.ListPacksResponse', () => [
  [1, 'packs', Pack, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetPackRequest {
  id: string
}
export const GetPackRequest: Message<GetPackRequest> = message('ambit.v1.GetPackRequest', () => [
  [1, 'id', 'string'],
])

export interface GetPackResponse {
  pack?: Pack
  name: string
  kind: string
  description: string
  entry: string[]
  wants: Want[]
  /** What keeps it from running here. */
  problems: string[]
}
export const GetPackResponse: Message<GetPackResponse> = message('ambit.v1.GetPackResponse', () => [
  [1, 'pack', Pack, 'optional'],
  [2, 'name', 'string'],
  [3, 'kind', 'string'],
  [4, 'description', 'string'],
  [5, 'entry', 'string', 'many'],
  [6, 'wants', Want, 'many'],
  [7, 'problems', 'string', 'many'],
])

/** One capability that a pack declares. */
export interface Want {
  capability: string
  meaning: string
  reason: string
  optional: boolean
  broad: boolean
  granted: boolean
  /** Why it is granted, or not. */
  why: string
  problem: string
  /**
   * Sessions that had it and in which its use could be seen, and those of them that
   * used it, as `ambit pack show` counts them.
   */
  sessions: number
  used: number
}
export const Want: Message<Want> = message('ambit.v1.Want', () => [
  [1, 'capability', 'string'],
  [2, 'meaning', 'string'],
  [3, 'reason', 'string'],
  [4, 'optional', 'bool'],
  [5, 'broad', 'bool'],
  [6, 'granted', 'bool'],
  [7, 'why', 'string'],
  [8, 'problem', 'string'],
  [9, 'sessions', 'int'],
  [10, 'used', 'int'],
])

export interface UploadPackRequest {
  /** Empty: a new one. After that the answer's. */
  upload: string
  /** How much was sent before. */
  offset: bigint
  data: Uint8Array
}
export const UploadPackRequest: Message<UploadPackRequest> = message('ambit.v1.UploadPackRequest', () => [
  [1, 'upload', 'string'],
  [2, 'offset', 'long'],
  [3, 'data', 'bytes'],
])

export interface UploadPackResponse {
  upload: string
  /** How much is there. */
  size: bigint
}
export const UploadPackResponse: Message<UploadPackResponse> = message('ambit.v1.UploadPackResponse', () => [
  [1, 'upload', 'string'],
  [2, 'size', 'long'],
])

export interface PreparePackRequest {
  /**
   * An absolute path on the host (a folder, an archive, an OCI layout), or
   * oci://REGISTRY/NAME:TAG.
   */
  source?: string
  /** The id of an upload, which is used up. */
  upload?: string
  /** Only what this key signed, which may take over from another key. */
  signer: string
  /** Also a version that is older than the one installed last. */
  allowOlder: boolean
}
export const PreparePackRequest: Message<PreparePackRequest> = message('ambit.v1.PreparePackRequest', () => [
  [1, 'source', 'string', 'optional'],
  [2, 'upload', 'string', 'optional'],
  [3, 'signer', 'string'],
  [4, 'allowOlder', 'bool'],
])

/**
 * The detail of a refusal (FAILED_PRECONDITION): nothing says that a version is as new
 * as the one installed last. The same request with allow_older takes it.
 */
export interface OlderVersion {
  id: string
  /** That the pack has. */
  version: string
  /** That was installed last. */
  taken: string
}
export const OlderVersion: Message<OlderVersion> = message('ambit.v1.OlderVersion', () => [
  [1, 'id', 'string'],
  [2, 'version', 'string'],
  [3, 'taken', 'string'],
])

export interface PreparePackResponse {
  prepared?: Prepared
}
export const PreparePackResponse: Message<PreparePackResponse> = message('ambit.v1.PreparePackResponse', () => [
  [1, 'prepared', Prepared, 'optional'],
])

/**
 * A pack that lies ready, and what it asks for. Its texts come from whoever made the
 * pack: show them as text.
 */
export interface Prepared {
  /** Good for one InstallPack. */
  id: string
  expires?: Date
  /** As it would be installed. */
  pack?: Pack
  name: string
  kind: string
  description: string
  entry: string[]
  signerState: SignerState
  /** What is installed now, if anything is. */
  before?: Pack
  /** All that it declares, the gravest first. */
  wants: PreparedWant[]
  /** What was granted, it does not ask for any more, and is taken back. */
  dropped: Dropped[]
  /** Its version was installed before, with other content. */
  sameVersion: boolean
}
export const Prepared: Message<Prepared> = message('ambit.v1.Prepared', () => [
  [1, 'id', 'string'],
  [2, 'expires', 'time', 'optional'],
  [3, 'pack', Pack, 'optional'],
  [4, 'name', 'string'],
  [5, 'kind', 'string'],
  [6, 'description', 'string'],
  [7, 'entry', 'string', 'many'],
  [8, 'signerState', signerStateNames],
  [9, 'before', Pack, 'optional'],
  [10, 'wants', PreparedWant, 'many'],
  [11, 'dropped', Dropped, 'many'],
  [12, 'sameVersion', 'bool'],
])

export interface PreparedWant {
  /** To be named in a choice, as it stands here. */
  capability: string
  meaning: string
  /** What its author says it is for. */
  reason: string
  optional: boolean
  /** The name of its group: those that stand together are of one risk. */
  risk: string
  /** To allow it takes the pack's id, typed. */
  broad: boolean
  state: WantState
}
export const PreparedWant: Message<PreparedWant> = message('ambit.v1.PreparedWant', () => [
  [1, 'capability', 'string'],
  [2, 'meaning', 'string'],
  [3, 'reason', 'string'],
  [4, 'optional', 'bool'],
  [5, 'risk', 'string'],
  [6, 'broad', 'bool'],
  [7, 'state', wantStateNames],
])

export interface Dropped {
  capability: string
  meaning: string
}
export const Dropped: Message<Dropped> = message('ambit.v1.Dropped', () => [
  [1, 'capability', 'string'],
  [2, 'meaning', 'string'],
])

/** What is to become of one capability that is asked for. */
export interface Choice {
  capability: string
  choosing: Choosing
}
export const Choice: Message<Choice> = message('ambit.v1.Choice', () => [
  [1, 'capability', 'string'],
  [2, 'choosing', choosingNames],
])

export interface InstallPackRequest {
  id: string
  /** Of the pack that was shown. */
  digest: string
  choices: Choice[]
  /** The pack's id, where something broad is allowed. */
  typedId: string
}
export const InstallPackRequest: Message<InstallPackRequest> = message('ambit.v1.InstallPackRequest', () => [
  [1, 'id', 'string'],
  [2, 'digest', 'string'],
  [3, 'choices', Choice, 'many'],
  [4, 'typedId', 'string'],
])

export interface InstallPackResponse {
  installed?: Installed
}
export const InstallPackResponse: Message<InstallPackResponse> = message('ambit.v1.InstallPackResponse', () => [
  [1, 'installed', Installed, 'optional'],
])

export interface Installed {
  pack?: Pack
  granted: string[]
  denied: string[]
  /** What it asks for and was not answered. */
  left: string[]
  revoked: string[]
}
export const Installed: Message<Installed> = message('ambit.v1.Installed', () => [
  [1, 'pack', Pack, 'optional'],
  [2, 'granted', 'string', 'many'],
  [3, 'denied', 'string', 'many'],
  [4, 'left', 'string', 'many'],
  [5, 'revoked', 'string', 'many'],
])

export interface UpdatePackRequest {
  id: string
  signer: string
  /** Also a version that is older than the one installed last. */
  allowOlder: boolean
}
export const UpdatePackRequest: Message<UpdatePackRequest> = message('ambit.v1.UpdatePackRequest', () => [
  [1, 'id', 'string'],
  [2, 'signer', 'string'],
  [3, 'allowOlder', 'bool'],
])

export interface UpdatePackResponse {
  installed?: Installed
  /** It asks for more: InstallPack goes on. */
  prepared?: Prepared
  /** The source has what is installed. */
  unchanged?: Pack
}
export const UpdatePackResponse: Message<UpdatePackResponse> = message('ambit.v1.UpdatePackResponse', () => [
  [1, 'installed', Installed, 'optional'],
  [2, 'prepared', Prepared, 'optional'],
  [3, 'unchanged', Pack, 'optional'],
])

export interface RemovePackRequest {
  id: string
}
export const RemovePackRequest: Message<RemovePackRequest> = message('ambit.v1.RemovePackRequest', () => [
  [1, 'id', 'string'],
])

export interface RemovePackResponse {
  pack?: Pack
  /** How many grants were taken back. */
  revoked: number
}
export const RemovePackResponse: Message<RemovePackResponse> = message('ambit.v1.RemovePackResponse', () => [
  [1, 'pack', Pack, 'optional'],
  [2, 'revoked', 'int'],
])

export interface PauseSessionRequest {
  id: string
}
export const PauseSessionRequest: Message<PauseSessionRequest> = message('ambit.v1.PauseSessionRequest', () => [
  [1, 'id', 'string'],
])

export interface PauseSessionResponse {
  /** By which it stands still, in words. */
  way: string
}
export const PauseSessionResponse: Message<PauseSessionResponse> = message('ambit.v1.PauseSessionResponse', () => [
  [1, 'way', 'string'],
])

export interface ResumeSessionRequest {
  id: string
}
export const ResumeSessionRequest: Message<ResumeSessionRequest> = message('ambit.v1.ResumeSessionRequest', () => [
  [1, 'id', 'string'],
])

export interface ResumeSessionResponse {
}
export const ResumeSessionResponse: Message<ResumeSessionResponse> = message('ambit.v1.ResumeSessionResponse', () => [])

/** What a key had from one commit to the next. */
export interface StoredVersion {
  number: bigint
  /** "sha256:…"; empty where there was nothing. */
  digest: string
  size: bigint
  time?: Date
  /** Empty: a person committed it. */
  session: string
  /** From here on there was nothing under the key. */
  removed: boolean
}
export const StoredVersion: Message<StoredVersion> = message('ambit.v1.StoredVersion', () => [
  [1, 'number', 'long'],
  [2, 'digest', 'string'],
  [3, 'size', 'long'],
  [4, 'time', 'time', 'optional'],
  [5, 'session', 'string'],
  [6, 'removed', 'bool'],
])

/** A key with what is current. */
export interface StoredValue {
  /** Empty: of runs without a pack. */
  pack: string
  key: string
  current?: StoredVersion
  /** How many versions are kept, and the bytes of all. */
  versions: number
  bytes: bigint
  /** The pack was removed then, and what it stored is kept for nobody. */
  left?: Date
}
export const StoredValue: Message<StoredValue> = message('ambit.v1.StoredValue', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
  [3, 'current', StoredVersion, 'optional'],
  [4, 'versions', 'int'],
  [5, 'bytes', 'long'],
  [6, 'left', 'time', 'optional'],
])

export interface ListValuesRequest {
  pageSize: number
  pageToken: string
}
export const ListValuesRequest: Message<ListValuesRequest> = message('ambit.v1.ListValuesRequest', () => [
  [1, 'pageSize', 'int'],
  [2, 'pageToken', 'string'],
])

export interface ListValuesResponse {
  values: StoredValue[]
  nextPageToken: string
}
export const ListValuesResponse: Message<ListValuesResponse> = message('ambit.v1.ListValuesResponse', () => [
  [1, 'values', StoredValue, 'many'],
  [2, 'nextPageToken', 'string'],
])

export interface GetValueRequest {
  pack: string
  key: string
}
export const GetValueRequest: Message<GetValueRequest> = message('ambit.v1.GetValueRequest', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
])

export interface GetValueResponse {
  versions: StoredVersion[]
}
export const GetValueResponse: Message<GetValueResponse> = message('ambit.v1.GetValueResponse', () => [
  [1, 'versions', StoredVersion, 'many'],
])

export interface GetContentRequest {
  pack: string
  key: string
  /** 0: what is current. */
  version: bigint
  offset: bigint
}
export const GetContentRequest: Message<GetContentRequest> = message('ambit.v1.GetContentRequest', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
  [3, 'version', 'long'],
  [4, 'offset', 'long'],
])

export interface GetContentResponse {
  /** The version that it is of, to ask for the rest of it. */
  version: bigint
  size: bigint
  /** At most 1 MiB. */
  data: Uint8Array
}
export const GetContentResponse: Message<GetContentResponse> = message('ambit.v1.GetContentResponse', () => [
  [1, 'version', 'long'],
  [2, 'size', 'long'],
  [3, 'data', 'bytes'],
])

export interface RemoveValueRequest {
  pack: string
  key: string
}
export const RemoveValueRequest: Message<RemoveValueRequest> = message('ambit.v1.RemoveValueRequest', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
])

export interface RemoveValueResponse {
}
export const RemoveValueResponse: Message<RemoveValueResponse> = message('ambit.v1.RemoveValueResponse', () => [])

export interface RestoreValueRequest {
  pack: string
  key: string
  version: bigint
}
export const RestoreValueRequest: Message<RestoreValueRequest> = message('ambit.v1.RestoreValueRequest', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
  [3, 'version', 'long'],
])

export interface RestoreValueResponse {
  /** The new version, or what was current where it had that content already. */
  version?: StoredVersion
}
export const RestoreValueResponse: Message<RestoreValueResponse> = message('ambit.v1.RestoreValueResponse', () => [
  [1, 'version', StoredVersion, 'optional'],
])

export interface ForgetValueRequest {
  pack: string
  key: string
}
export const ForgetValueRequest: Message<ForgetValueRequest> = message('ambit.v1.ForgetValueRequest', () => [
  [1, 'pack', 'string'],
  [2, 'key', 'string'],
])

export interface ForgetValueResponse {
}
export const ForgetValueResponse: Message<ForgetValueResponse> = message('ambit.v1.ForgetValueResponse', () => [])

export interface AdoptValuesRequest {
  pack: string
}
export const AdoptValuesRequest: Message<AdoptValuesRequest> = message('ambit.v1.AdoptValuesRequest', () => [
  [1, 'pack', 'string'],
])

export interface AdoptValuesResponse {
}
export const AdoptValuesResponse: Message<AdoptValuesResponse> = message('ambit.v1.AdoptValuesResponse', () => [])

/** The record of what was asked, answered and done. */
export class AuditService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** Records, the newest first. */
  listRecords(request: Init<ListRecordsRequest> = {}, options: CallOptions = {}): Promise<ListRecordsResponse> {
    return call(this.#service, 'ambit.v1.AuditService/ListRecords', ListRecordsRequest, ListRecordsResponse, request, options)
  }

  /** The rows of all pages of listRecords, each page when it is come to. */
  allRecords(request: Init<ListRecordsRequest> = {}, options: CallOptions = {}): AsyncGenerator<Record> {
    return pages((pageToken) => this.listRecords({ ...request, pageToken }, options), (page) => page.records)
  }

  getRecord(request: Init<GetRecordRequest> = {}, options: CallOptions = {}): Promise<GetRecordResponse> {
    return call(this.#service, 'ambit.v1.AuditService/GetRecord', GetRecordRequest, GetRecordResponse, request, options)
  }

  /** Records as they are written, from now on or from a number on. */
  streamRecords(request: Init<StreamRecordsRequest> = {}, options: CallOptions = {}): AsyncGenerator<StreamRecordsResponse> {
    return stream(this.#service, 'ambit.v1.AuditService/StreamRecords', StreamRecordsRequest, StreamRecordsResponse, request, options)
  }

  /** Checks the whole log, as `ambit audit verify` does. */
  verifyLog(request: Init<VerifyLogRequest> = {}, options: CallOptions = {}): Promise<VerifyLogResponse> {
    return call(this.#service, 'ambit.v1.AuditService/VerifyLog', VerifyLogRequest, VerifyLogResponse, request, options)
  }
}

/**
 * What sessions changed in volumes that copy on write, which is kept apart until
 * somebody applies it or drops it. Of a session that still runs there is none yet.
 */
export class ChangeService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** What was changed, one volume after the other, in the order of the paths. */
  listChanges(request: Init<ListChangesRequest> = {}, options: CallOptions = {}): Promise<ListChangesResponse> {
    return call(this.#service, 'ambit.v1.ChangeService/ListChanges', ListChangesRequest, ListChangesResponse, request, options)
  }

  /** The rows of all pages of listChanges, each page when it is come to. */
  allChanges(request: Init<ListChangesRequest> = {}, options: CallOptions = {}): AsyncGenerator<ChangedVolume> {
    return pages((pageToken) => this.listChanges({ ...request, pageToken }, options), (page) => page.volumes)
  }

  /** What became of one file. */
  getDifference(request: Init<GetDifferenceRequest> = {}, options: CallOptions = {}): Promise<GetDifferenceResponse> {
    return call(this.#service, 'ambit.v1.ChangeService/GetDifference', GetDifferenceRequest, GetDifferenceResponse, request, options)
  }

  /**
   * Puts changes of one volume into their place, all that are named or none: none
   * where the host's files, or what is kept apart, were changed since.
   */
  applyChanges(request: Init<ApplyChangesRequest> = {}, options: CallOptions = {}): Promise<ApplyChangesResponse> {
    return call(this.#service, 'ambit.v1.ChangeService/ApplyChanges', ApplyChangesRequest, ApplyChangesResponse, request, options)
  }

  /** Forgets the changes of a volume, or of all. */
  dropChanges(request: Init<DropChangesRequest> = {}, options: CallOptions = {}): Promise<DropChangesResponse> {
    return call(this.#service, 'ambit.v1.ChangeService/DropChanges', DropChangesRequest, DropChangesResponse, request, options)
  }
}

/**
 * The terminals of programs that this API has started with one. What is written to
 * them is SessionService.StreamOutput's.
 */
export class TerminalService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** Types something. A call that is sent again types nothing twice. */
  writeInput(request: Init<WriteInputRequest> = {}, options: CallOptions = {}): Promise<WriteInputResponse> {
    return call(this.#service, 'ambit.v1.TerminalService/WriteInput', WriteInputRequest, WriteInputResponse, request, options)
  }

  resizeTerminal(request: Init<ResizeTerminalRequest> = {}, options: CallOptions = {}): Promise<ResizeTerminalResponse> {
    return call(this.#service, 'ambit.v1.TerminalService/ResizeTerminal', ResizeTerminalRequest, ResizeTerminalResponse, request, options)
  }
}

/** Programs in their sandboxes. */
export class SessionService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** The sessions that run, the latest first. */
  listSessions(request: Init<ListSessionsRequest> = {}, options: CallOptions = {}): Promise<ListSessionsResponse> {
    return call(this.#service, 'ambit.v1.SessionService/ListSessions', ListSessionsRequest, ListSessionsResponse, request, options)
  }

  /** The rows of all pages of listSessions, each page when it is come to. */
  allSessions(request: Init<ListSessionsRequest> = {}, options: CallOptions = {}): AsyncGenerator<Session> {
    return pages((pageToken) => this.listSessions({ ...request, pageToken }, options), (page) => page.sessions)
  }

  getSession(request: Init<GetSessionRequest> = {}, options: CallOptions = {}): Promise<GetSessionResponse> {
    return call(this.#service, 'ambit.v1.SessionService/GetSession', GetSessionRequest, GetSessionResponse, request, options)
  }

  /**
   * Starts a program by `ambit run`, and returns when it is recorded as begun or
   * refused. A launch that is denied is permission_denied with a Denial each.
   */
  createSession(request: Init<CreateSessionRequest> = {}, options: CallOptions = {}): Promise<CreateSessionResponse> {
    return call(this.#service, 'ambit.v1.SessionService/CreateSession', CreateSessionRequest, CreateSessionResponse, request, options)
  }

  /**
   * What a program would be started with, as CreateSession would decide it now. Nothing
   * is started and nothing is recorded.
   */
  checkSession(request: Init<CheckSessionRequest> = {}, options: CallOptions = {}): Promise<CheckSessionResponse> {
    return call(this.#service, 'ambit.v1.SessionService/CheckSession', CheckSessionRequest, CheckSessionResponse, request, options)
  }

  /** Tells a session to end, and waits for that. */
  stopSession(request: Init<StopSessionRequest> = {}, options: CallOptions = {}): Promise<StopSessionResponse> {
    return call(this.#service, 'ambit.v1.SessionService/StopSession', StopSessionRequest, StopSessionResponse, request, options)
  }

  /**
   * What the program of a session that this API has made writes, from an offset
   * on, until it has ended.
   */
  streamOutput(request: Init<StreamOutputRequest> = {}, options: CallOptions = {}): AsyncGenerator<StreamOutputResponse> {
    return stream(this.#service, 'ambit.v1.SessionService/StreamOutput', StreamOutputRequest, StreamOutputResponse, request, options)
  }
}

/**
 * Further programs in sessions that run, as `ambit exec` starts them. What they write
 * SessionService.StreamOutput has by their id, and TerminalService types into them.
 */
export class ExecService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /**
   * Starts a program in a session, and returns when that is recorded or refused: by
   * the same decision as for the session's own programs.
   */
  createExec(request: Init<CreateExecRequest> = {}, options: CallOptions = {}): Promise<CreateExecResponse> {
    return call(this.#service, 'ambit.v1.ExecService/CreateExec', CreateExecRequest, CreateExecResponse, request, options)
  }

  /** Those of a session that run, the latest first: the ones that this API has started. */
  listExecs(request: Init<ListExecsRequest> = {}, options: CallOptions = {}): Promise<ListExecsResponse> {
    return call(this.#service, 'ambit.v1.ExecService/ListExecs', ListExecsRequest, ListExecsResponse, request, options)
  }

  /** The rows of all pages of listExecs, each page when it is come to. */
  allExecs(request: Init<ListExecsRequest> = {}, options: CallOptions = {}): AsyncGenerator<Exec> {
    return pages((pageToken) => this.listExecs({ ...request, pageToken }, options), (page) => page.execs)
  }

  getExec(request: Init<GetExecRequest> = {}, options: CallOptions = {}): Promise<GetExecResponse> {
    return call(this.#service, 'ambit.v1.ExecService/GetExec', GetExecRequest, GetExecResponse, request, options)
  }

  /**
   * Tells a program to end, and all that it started with it. Who wants to know when
   * it has, reads its output to the end.
   */
  stopExec(request: Init<StopExecRequest> = {}, options: CallOptions = {}): Promise<StopExecResponse> {
    return call(this.#service, 'ambit.v1.ExecService/StopExec', StopExecRequest, StopExecResponse, request, options)
  }
}

/**
 * Files of a session that runs, by the rights that its programs have. A path is
 * absolute and walked inside. It is given as text, or where it is not UTF-8 as raw
 * bytes, and never as both.
 */
export class FileService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** What is in a folder, in the order of the names' bytes. Links are not followed. */
  listFiles(request: Init<ListFilesRequest> = {}, options: CallOptions = {}): Promise<ListFilesResponse> {
    return call(this.#service, 'ambit.v1.FileService/ListFiles', ListFilesRequest, ListFilesResponse, request, options)
  }

  /** The rows of all pages of listFiles, each page when it is come to. */
  allFiles(request: Init<ListFilesRequest> = {}, options: CallOptions = {}): AsyncGenerator<File> {
    return pages((pageToken) => this.listFiles({ ...request, pageToken }, options), (page) => page.files)
  }

  /** What a path is. A link at its end is not followed. */
  getFile(request: Init<GetFileRequest> = {}, options: CallOptions = {}): Promise<GetFileResponse> {
    return call(this.#service, 'ambit.v1.FileService/GetFile', GetFileRequest, GetFileResponse, request, options)
  }

  /** A file as it is, or a part of it: as much as it has when it is opened. */
  streamFile(request: Init<StreamFileRequest> = {}, options: CallOptions = {}): AsyncGenerator<StreamFileResponse> {
    return stream(this.#service, 'ambit.v1.FileService/StreamFile', StreamFileRequest, StreamFileResponse, request, options)
  }

  /** Sends a file in parts. It is put in its place with the last one, whole. */
  writeFile(request: Init<WriteFileRequest> = {}, options: CallOptions = {}): Promise<WriteFileResponse> {
    return call(this.#service, 'ambit.v1.FileService/WriteFile', WriteFileRequest, WriteFileResponse, request, options)
  }

  /** Removes a file, or a folder: one in which nothing is, or with what is in it. */
  removeFile(request: Init<RemoveFileRequest> = {}, options: CallOptions = {}): Promise<RemoveFileResponse> {
    return call(this.#service, 'ambit.v1.FileService/RemoveFile', RemoveFileRequest, RemoveFileResponse, request, options)
  }

  /** Makes a folder in one that is there. */
  makeFolder(request: Init<MakeFolderRequest> = {}, options: CallOptions = {}): Promise<MakeFolderResponse> {
    return call(this.#service, 'ambit.v1.FileService/MakeFolder', MakeFolderRequest, MakeFolderResponse, request, options)
  }
}

/** What running programs have asked for, and the answers of people. */
export class QuestionService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** The questions that wait, oldest first. */
  listQuestions(request: Init<ListQuestionsRequest> = {}, options: CallOptions = {}): Promise<ListQuestionsResponse> {
    return call(this.#service, 'ambit.v1.QuestionService/ListQuestions', ListQuestionsRequest, ListQuestionsResponse, request, options)
  }

  /** The rows of all pages of listQuestions, each page when it is come to. */
  allQuestions(request: Init<ListQuestionsRequest> = {}, options: CallOptions = {}): AsyncGenerator<Question> {
    return pages((pageToken) => this.listQuestions({ ...request, pageToken }, options), (page) => page.questions)
  }

  /** The questions that wait, and then each change, until the caller leaves. */
  watchQuestions(request: Init<WatchQuestionsRequest> = {}, options: CallOptions = {}): AsyncGenerator<WatchQuestionsResponse> {
    return stream(this.#service, 'ambit.v1.QuestionService/WatchQuestions', WatchQuestionsRequest, WatchQuestionsResponse, request, options)
  }

  /** Answers a question. Of two answers the first one stands. */
  answerQuestion(request: Init<AnswerQuestionRequest> = {}, options: CallOptions = {}): Promise<AnswerQuestionResponse> {
    return call(this.#service, 'ambit.v1.QuestionService/AnswerQuestion', AnswerQuestionRequest, AnswerQuestionResponse, request, options)
  }
}

/** What was granted and denied until further notice. */
export class GrantService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** The grants of the caller, oldest first. */
  listGrants(request: Init<ListGrantsRequest> = {}, options: CallOptions = {}): Promise<ListGrantsResponse> {
    return call(this.#service, 'ambit.v1.GrantService/ListGrants', ListGrantsRequest, ListGrantsResponse, request, options)
  }

  /** The rows of all pages of listGrants, each page when it is come to. */
  allGrants(request: Init<ListGrantsRequest> = {}, options: CallOptions = {}): AsyncGenerator<Grant> {
    return pages((pageToken) => this.listGrants({ ...request, pageToken }, options), (page) => page.grants)
  }

  /** Grants or denies, as `ambit grants add` does: all that is named, or nothing. */
  addGrants(request: Init<AddGrantsRequest> = {}, options: CallOptions = {}): Promise<AddGrantsResponse> {
    return call(this.#service, 'ambit.v1.GrantService/AddGrants', AddGrantsRequest, AddGrantsResponse, request, options)
  }

  /**
   * Takes grants back, as `ambit grants revoke` does: all that are named, or none.
   * Sessions that run lose them within a second.
   */
  revokeGrants(request: Init<RevokeGrantsRequest> = {}, options: CallOptions = {}): Promise<RevokeGrantsResponse> {
    return call(this.#service, 'ambit.v1.GrantService/RevokeGrants', RevokeGrantsRequest, RevokeGrantsResponse, request, options)
  }
}

/** The machine, and what serves this API on it. */
export class HostService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  getVersion(request: Init<GetVersionRequest> = {}, options: CallOptions = {}): Promise<GetVersionResponse> {
    return call(this.#service, 'ambit.v1.HostService/GetVersion', GetVersionRequest, GetVersionResponse, request, options)
  }

  /** Whether the store answers and the log can be read. */
  checkHealth(request: Init<CheckHealthRequest> = {}, options: CallOptions = {}): Promise<CheckHealthResponse> {
    return call(this.#service, 'ambit.v1.HostService/CheckHealth', CheckHealthRequest, CheckHealthResponse, request, options)
  }

  /** What holds on this machine, as `ambit doctor` finds it. It takes seconds. */
  diagnose(request: Init<DiagnoseRequest> = {}, options: CallOptions = {}): Promise<DiagnoseResponse> {
    return call(this.#service, 'ambit.v1.HostService/Diagnose', DiagnoseRequest, DiagnoseResponse, request, options)
  }
}

/** Installed packs. */
export class PackService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  listPacks(request: Init<ListPacksRequest> = {}, options: CallOptions = {}): Promise<ListPacksResponse> {
    return call(this.#service, 'ambit.v1.PackService/ListPacks', ListPacksRequest, ListPacksResponse, request, options)
  }

  /** The rows of all pages of listPacks, each page when it is come to. */
  allPacks(request: Init<ListPacksRequest> = {}, options: CallOptions = {}): AsyncGenerator<Pack> {
    return pages((pageToken) => this.listPacks({ ...request, pageToken }, options), (page) => page.packs)
  }

  /** What a pack is and asks for, as `ambit pack check` says it. */
  getPack(request: Init<GetPackRequest> = {}, options: CallOptions = {}): Promise<GetPackResponse> {
    return call(this.#service, 'ambit.v1.PackService/GetPack', GetPackRequest, GetPackResponse, request, options)
  }

  /**
   * Takes an archive in parts, in their order, each of at most 1 MiB and all together
   * of at most 64 MiB. PreparePack reads it; what nobody goes on with is forgotten.
   */
  uploadPack(request: Init<UploadPackRequest> = {}, options: CallOptions = {}): Promise<UploadPackResponse> {
    return call(this.#service, 'ambit.v1.PackService/UploadPack', UploadPackRequest, UploadPackResponse, request, options)
  }

  /**
   * Unpacks and checks a pack, and says what it asks for. Nothing is installed and
   * nothing granted: InstallPack does that with the id of the answer, once, within
   * a quarter of an hour, for the same caller.
   */
  preparePack(request: Init<PreparePackRequest> = {}, options: CallOptions = {}): Promise<PreparePackResponse> {
    return call(this.#service, 'ambit.v1.PackService/PreparePack', PreparePackRequest, PreparePackResponse, request, options)
  }

  /** Installs what was prepared, exactly that, and grants what is chosen. */
  installPack(request: Init<InstallPackRequest> = {}, options: CallOptions = {}): Promise<InstallPackResponse> {
    return call(this.#service, 'ambit.v1.PackService/InstallPack', InstallPackRequest, InstallPackResponse, request, options)
  }

  /**
   * Prepares what the source of an installed pack has now. What asks for no more than
   * was allowed is installed at once.
   */
  updatePack(request: Init<UpdatePackRequest> = {}, options: CallOptions = {}): Promise<UpdatePackResponse> {
    return call(this.#service, 'ambit.v1.PackService/UpdatePack', UpdatePackRequest, UpdatePackResponse, request, options)
  }

  /** Removes a pack, and takes back what was granted to it, as `ambit pack rm` does. */
  removePack(request: Init<RemovePackRequest> = {}, options: CallOptions = {}): Promise<RemovePackResponse> {
    return call(this.#service, 'ambit.v1.PackService/RemovePack', RemovePackRequest, RemovePackResponse, request, options)
  }
}

/** Sessions that stand still for a time. */
export class PauseService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /**
   * Has nothing in a session that runs go on, and returns when that is so. What waits
   * for an answer waits on; a bound on time goes on.
   */
  pauseSession(request: Init<PauseSessionRequest> = {}, options: CallOptions = {}): Promise<PauseSessionResponse> {
    return call(this.#service, 'ambit.v1.PauseService/PauseSession', PauseSessionRequest, PauseSessionResponse, request, options)
  }

  /** Lets it go on. */
  resumeSession(request: Init<ResumeSessionRequest> = {}, options: CallOptions = {}): Promise<ResumeSessionResponse> {
    return call(this.#service, 'ambit.v1.PauseService/ResumeSession', ResumeSessionRequest, ResumeSessionResponse, request, options)
  }
}

/**
 * What outlives sessions: values under keys, of each pack, and of runs without one,
 * each in the versions that programs committed. The caller's own, and nobody else's.
 */
export class StorageService {
  readonly #service: Service
  constructor(service: Service) {
    this.#service = service
  }

  /** All keys, in the order of packs and keys, with what is current. */
  listValues(request: Init<ListValuesRequest> = {}, options: CallOptions = {}): Promise<ListValuesResponse> {
    return call(this.#service, 'ambit.v1.StorageService/ListValues', ListValuesRequest, ListValuesResponse, request, options)
  }

  /** The rows of all pages of listValues, each page when it is come to. */
  allValues(request: Init<ListValuesRequest> = {}, options: CallOptions = {}): AsyncGenerator<StoredValue> {
    return pages((pageToken) => this.listValues({ ...request, pageToken }, options), (page) => page.values)
  }

  /** The versions of one key, oldest first. */
  getValue(request: Init<GetValueRequest> = {}, options: CallOptions = {}): Promise<GetValueResponse> {
    return call(this.#service, 'ambit.v1.StorageService/GetValue', GetValueRequest, GetValueResponse, request, options)
  }

  /** A part of the content of a version. */
  getContent(request: Init<GetContentRequest> = {}, options: CallOptions = {}): Promise<GetContentResponse> {
    return call(this.#service, 'ambit.v1.StorageService/GetContent', GetContentRequest, GetContentResponse, request, options)
  }

  /** Commits that there is nothing under a key. Its versions stay. */
  removeValue(request: Init<RemoveValueRequest> = {}, options: CallOptions = {}): Promise<RemoveValueResponse> {
    return call(this.#service, 'ambit.v1.StorageService/RemoveValue', RemoveValueRequest, RemoveValueResponse, request, options)
  }

  /** Commits what a version had once more, as a version of its own. */
  restoreValue(request: Init<RestoreValueRequest> = {}, options: CallOptions = {}): Promise<RestoreValueResponse> {
    return call(this.#service, 'ambit.v1.StorageService/RestoreValue', RestoreValueRequest, RestoreValueResponse, request, options)
  }

  /** Removes a key with all its versions: nothing brings them back. */
  forgetValue(request: Init<ForgetValueRequest> = {}, options: CallOptions = {}): Promise<ForgetValueResponse> {
    return call(this.#service, 'ambit.v1.StorageService/ForgetValue', ForgetValueRequest, ForgetValueResponse, request, options)
  }

  /** Gives a pack what the one that had its id before, and was removed, had stored. */
  adoptValues(request: Init<AdoptValuesRequest> = {}, options: CallOptions = {}): Promise<AdoptValuesResponse> {
    return call(this.#service, 'ambit.v1.StorageService/AdoptValues', AdoptValuesRequest, AdoptValuesResponse, request, options)
  }
}

/** Every service of a host. */
export class Services {
  readonly audit: AuditService
  readonly changes: ChangeService
  readonly terminals: TerminalService
  readonly sessions: SessionService
  readonly execs: ExecService
  readonly files: FileService
  readonly questions: QuestionService
  readonly grants: GrantService
  readonly host: HostService
  readonly packs: PackService
  readonly pause: PauseService
  readonly storage: StorageService
  constructor(service: Service) {
    this.audit = new AuditService(service)
    this.changes = new ChangeService(service)
    this.terminals = new TerminalService(service)
    this.sessions = new SessionService(service)
    this.execs = new ExecService(service)
    this.files = new FileService(service)
    this.questions = new QuestionService(service)
    this.grants = new GrantService(service)
    this.host = new HostService(service)
    this.packs = new PackService(service)
    this.pause = new PauseService(service)
    this.storage = new StorageService(service)
  }
}
