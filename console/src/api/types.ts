// The messages of the API as they are shown here. Their fields are those of the contract,
// as they stand in JSON (`make api` makes that file of api/ambit/v1): what is zero is left
// out there. Here it is said what of them is always there.
import type * as wire from '../../../sdk/typescript/src/json'

/** A message that always has some of its fields; Inside are those whose own parts are shown. */
type Has<Message, Field extends keyof Message, Inside extends { [k in keyof Inside]: k extends keyof Message ? unknown : never } = object> = Omit<Message, Field | keyof Inside> & {
  [k in Field]-?: Exclude<Message[k], undefined>
} & Inside

/** What an enum says where it says something. */
type Said<Enum> = Exclude<Enum, `${string}_UNSPECIFIED`>

export type Role = 'viewer' | 'approver' | 'operator' | 'admin'

/** Who is signed in: no message, the port itself says it. */
export interface Me {
  name: string
  role: Role
  version: string
}

export type Verdict = Said<wire.Verdict>
export type Span = Said<wire.Span>
export type Choosing = Said<wire.Choosing>

export type Offer = Has<wire.Offer, 'capability' | 'scope' | 'words'>
export type Question = Has<wire.Question, 'id' | 'session' | 'capability' | 'meaning' | 'asked' | 'expires', { offers?: Offer[] }>
export type QuestionChange = Has<wire.WatchQuestionsResponse, never, { put?: Question }>
export type Answer = Has<wire.AnswerQuestionRequest, 'id', { verdict: Verdict; span: Span }>
export type Answered = Has<wire.AnswerQuestionResponse, 'capability' | 'verdict' | 'span'>

export type Session = Has<wire.Session, 'id'>
export type CreateSession = wire.CreateSessionRequest
export type CheckedCapability = Has<wire.CheckedCapability, 'capability', { outcome: 'allow' | 'ask' | 'deny' }>
export type Checked = Has<wire.CheckSessionResponse, never, { capabilities?: CheckedCapability[] }>
export type Exec = Has<wire.Exec, 'id' | 'session'>
export type OutputChunk = wire.StreamOutputResponse

export type Grant = Has<wire.Grant, 'id' | 'capability' | 'verdict'>
export type Loss = Has<wire.Loss, 'session' | 'capability'>

export type Record = Has<wire.Record, 'seq' | 'time' | 'id' | 'kind' | 'body' | 'prev'>
export type RecordFilter = wire.RecordFilter
export type Records = Has<wire.ListRecordsResponse, never, { records?: Record[] }>
export type Verified = wire.VerifyLogResponse

export type Pack = Has<wire.Pack, 'id'>
export type Want = Has<wire.Want, 'capability'>
export type PackDetail = Has<wire.GetPackResponse, never, { pack: Pack; wants?: Want[] }>
export type PreparedWant = Has<wire.PreparedWant, 'capability' | 'risk' | 'state'>
export type Dropped = Has<wire.Dropped, 'capability'>
export type Prepared = Has<wire.Prepared, 'id' | 'expires', { pack: Pack; before?: Pack; wants?: PreparedWant[]; dropped?: Dropped[] }>
export type Installed = Has<wire.Installed, never, { pack: Pack }>
export type Updated = Has<wire.UpdatePackResponse, never, { installed?: Installed; prepared?: Prepared }>

export type Check = Has<wire.Check, 'name'>
export type Finding = Has<wire.Finding, 'layer', { state: 'holds' | 'weaker' | 'fails' | 'absent' }>

export type StoredVersion = Has<wire.StoredVersion, 'number' | 'time'>
export type StoredValue = Has<wire.StoredValue, 'key', { current: StoredVersion }>

export type Volume = Has<wire.ChangedVolume, 'volume' | 'source' | 'stamp'>
export type Change = Has<wire.Change, 'volume' | 'path' | 'type', { what: 'added' | 'changed' | 'replaced' | 'removed' }>
export type Difference = Has<wire.GetDifferenceResponse, never, { change: Change }>

export type Entry = Has<wire.File, 'name'>
