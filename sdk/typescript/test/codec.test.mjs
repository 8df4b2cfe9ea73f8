// How messages are read and written.
import assert from 'node:assert/strict'
import test from 'node:test'

import { fromBinary } from '../dist/binary.js'
import { fromJSON, toJSON } from '../dist/codec.js'
import { AnswerQuestionRequest, CreateSessionRequest, Denial, Question, Record, Session, StreamOutputResponse, WatchQuestionsResponse } from '../dist/v1.js'

test('what is not sent is zero, and what may be absent is', () => {
  const q = fromJSON(Question, {})
  assert.deepEqual([q.id, q.pid, q.argv, q.offers, q.asked], ['', 0, [], [], undefined])
  assert.equal(fromJSON(Session, {}).exit, undefined)
  assert.equal(fromJSON(Session, { exit: 0 }).exit, 0)
  assert.equal(fromJSON(Record, {}).seq, 0n)
  assert.deepEqual(fromJSON(CreateSessionRequest, {}).env, {})
})

test('long numbers, bytes, times and durations keep what they are', () => {
  const most = 18446744073709551615n
  assert.equal(fromJSON(Record, { seq: String(most) }).seq, most)
  assert.deepEqual(toJSON(Record, { seq: most }), { seq: String(most) })
  const data = Uint8Array.from({ length: 10000 }, (_, i) => i)
  const sent = toJSON(CreateSessionRequest, { stdin: data })
  assert.deepEqual(fromJSON(CreateSessionRequest, sent).stdin, data)
  const time = '2026-01-02T03:04:05.678Z'
  assert.deepEqual(toJSON(Record, { time: fromJSON(Record, { time }).time }), { time })
  assert.equal(fromJSON(Record, { time: '2026-01-02T03:04:05.678901234+01:00' }).time.toISOString(), '2026-01-02T02:04:05.678Z')
  for (const [milliseconds, text] of [[90000, '90.000s'], [0.4, '0.000s'], [-1500, '-1.500s']]) {
    assert.deepEqual(toJSON(AnswerQuestionRequest, { lifetime: milliseconds }), { lifetime: text })
  }
  assert.equal(fromJSON(AnswerQuestionRequest, { lifetime: '1.5s' }).lifetime, 1500)
  assert.throws(() => toJSON(AnswerQuestionRequest, { lifetime: Infinity }), RangeError)
})

test('maps have any names', () => {
  const env = JSON.parse('{"__proto__":"a","constructor":"b"}')
  const read = fromJSON(CreateSessionRequest, { env }).env
  assert.deepEqual(Object.keys(read), ['__proto__', 'constructor'])
  assert.equal(JSON.stringify(toJSON(CreateSessionRequest, { env })), '{"env":{"__proto__":"a","constructor":"b"}}')
})

test('a value that is not known reads as none', () => {
  assert.equal(fromJSON(AnswerQuestionRequest, { verdict: 'VERDICT_LATER' }).verdict, 'VERDICT_UNSPECIFIED')
  assert.equal(fromJSON(AnswerQuestionRequest, { verdict: 2 }).verdict, 'VERDICT_UNSPECIFIED')
  assert.equal(fromJSON(AnswerQuestionRequest, { verdict: 'VERDICT_DENY' }).verdict, 'VERDICT_DENY')
})

test('one of several is there, and fields of later versions are left alone', () => {
  assert.deepEqual(fromJSON(WatchQuestionsResponse, { over: 'q', later: 1 }), { over: 'q' })
  assert.equal(fromJSON(WatchQuestionsResponse, { put: { id: 'q', toString: 1 } }).put.id, 'q')
})

test('what is malformed is refused', () => {
  for (const sent of [null, [], 'x', 7, { id: 7 }, { argv: 'x' }, { pid: 'x' }, { pid: true }, { asked: 'x' }, { offers: [7] }]) {
    assert.throws(() => fromJSON(Question, sent), { name: 'Malformed' }, JSON.stringify(sent))
  }
  assert.throws(() => fromJSON(StreamOutputResponse, { data: '%' }), { name: 'Malformed' })
  assert.throws(() => fromJSON(StreamOutputResponse, { next: '1.5' }), { name: 'Malformed' })
})

test('details of errors are read in binary form', () => {
  const d = fromBinary(Denial, Buffer.from('0a03642d31120166' + '1a080a01721203c3a478' + '1a020a00' + '280a' + '3201ff', 'hex'))
  assert.deepEqual([d.id, d.capability, d.reasons.map((r) => [r.rule, r.text])], ['d-1', 'f', [['r', 'äx'], ['', '']]])
  for (const cut of ['0a', '0a05', '0a0561', '80', 'ffffffffffffffffffffff', '0b']) {
    assert.throws(() => fromBinary(Denial, Buffer.from(cut, 'hex')), { name: 'Malformed' }, cut)
  }
})
