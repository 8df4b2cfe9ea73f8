// What led to a record, and what came of it, found in the log by what records name.
import { call } from '../api/call'
import type { Record, RecordFilter } from '../api/types'
import { bodyOf, textOf } from './body'

export interface Link {
  record: Record
  role: string // what it is to the record that is looked at
}

async function find(filter: RecordFilter, wanted: (r: Record) => boolean, signal: AbortSignal): Promise<Record[]> {
  const page = await call<{ records?: Record[] }>('AuditService/ListRecords', { pageSize: 200, filter }, signal)
  return (page.records ?? []).filter(wanted)
}

async function get(ref: string, signal: AbortSignal): Promise<Record[]> {
  const found = await call<{ record?: Record }>('AuditService/GetRecord', { ref }, signal).catch(() => ({ record: undefined }))
  return found.record ? [found.record] : []
}

/** The chain of a record, in the order of the log, the record itself in it. */
export async function chainOf(record: Record, signal: AbortSignal): Promise<Link[]> {
  const links = new Map<string, Link>()
  const add = (role: string) => (found: Record[]) => found.forEach((r) => links.has(r.seq) || links.set(r.seq, { record: r, role }))
  add('this record')([record])
  const body = bodyOf(record)
  const work: Promise<void>[] = []
  if (record.session) work.push(find({ session: record.session, kind: 'session.start' }, () => true, signal).then(add('the launch')))
  if (record.trace) work.push(...ofTrace(record.trace, add, signal))
  let decision = record
  if (body.decision) {
    const found = await get(body.decision, signal)
    add('the answer it rests on')(found)
    decision = found[0] ?? record
  }
  work.push(...ofDecision(decision, add, signal))
  if (body.grant) work.push(...ofGrant(body.grant, textOf(body.capability), record, add, signal))
  await Promise.all(work)
  return [...links.values()].sort((a, b) => Number(a.record.seq) - Number(b.record.seq))
}

// ofTrace finds the ends of the action that a record belongs to: who called, and what
// that started. What lies between, a log filtered by the trace shows.
function ofTrace(trace: string, add: Adder, signal: AbortSignal): Promise<void>[] {
  const of = (kind: string, role: string) => find({ trace, kind }, () => true, signal).then((all) => add(role)(all.slice(-2)))
  return [of('api.call', 'the call, by its trace'), of('session.start', 'the launch'), of('session.exec', 'started there, by its trace')]
}

type Adder = (role: string) => (found: Record[]) => void

// ofDecision finds what a decision came from: the question before it, and the grant
// that decided.
function ofDecision(decision: Record, add: Adder, signal: AbortSignal): Promise<void>[] {
  const body = bodyOf(decision)
  if (decision.kind !== 'decision') return []
  const capability = textOf(body.capability)
  const work: Promise<void>[] = []
  for (const reason of body.reasons ?? []) {
    const { grant } = reason
    if (!grant) continue
    const about = (r: Record) => bodyOf(r).grant === grant
    work.push(find({ kind: 'grant.add', capability: textOf(reason.by) }, about, signal).then(add('the grant that decided')))
  }
  const near = (r: Record) => textOf(bodyOf(r).capability) === capability && r.seq !== decision.seq
  if (decision.session) {
    const filter = { session: decision.session, kind: 'decision', capability }
    if (body.outcome === 'ask') {
      work.push(find(filter, (r) => near(r) && Number(r.seq) > Number(decision.seq), signal).then((all) => add('what was decided then')(all.slice(-1))))
    } else {
      work.push(find({ ...filter, outcome: 'ask' }, (r) => near(r) && Number(r.seq) < Number(decision.seq), signal).then((all) => add('the question')(all.slice(0, 1))))
    }
  }
  return work
}

// ofGrant finds the grant's beginning and end, and what sessions lost by it.
function ofGrant(grant: string, capability: string, record: Record, add: Adder, signal: AbortSignal): Promise<void>[] {
  const about = (r: Record) => bodyOf(r).grant === grant
  const rests = (r: Record) => (bodyOf(r).reasons ?? []).some((reason) => reason.grant === grant)
  const work = [
    find({ kind: 'grant.add', capability }, about, signal).then(add('the grant')),
    find({ kind: 'grant.revoke', capability }, about, signal).then(add('it was taken back')),
    find({ kind: 'decision', capability }, rests, signal).then((all) => add('was decided by it')(all.slice(-2))),
  ]
  if (record.kind === 'grant.revoke') {
    work.push(find({ kind: 'grant.effect', capability }, (r) => Number(r.seq) > Number(record.seq), signal).then((all) => add('a session lost it')(all.slice(-2))))
  }
  return work
}
