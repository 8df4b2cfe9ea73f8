// What the console takes for messages is what the contract says: each field is one of
// the message's, of its type. It is compiled and never run.
import type * as wire from './json.js'
import type * as shown from './types.js'

type Agrees<Shown extends Message, Message> = Exclude<keyof Shown, keyof Message> extends never ? true : Exclude<keyof Shown, keyof Message>

export const agrees: [
  Agrees<shown.Offer, wire.Offer>,
  Agrees<shown.Question, wire.Question>,
  Agrees<shown.QuestionChange, wire.WatchQuestionsResponse>,
  Agrees<shown.Answer, wire.AnswerQuestionRequest>,
  Agrees<shown.Answered, wire.AnswerQuestionResponse>,
  Agrees<shown.Session, wire.Session>,
  Agrees<shown.OutputChunk, wire.StreamOutputResponse>,
  Agrees<shown.Grant, wire.Grant>,
  Agrees<shown.Loss, wire.Loss>,
  Agrees<shown.Record, wire.Record>,
  Agrees<shown.RecordFilter, wire.RecordFilter>,
  Agrees<shown.Verified, wire.VerifyLogResponse>,
  Agrees<shown.Pack, wire.Pack>,
  Agrees<shown.Want, wire.Want>,
  Agrees<shown.PackDetail, wire.GetPackResponse>,
  Agrees<shown.Check, wire.Check>,
  Agrees<shown.Finding, wire.Finding>,
  Agrees<shown.StoredVersion, wire.StoredVersion>,
  Agrees<shown.StoredValue, wire.StoredValue>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true]
