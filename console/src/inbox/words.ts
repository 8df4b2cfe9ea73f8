// What an answer is, and what it leaves behind: the words of the question at the
// terminal (internal/approval/terminal/choice.go).
import type { Answer, Offer, Question, Span, Verdict } from '../api/types'

export interface Choice {
  key: string
  words: string
  verdict: Verdict
  span: Span
}

export const choices: Choice[] = [
  { key: 'a', words: 'Allow once', verdict: 'VERDICT_ALLOW', span: 'SPAN_ONCE' },
  { key: 's', words: 'For this session', verdict: 'VERDICT_ALLOW', span: 'SPAN_SESSION' },
  { key: 'u', words: 'Until', verdict: 'VERDICT_ALLOW', span: 'SPAN_UNTIL' },
  { key: 'w', words: 'Always', verdict: 'VERDICT_ALLOW', span: 'SPAN_ALWAYS' },
  { key: 'd', words: 'Deny', verdict: 'VERDICT_DENY', span: 'SPAN_ONCE' },
  { key: 'v', words: 'Never', verdict: 'VERDICT_DENY', span: 'SPAN_ALWAYS' },
]

export const terms = [
  { words: 'in an hour', seconds: 3600 },
  { words: 'in 8 hours', seconds: 8 * 3600 },
  { words: 'tomorrow', seconds: 24 * 3600 },
  { words: 'in 7 days', seconds: 7 * 24 * 3600 },
  { words: 'in 30 days', seconds: 30 * 24 * 3600 },
] as const

export function whom(q: Question): string {
  return q.pack ? `the pack ${q.pack}` : 'commands run without a pack'
}

/** Says exactly what an answer leaves behind. */
export function stored(c: Choice, offer: Offer, q: Question, until: string): string {
  if (c.verdict === 'VERDICT_DENY' && c.span === 'SPAN_ONCE') return 'Nothing is stored. Until the program ends it is not asked again.'
  const what = `${c.verdict === 'VERDICT_DENY' ? 'deny' : 'allow'} ${offer.capability} to ${whom(q)}`
  switch (c.span) {
    case 'SPAN_SESSION':
      return `${what}, until the program ends`
    case 'SPAN_UNTIL':
      return `${what}, until ${until}`
    case 'SPAN_ALWAYS':
      return `${what}, until you revoke it`
    case 'SPAN_ONCE':
      return `${what}, until the program ends: what is shown by it stays so long`
  }
}

/** Reports whether yes has to be typed. */
export function strong(c: Choice, offer: Offer, q: Question): boolean {
  return c.verdict === 'VERDICT_ALLOW' && (!!offer.broad || !!q.sensitive)
}

export function answer(c: Choice, offer: Offer, q: Question, term: number): Answer {
  const a: Answer = { id: q.id, verdict: c.verdict, span: c.span }
  if (c.verdict === 'VERDICT_ALLOW' || c.span !== 'SPAN_ONCE') a.scope = offer.capability
  if (c.span === 'SPAN_UNTIL') a.lifetime = `${terms[term]?.seconds ?? terms[0].seconds}s`
  if (strong(c, offer, q)) a.broad = true
  return a
}

/** The command as it was given: words with spaces in them in quotes. */
export function command(argv: string[] | undefined): string {
  return (argv ?? []).map((w) => (w === '' || /[\s'"\\]/.test(w) ? `'${w.replaceAll("'", `'\\''`)}'` : w)).join(' ')
}
