// Made by api/gen of the files in api/ambit/v1: change those and run `make api`.
//
// The messages as they stand in JSON, for who sends and reads that without a client,
// as the console does: what is zero is left out, long numbers are texts, bytes base64,
// times RFC 3339, durations as in '3600s'.

export type DifferenceKind = 'DIFFERENCE_KIND_UNSPECIFIED' | 'DIFFERENCE_KIND_TEXT' | 'DIFFERENCE_KIND_BINARY' | 'DIFFERENCE_KIND_LONG'

export type SessionState = 'SESSION_STATE_UNSPECIFIED' | 'SESSION_STATE_STARTING' | 'SESSION_STATE_RUNNING' | 'SESSION_STATE_ENDED' | 'SESSION_STATE_LOST'

/** Who is asked at the first touch of what was not granted. */
export type Ask = 'ASK_UNSPECIFIED' | 'ASK_NOBODY' | 'ASK_QUEUE'

/** Where output comes from. */
export type OutputStream = 'OUTPUT_STREAM_UNSPECIFIED' | 'OUTPUT_STREAM_STDOUT' | 'OUTPUT_STREAM_STDERR'

export type FileKind = 'FILE_KIND_UNSPECIFIED' | 'FILE_KIND_FILE' | 'FILE_KIND_FOLDER' | 'FILE_KIND_LINK' | 'FILE_KIND_PIPE' | 'FILE_KIND_SOCKET' | 'FILE_KIND_DEVICE'

/** How a question is answered. */
export type Verdict = 'VERDICT_UNSPECIFIED' | 'VERDICT_DENY' | 'VERDICT_ALLOW'

/** How long an answer or a grant holds. */
export type Span = 'SPAN_UNSPECIFIED' | 'SPAN_ONCE' | 'SPAN_SESSION' | 'SPAN_ALWAYS' | 'SPAN_UNTIL'

/** Who signed a pack, beside who signed what is installed. */
export type SignerState = 'SIGNER_STATE_UNSPECIFIED' | 'SIGNER_STATE_UNSIGNED' | 'SIGNER_STATE_FIRST' | 'SIGNER_STATE_SAME' | 'SIGNER_STATE_TAKES_OVER' | 'SIGNER_STATE_HANDED_ON'

/** What was answered to a capability before. */
export type WantState = 'WANT_STATE_UNSPECIFIED' | 'WANT_STATE_ASKED' | 'WANT_STATE_ALLOWED' | 'WANT_STATE_DENIED'

export type Choosing = 'CHOOSING_UNSPECIFIED' | 'CHOOSING_LATER' | 'CHOOSING_ALLOW' | 'CHOOSING_DENY'

export interface Record {
  seq?: string
  time?: string
  id?: string
  kind?: string
  session?: string
  pack?: string
  /** JSON, as it stands in the log. */
  body?: string
  /** The hash of what stands before it, hexadecimal. */
  prev?: string
  /** The id of the trace that it belongs to (W3C Trace Context); empty: none. */
  trace?: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation?: string
}

/** Empty fields let everything through. */
export interface RecordFilter {
  session?: string
  kind?: string
  pack?: string
  since?: string
  until?: string
  /** The beginning of the capability that the record is about. */
  capability?: string
  /** Of decisions and grants: allow, ask or deny. */
  outcome?: string
  /** The id of a trace, 32 hexadecimal digits. */
  trace?: string
}

export interface ListRecordsRequest {
  pageSize?: number
  pageToken?: string
  filter?: RecordFilter
}

export interface ListRecordsResponse {
  records?: Record[]
  nextPageToken?: string
}

export interface GetRecordRequest {
  /** The id or the number of one record. */
  ref?: string
}

export interface GetRecordResponse {
  record?: Record
}

export interface StreamRecordsRequest {
  filter?: RecordFilter
  /** From this number on; 0: what is written from now on. */
  from?: string
}

export interface StreamRecordsResponse {
  record?: Record
}

export interface VerifyLogRequest {
}

export interface VerifyLogResponse {
  intact?: boolean
  records?: string
  /** Where it is not what was written, and how. */
  fault?: string
  /** The signed head, to keep elsewhere. */
  head?: string
  /**
   * How many records behind these are not there that were written, but not known to be
   * on the disk, before the machine last stopped: lost with it, or cut off.
   */
  lost?: string
}

/** A directory of the host that a session saw as a volume. */
export interface ChangedVolume {
  volume?: string
  /** On the host, and in the session. */
  source?: string
  target?: string
  /** Another one after each change of what is kept apart. */
  stamp?: string
}

/** What became of one path. A directory that was removed stands for all in it. */
export interface Change {
  volume?: string
  /** Beneath the volume's source. */
  path?: string
  /** added, changed, replaced or removed. */
  what?: string
  /** file, program, directory, link or special file. */
  type?: string
  size?: string
  /** Of a link. */
  target?: string
  /** It may run as the person without their starting it, by a list of names. */
  runs?: boolean
}

export interface ListChangesRequest {
  session?: string
  pageSize?: number
  pageToken?: string
}

export interface ListChangesResponse {
  volumes?: ChangedVolume[]
  changes?: Change[]
  nextPageToken?: string
}

export interface GetDifferenceRequest {
  session?: string
  volume?: string
  path?: string
}

export interface GetDifferenceResponse {
  change?: Change
  kind?: DifferenceKind
  /**
   * Of text: lines that begin with a space, - or +, in parts that begin with @@, as
   * diff -u prints them. What stands in it was written by the program.
   */
  text?: string
  /** It is longer than is told. */
  more?: boolean
}

export interface ApplyChangesRequest {
  session?: string
  volume?: string
  /** That of the volume when it was looked at. */
  stamp?: string
  /** Each stands for itself; directories that lead there are made with it. */
  paths?: string[]
  /** Instead of paths: all of the volume. */
  all?: boolean
}

export interface ApplyChangesResponse {
  applied?: Change[]
}

export interface DropChangesRequest {
  session?: string
  volume?: string
  /** Instead of a volume: all of them. */
  all?: boolean
}

export interface DropChangesResponse {
}

/** A detail of errors with the code permission_denied: what was denied, and why. */
export interface Denial {
  /** The record of the decision in the audit log, which `ambit why ID` explains. */
  id?: string
  capability?: string
  reasons?: Reason[]
}

/** One reason of a decision. */
export interface Reason {
  /** The rule that applied, one of a closed set. */
  rule?: string
  text?: string
  /** What would change the answer, where anything would. */
  fix?: string
  /** The grant that decided, where one did. */
  grant?: string
}

/** That a program gets a terminal, and which. */
export interface Terminal {
  /** Its size, at most 1000 each. */
  rows?: number
  columns?: number
  /** What it understands, as in TERM. Empty: xterm-256color. */
  term?: string
}

export interface WriteInputRequest {
  /** Of a session or of a program that was started in one. */
  id?: string
  /**
   * Chosen at random by who types, at most 64 characters: what each writer has typed
   * is counted by itself.
   */
  writer?: string
  /** How much this writer has typed before: `next` of an earlier answer. */
  offset?: string
  /** At most 32 KiB. */
  data?: string
  /**
   * Nobody pressed these keys: a program asked its terminal something, and this is the
   * answer. It is `next` of the message of StreamOutput in which it asked. Of several
   * writers that answer one alone is typed: who did it last, as long as that one does so
   * within 0.3 s. What the others say is taken, and not typed. 0: somebody types.
   */
  asked?: string
}

export interface WriteInputResponse {
  /**
   * Up to where this writer's input has been taken. What lies behind it was not, since
   * the program does not read: it is to be sent again from there, later.
   */
  next?: string
}

export interface ResizeTerminalRequest {
  id?: string
  rows?: number
  columns?: number
}

export interface ResizeTerminalResponse {
}

export interface Session {
  id?: string
  pack?: string
  program?: string
  tier?: string
  /** The process that looks after it. */
  pid?: number
  started?: string
  ended?: string
  state?: SessionState
  /** How it ended, in words. */
  status?: string
  /**
   * Of a session that has ended: the exit status of `ambit run`. 125: it could not
   * be confined or started; 126: denied; 127: no such command; 128+N: signal N.
   */
  exit?: number
  /** It was made by this API, which keeps its output. */
  kept?: boolean
  /** What Ambit itself said, where the launch failed. */
  error?: string
  /** It was given a terminal, which can be typed into: TerminalService. */
  terminal?: boolean
  /** Of a session that was made by this API: the id of the trace that it belongs to. */
  trace?: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation?: string
  /** It runs, and nothing in it goes on until it is resumed: PauseService. */
  paused?: boolean
}

export interface ListSessionsRequest {
  pageSize?: number
  pageToken?: string
  /** Also those that have ended. */
  ended?: boolean
}

export interface ListSessionsResponse {
  sessions?: Session[]
  nextPageToken?: string
}

export interface GetSessionRequest {
  id?: string
}

export interface GetSessionResponse {
  session?: Session
}

/** Each field is a flag of `ambit run`. */
export interface CreateSessionRequest {
  /**
   * Chosen by the caller, at most 128 characters: the same request with the same
   * key starts one session, however often it is sent. Empty: each starts one.
   */
  idempotencyKey?: string
  /** The command. With a pack, arguments behind its entry. */
  argv?: string[]
  /** A folder's absolute path, or the id of an installed pack. */
  pack?: string
  allow?: string[]
  deny?: string[]
  /** SOURCE:TARGET:ro|rw|append|cow, with absolute paths. */
  volumes?: string[]
  /** Variables inside, by name. Nothing of the host's environment goes in. */
  env?: { [key: string]: string }
  /** Bounds, as in memory: 512M. */
  limits?: { [key: string]: string }
  home?: string
  tier?: string
  ask?: Ask
  /** How long a question waits. */
  askTimeout?: string
  /** The working directory, absolute. Empty: the user's home. */
  dir?: string
  /** What the program reads on its standard input, at most 1 MiB. */
  stdin?: string
  /**
   * How first touches are heard of: trap, which needs /dev/fuse, or notification,
   * which is slower. Empty: trap.
   */
  askBy?: string
  /**
   * Instead of stdin: the program gets a terminal of its own. All that it writes is
   * its standard output then.
   */
  terminal?: Terminal
  /** The digest of a CheckSessionResponse: it is started as was said there, or not at all. */
  checked?: string
}

export interface CreateSessionResponse {
  session?: Session
}

export interface CheckSessionRequest {
  session?: CreateSessionRequest
}

export interface CheckSessionResponse {
  /** Nothing that is denied stops it. */
  starts?: boolean
  /** The file that is started, and with which arguments. */
  program?: string
  argv?: string[]
  /** Where it is started; empty: it is not. */
  dir?: string
  pack?: string
  version?: string
  packDigest?: string
  tier?: string
  /** The home that it has: none, ephemeral, private or host. */
  home?: string
  /** First touches of what was not granted are asked about. */
  asks?: boolean
  /** The gravest first. */
  capabilities?: CheckedCapability[]
  volumes?: CheckedVolume[]
  limits?: { [key: string]: string }
  /** Of all this and of what would be enforced: CreateSessionRequest.checked. */
  digest?: string
  /** The variables that the request sets, as NAME=VALUE. */
  env?: string[]
}

/** A capability that the request names, the pack wants, or that was granted before. */
export interface CheckedCapability {
  capability?: string
  meaning?: string
  /** allow, ask (at its first touch) or deny. */
  outcome?: string
  /** It is wide, or reaches secrets. */
  broad?: boolean
  /** It is denied, and nothing is started for that. */
  stops?: boolean
  /** What the pack wants it for, in its author's words. */
  reason?: string
  /** Why it is not allowed. */
  why?: string
}

/** A path of the host and where the program sees it. */
export interface CheckedVolume {
  source?: string
  target?: string
  /** ro, rw, append or cow. */
  mode?: string
  /** The zone of the pack that it is; empty: the request names it. */
  zone?: string
  /** How much there can be in it; 0: it has no bound of its own. */
  bytes?: string
  files?: string
}

export interface StopSessionRequest {
  id?: string
  /** Without giving it time: its end is then not in the log. */
  now?: boolean
}

export interface StopSessionResponse {
}

export interface StreamOutputRequest {
  id?: string
  /** Of the first chunk that is wanted: `next` of an earlier one. */
  offset?: string
}

export interface StreamOutputResponse {
  stream?: OutputStream
  data?: string
  /** The offset to go on from. */
  next?: string
  /** In the last message alone: how the session ended. */
  end?: SessionEnd
  /**
   * What was to come before this is not kept any more, since more was written than is:
   * so far apart are the offset that was wanted and that of this, which count what was
   * written and five bytes for each piece.
   */
  lost?: string
  /**
   * In a message of its own, once: all that was written before this call was made, or a
   * moment later, has been sent. There is none where it has ended.
   */
  caughtUp?: boolean
}

export interface SessionEnd {
  exit?: number
  /**
   * Where the newest output cannot be kept in the place of the oldest (`lost`): so many
   * bytes are missing behind what was sent.
   */
  dropped?: string
}

export interface Exec {
  /** That of its record in the log, too. */
  id?: string
  session?: string
  argv?: string[]
  started?: string
  ended?: string
  state?: SessionState
  /** Of one that has ended: the exit status of `ambit exec`, as a session's. */
  exit?: number
  terminal?: boolean
}

export interface CreateExecRequest {
  /** As of CreateSession. */
  idempotencyKey?: string
  session?: string
  argv?: string[]
  /** Beside the session's own. */
  env?: { [key: string]: string }
  /** A folder of the session, absolute. Empty: where its program was started. */
  dir?: string
  /** At most 1 MiB. */
  stdin?: string
  /** Instead of stdin. */
  terminal?: Terminal
}

export interface CreateExecResponse {
  exec?: Exec
}

export interface ListExecsRequest {
  session?: string
  pageSize?: number
  pageToken?: string
  /** Also those that have ended. */
  ended?: boolean
}

export interface ListExecsResponse {
  execs?: Exec[]
  nextPageToken?: string
}

export interface GetExecRequest {
  id?: string
}

export interface GetExecResponse {
  exec?: Exec
}

export interface StopExecRequest {
  id?: string
}

export interface StopExecResponse {
}

/** A name in a session. Names are chosen by programs: they are to be shown as text. */
export interface File {
  /** What is not UTF-8 in it is replaced. */
  name?: string
  /** The name, where it is not UTF-8. */
  rawName?: string
  kind?: FileKind
  size?: string
  /** The twelve bits of permissions. */
  mode?: number
  modified?: string
  /** Of a link: where it leads inside, in words. */
  target?: string
}

export interface ListFilesRequest {
  session?: string
  path?: string
  rawPath?: string
  pageSize?: number
  pageToken?: string
}

export interface ListFilesResponse {
  files?: File[]
  nextPageToken?: string
}

export interface GetFileRequest {
  session?: string
  path?: string
  rawPath?: string
}

export interface GetFileResponse {
  file?: File
}

export interface StreamFileRequest {
  session?: string
  path?: string
  rawPath?: string
  /** The first byte that is wanted. */
  offset?: string
  /** How many at most; 0: to the end. */
  length?: string
}

export interface StreamFileResponse {
  data?: string
  /** In the last message alone. */
  end?: FileEnd
}

export interface FileEnd {
  /** Of the whole file, when it was opened. */
  size?: string
  /** It was changed while it was read: what was sent may be of both. */
  changed?: boolean
}

export interface WriteFileRequest {
  session?: string
  path?: string
  rawPath?: string
  /** That of the answer to the first part; empty in the first. */
  upload?: string
  /** How much was sent before. */
  offset?: string
  /** At most 1 MiB, and 64 MiB in all. */
  data?: string
  /** This is the last part. */
  last?: boolean
}

export interface WriteFileResponse {
  upload?: string
  /** How much was sent until now. */
  size?: string
}

export interface RemoveFileRequest {
  session?: string
  path?: string
  rawPath?: string
  /** It is a folder. */
  folder?: boolean
  /**
   * It is a folder, and goes with what is in it. Where something in it may not be removed,
   * nothing is: then it is failed_precondition or permission_denied, and says what.
   */
  all?: boolean
}

export interface RemoveFileResponse {
  /** How many names were removed. */
  names?: string
}

export interface MakeFolderRequest {
  session?: string
  path?: string
  rawPath?: string
}

export interface MakeFolderResponse {
}

/**
 * A question that a session has put. Texts in it come from the program that
 * waits: show them as text, and never as markup or to a terminal unescaped.
 */
export interface Question {
  id?: string
  session?: string
  /** The pack that asks; empty for a command that is run without one. */
  pack?: string
  program?: string
  pid?: number
  argv?: string[]
  capability?: string
  /** What the capability lets the program do, in words. */
  meaning?: string
  /** Why the pack's manifest says that it wants it. */
  reason?: string
  /** What is secret about it, where something is. */
  sensitive?: string
  offers?: Offer[]
  asked?: string
  expires?: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation?: string
}

/** What may be granted in answer to a question. The first one is the narrowest. */
export interface Offer {
  capability?: string
  /** One of file, run, dir, declared. */
  scope?: string
  words?: string
  /** It is wide, or reaches secrets: allowing it wants `broad`. */
  broad?: boolean
}

export interface ListQuestionsRequest {
  /** At most so many; 0 is 100, and more than 1000 is 1000. */
  pageSize?: number
  /** next_page_token of an earlier response to the same request. */
  pageToken?: string
}

export interface ListQuestionsResponse {
  questions?: Question[]
  /** Empty on the last page. */
  nextPageToken?: string
}

export interface WatchQuestionsRequest {
}

export interface WatchQuestionsResponse {
  put?: Question
  /** The id of a question that was answered, withdrawn, or whose time is over. */
  over?: string
  /** All questions that waited at the beginning have been sent. */
  caughtUp?: boolean
}

export interface AnswerQuestionRequest {
  /** The whole id. */
  id?: string
  verdict?: Verdict
  /**
   * The scope of one of the offers, or its capability. Empty: the narrowest, or,
   * to deny, exactly what was asked.
   */
  scope?: string
  span?: Span
  /** With SPAN_UNTIL: how long from now. */
  lifetime?: string
  /** Allow also what is wide, or reaches secrets. */
  broad?: boolean
}

export interface AnswerQuestionResponse {
  capability?: string
  verdict?: Verdict
  span?: Span
  until?: string
  /** The session has taken the answer. If not yet, it may be stopped. */
  taken?: boolean
}

export interface Grant {
  id?: string
  /** Empty: every command that is run without a pack. */
  pack?: string
  digest?: string
  capability?: string
  meaning?: string
  verdict?: Verdict
  span?: Span
  until?: string
  /** The session that a grant for a session is for. */
  session?: string
  origin?: string
  reason?: string
  created?: string
  revoked?: string
  /** The organisation that it is for; empty: the machine itself. */
  organisation?: string
}

export interface ListGrantsRequest {
  pageSize?: number
  pageToken?: string
  /** Only those of this pack. */
  pack?: string
  /** Also those that were revoked or are over. */
  ended?: boolean
}

export interface ListGrantsResponse {
  grants?: Grant[]
  nextPageToken?: string
}

export interface AddGrantsRequest {
  /** As on the command line, with absolute paths or ~. */
  capabilities?: string[]
  /**
   * A folder's absolute path, or the id of an installed pack. Empty: every command
   * that is run without one.
   */
  pack?: string
  /** VERDICT_ALLOW or VERDICT_DENY. */
  verdict?: Verdict
  /** How long from now; none: until it is revoked. */
  lifetime?: string
  reason?: string
  /** Allow also what is wide. */
  broad?: boolean
}

export interface AddGrantsResponse {
  /** What was added: not what held already. */
  grants?: Grant[]
}

export interface RevokeGrantsRequest {
  ids?: string[]
  /** End the sessions that lose something by it. */
  endSessions?: boolean
}

export interface RevokeGrantsResponse {
  grants?: Grant[]
  losses?: Loss[]
}

/** What a running session no longer has. */
export interface Loss {
  session?: string
  capability?: string
  /** Descriptors that it still has open of it, and other hold that was found. */
  open?: number
  /** The session was told to end. */
  ended?: boolean
}

export interface GetVersionRequest {
}

export interface GetVersionResponse {
  version?: string
  /** Who the caller is to Ambit. */
  principal?: string
  /** The role that decides which routes the caller may use. */
  role?: string
  started?: string
}

export interface CheckHealthRequest {
}

export interface CheckHealthResponse {
  ready?: boolean
  checks?: Check[]
}

export interface Check {
  name?: string
  holds?: boolean
  detail?: string
}

export interface DiagnoseRequest {
}

export interface DiagnoseResponse {
  /** Everything that the process tier needs holds. */
  holds?: boolean
  findings?: Finding[]
}

export interface Finding {
  layer?: string
  /** One of holds, weaker, fails, absent. */
  state?: string
  needed?: boolean
  detail?: string
  fix?: string
}

export interface Pack {
  id?: string
  folder?: string
  version?: string
  digest?: string
  signer?: string
  source?: string
  /** It was installed, and is not run where it lies. */
  installed?: boolean
}

export interface ListPacksRequest {
  pageSize?: number
  pageToken?: string
}

export interface ListPacksResponse {
  packs?: Pack[]
  nextPageToken?: string
}

export interface GetPackRequest {
  id?: string
}

export interface GetPackResponse {
  pack?: Pack
  name?: string
  kind?: string
  description?: string
  entry?: string[]
  wants?: Want[]
  /** What keeps it from running here. */
  problems?: string[]
}

/** One capability that a pack declares. */
export interface Want {
  capability?: string
  meaning?: string
  reason?: string
  optional?: boolean
  broad?: boolean
  granted?: boolean
  /** Why it is granted, or not. */
  why?: string
  problem?: string
  /**
   * Sessions that had it and in which its use could be seen, and those of them that
   * used it, as `ambit pack show` counts them.
   */
  sessions?: number
  used?: number
}

export interface UploadPackRequest {
  /** Empty: a new one. After that the answer's. */
  upload?: string
  /** How much was sent before. */
  offset?: string
  data?: string
}

export interface UploadPackResponse {
  upload?: string
  /** How much is there. */
  size?: string
}

export interface PreparePackRequest {
  /**
   * An absolute path on the host (a folder, an archive, an OCI layout), or
   * oci://REGISTRY/NAME:TAG.
   */
  source?: string
  /** The id of an upload, which is used up. */
  upload?: string
  /** Only what this key signed, which may take over from another key. */
  signer?: string
  /** Also a version that is older than the one installed last. */
  allowOlder?: boolean
}

/**
 * The detail of a refusal (FAILED_PRECONDITION): nothing says that a version is as new
 * as the one installed last. The same request with allow_older takes it.
 */
export interface OlderVersion {
  id?: string
  /** That the pack has. */
  version?: string
  /** That was installed last. */
  taken?: string
}

export interface PreparePackResponse {
  prepared?: Prepared
}

/**
 * A pack that lies ready, and what it asks for. Its texts come from whoever made the
 * pack: show them as text.
 */
export interface Prepared {
  /** Good for one InstallPack. */
  id?: string
  expires?: string
  /** As it would be installed. */
  pack?: Pack
  name?: string
  kind?: string
  description?: string
  entry?: string[]
  signerState?: SignerState
  /** What is installed now, if anything is. */
  before?: Pack
  /** All that it declares, the gravest first. */
  wants?: PreparedWant[]
  /** What was granted, it does not ask for any more, and is taken back. */
  dropped?: Dropped[]
  /** Its version was installed before, with other content. */
  sameVersion?: boolean
}

export interface PreparedWant {
  /** To be named in a choice, as it stands here. */
  capability?: string
  meaning?: string
  /** What its author says it is for. */
  reason?: string
  optional?: boolean
  /** The name of its group: those that stand together are of one risk. */
  risk?: string
  /** To allow it takes the pack's id, typed. */
  broad?: boolean
  state?: WantState
}

export interface Dropped {
  capability?: string
  meaning?: string
}

/** What is to become of one capability that is asked for. */
export interface Choice {
  capability?: string
  choosing?: Choosing
}

export interface InstallPackRequest {
  id?: string
  /** Of the pack that was shown. */
  digest?: string
  choices?: Choice[]
  /** The pack's id, where something broad is allowed. */
  typedId?: string
}

export interface InstallPackResponse {
  installed?: Installed
}

export interface Installed {
  pack?: Pack
  granted?: string[]
  denied?: string[]
  /** What it asks for and was not answered. */
  left?: string[]
  revoked?: string[]
}

export interface UpdatePackRequest {
  id?: string
  signer?: string
  /** Also a version that is older than the one installed last. */
  allowOlder?: boolean
}

export interface UpdatePackResponse {
  installed?: Installed
  /** It asks for more: InstallPack goes on. */
  prepared?: Prepared
  /** The source has what is installed. */
  unchanged?: Pack
}

export interface RemovePackRequest {
  id?: string
}

export interface RemovePackResponse {
  pack?: Pack
  /** How many grants were taken back. */
  revoked?: number
}

export interface PauseSessionRequest {
  id?: string
}

export interface PauseSessionResponse {
  /** By which it stands still, in words. */
  way?: string
}

export interface ResumeSessionRequest {
  id?: string
}

export interface ResumeSessionResponse {
}

/** What a key had from one commit to the next. */
export interface StoredVersion {
  number?: string
  /** "sha256:…"; empty where there was nothing. */
  digest?: string
  size?: string
  time?: string
  /** Empty: a person committed it. */
  session?: string
  /** From here on there was nothing under the key. */
  removed?: boolean
}

/** A key with what is current. */
export interface StoredValue {
  /** Empty: of runs without a pack. */
  pack?: string
  key?: string
  current?: StoredVersion
  /** How many versions are kept, and the bytes of all. */
  versions?: number
  bytes?: string
  /** The pack was removed then, and what it stored is kept for nobody. */
  left?: string
}

export interface ListValuesRequest {
  pageSize?: number
  pageToken?: string
}

export interface ListValuesResponse {
  values?: StoredValue[]
  nextPageToken?: string
}

export interface GetValueRequest {
  pack?: string
  key?: string
}

export interface GetValueResponse {
  versions?: StoredVersion[]
}

export interface GetContentRequest {
  pack?: string
  key?: string
  /** 0: what is current. */
  version?: string
  offset?: string
}

export interface GetContentResponse {
  /** The version that it is of, to ask for the rest of it. */
  version?: string
  size?: string
  /** At most 1 MiB. */
  data?: string
}

export interface RemoveValueRequest {
  pack?: string
  key?: string
}

export interface RemoveValueResponse {
}

export interface RestoreValueRequest {
  pack?: string
  key?: string
  version?: string
}

export interface RestoreValueResponse {
  /** The new version, or what was current where it had that content already. */
  version?: StoredVersion
}

export interface ForgetValueRequest {
  pack?: string
  key?: string
}

export interface ForgetValueResponse {
}

export interface AdoptValuesRequest {
  pack?: string
}

export interface AdoptValuesResponse {
}
