// The messages of api/ambit/v1 as JSON, as far as they are shown here. What is zero
// is left out on the wire.

export type Role = 'viewer' | 'approver' | 'operator' | 'admin'

export interface Me {
  name: string
  role: Role
  version: string
}

export interface Offer {
  capability: string
  scope: string
  words: string
  broad?: boolean
}

export interface Question {
  id: string
  session: string
  pack?: string
  program?: string
  pid?: number
  argv?: string[]
  capability: string
  meaning: string
  reason?: string
  sensitive?: string
  offers?: Offer[]
  asked: string
  expires: string
  organisation?: string
}

export interface QuestionChange {
  put?: Question
  over?: string
  caughtUp?: boolean
}

export type Verdict = 'VERDICT_DENY' | 'VERDICT_ALLOW'
export type Span = 'SPAN_ONCE' | 'SPAN_SESSION' | 'SPAN_ALWAYS' | 'SPAN_UNTIL'

export interface Answer {
  id: string
  verdict: Verdict
  span: Span
  scope?: string
  lifetime?: string
  broad?: boolean
}

export interface Answered {
  capability: string
  verdict: Verdict
  span: Span
  until?: string
  taken?: boolean
}

export interface Session {
  id: string
  pack?: string
  program?: string
  tier?: string
  pid?: number
  started?: string
  ended?: string
  state?: 'SESSION_STATE_STARTING' | 'SESSION_STATE_RUNNING' | 'SESSION_STATE_ENDED' | 'SESSION_STATE_LOST'
  status?: string
  exit?: number
  kept?: boolean
  error?: string
  terminal?: boolean
  trace?: string
  organisation?: string
  paused?: boolean
}

/** A program that was started in a session. */
export interface Exec {
  id: string
  session: string
  argv?: string[]
  state?: Session['state']
  terminal?: boolean
}

export interface OutputChunk {
  stream?: 'OUTPUT_STREAM_STDOUT' | 'OUTPUT_STREAM_STDERR'
  data?: string
  next?: string
  end?: { exit?: number; dropped?: string }
}

export interface Grant {
  id: string
  pack?: string
  digest?: string
  capability: string
  meaning?: string
  verdict: Verdict
  span?: Span
  until?: string
  session?: string
  origin?: string
  reason?: string
  created?: string
  revoked?: string
  organisation?: string
}

export interface Loss {
  session: string
  capability: string
  open?: number
  ended?: boolean
}

export interface Record {
  seq: string
  time: string
  id: string
  kind: string
  session?: string
  pack?: string
  body: string
  prev: string
  trace?: string
  organisation?: string
}

export interface RecordFilter {
  session?: string
  kind?: string
  capability?: string
  outcome?: string
  trace?: string
}

export interface Verified {
  intact?: boolean
  records?: string
  fault?: string
  head?: string
}

export interface Pack {
  id: string
  folder?: string
  version?: string
  digest?: string
  signer?: string
  source?: string
  installed?: boolean
}

export interface Want {
  capability: string
  meaning?: string
  reason?: string
  optional?: boolean
  broad?: boolean
  granted?: boolean
  why?: string
  problem?: string
  sessions?: number
  used?: number
}

export interface PackDetail {
  pack: Pack
  name?: string
  kind?: string
  description?: string
  entry?: string[]
  wants?: Want[]
  problems?: string[]
}

export interface Check {
  name: string
  holds?: boolean
  detail?: string
}

export interface Finding {
  layer: string
  state: 'holds' | 'weaker' | 'fails' | 'absent'
  needed?: boolean
  detail?: string
  fix?: string
}

/** What a key had from one commit to the next. */
export interface StoredVersion {
  number: string
  digest?: string
  size?: string
  time: string
  session?: string
  removed?: boolean
}

export interface StoredValue {
  pack?: string
  key: string
  current: StoredVersion
  versions?: number
  bytes?: string
  left?: string
}
