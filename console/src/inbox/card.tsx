import { useMutation } from '@tanstack/react-query'
import { memo, useEffect, useId, useImperativeHandle, useState, type FormEvent, type Ref } from 'react'
import { call } from '../api/call'
import type { Answered, Offer, Question } from '../api/types'
import { Code, plain, Text } from '../text'
import { Left, minute, moment, useNow } from '../time'
import { Facts, Problem } from '../ui'
import { answer, choices, command, stored, strong, terms, whom, type Choice } from './words'

/** What keys do with the question that is open. */
export interface CardHandle {
  offer: (n: number) => void
  choose: (c: Choice) => void
}

interface Props {
  question: Question
  open: boolean
  may: boolean
  onOpen: (id: string) => void // the same each time, as all that is here: others are not drawn again
  ref: Ref<CardHandle> | null
}

export const Card = memo(function Card({ question: q, open, may, onOpen, ref }: Props) {
  const body = useId()
  return (
    <>
      <h2>
        <button type="button" id={`question-${q.id}`} className="line" aria-expanded={open} aria-controls={open ? body : undefined} onClick={() => onOpen(q.id)}>
          <span className="wants">
            <Text value={q.meaning || q.capability} />
          </span>
          <span className="asker">
            <Text value={q.program || 'a program'} />
            {q.pack && (
              <>
                {' of '}
                <Text value={q.pack} />
              </>
            )}
          </span>
          <span className="left">
            <Left until={q.expires} />
          </span>
        </button>
      </h2>
      {open && (
        <div className="body" id={body}>
          <Body question={q} may={may} handle={ref} />
        </div>
      )}
    </>
  )
})

function Body({ question: q, may, handle }: { question: Question; may: boolean; handle: Ref<CardHandle> | null }) {
  const offers: Offer[] = q.offers?.length ? q.offers : [{ capability: q.capability, scope: '', words: 'exactly this' }]
  const [at, setAt] = useState(0)
  const [term, setTerm] = useState(0)
  const [sure, setSure] = useState<Choice | null>(null)
  const offer = offers[at] ?? (offers[0] as Offer)
  const send = useMutation({
    mutationFn: (c: Choice) => call<Answered>('QuestionService/AnswerQuestion', answer(c, offer, q, term)),
  })
  const done = send.isPending || send.isSuccess
  const choose = (c: Choice) => {
    if (done) return
    if (strong(c, offer, q)) setSure(c)
    else {
      setSure(null)
      send.mutate(c)
    }
  }
  useImperativeHandle(handle, () => ({ choose, offer: (n) => n < offers.length && !done && (setAt(n), setSure(null)) }))
  return (
    <>
      <Facts
        rows={[
          ['Who', <Who question={q} />],
          ['Running', q.argv?.length ? <Code value={command(q.argv)} /> : ''],
          ['Wants to', <Text value={q.meaning} />],
          ['Exactly', <Code value={q.capability} />],
          ['Careful', q.sensitive ? <strong className="careful"><Text value={q.sensitive} /></strong> : ''],
          ['Because', q.reason ? <q><Text value={q.reason} /></q> : 'It did not say why.'],
          ['Session', <Code value={q.session} />],
          ['Asked', moment(q.asked)],
        ]}
      />
      {may ? (
        <>
          <Offers offers={offers} at={at} disabled={done} onChange={(n) => (setAt(n), setSure(null))} />
          <Choices question={q} offer={offer} term={term} disabled={done} onTerm={setTerm} onChoose={choose} />
          {sure && !done && <Sure choice={sure} offer={offer} onYes={() => send.mutate(sure)} onNo={() => setSure(null)} />}
        </>
      ) : (
        <p className="quiet">Your role sees questions and does not answer them. That takes an approver.</p>
      )}
      {send.isPending && <p role="status">Answering…</p>}
      {send.isSuccess && <p role="status">{send.data.taken ? 'Answered.' : 'Answered. The session has not taken it yet; it may be stopped.'}</p>}
      {send.isError && <Problem error={send.error} retry={() => send.reset()} />}
    </>
  )
}

function Who({ question: q }: { question: Question }) {
  return (
    <>
      <Text value={q.program || 'a program'} /> {q.pid ? `(process ${q.pid}) ` : ''}of{' '}
      {q.pack ? (
        <>
          the pack <Text value={q.pack} />
        </>
      ) : (
        'a command run without a pack'
      )}
      {q.organisation && (
        <>
          {', for '}
          <Text value={q.organisation} />
        </>
      )}
    </>
  )
}

function Offers({ offers, at, disabled, onChange }: { offers: Offer[]; at: number; disabled: boolean; onChange: (n: number) => void }) {
  const name = useId()
  return (
    <fieldset className="offers" disabled={disabled}>
      <legend>What</legend>
      {offers.map((o, i) => (
        <label key={i}>
          <input type="radio" name={name} checked={i === at} onChange={() => onChange(i)} />
          <span>
            <kbd aria-hidden="true">{i + 1}</kbd> <Text value={o.words} />: <Code value={o.capability} />
            {o.broad && <span className="badge warn">wide, or reaches secrets</span>}
          </span>
        </label>
      ))}
    </fieldset>
  )
}

interface ChoicesProps {
  question: Question
  offer: Offer
  term: number
  disabled: boolean
  onTerm: (n: number) => void
  onChoose: (c: Choice) => void
}

function Choices({ question, offer, term, disabled, onTerm, onChoose }: ChoicesProps) {
  const until = useId()
  const end = useNow() + (terms[term]?.seconds ?? 0) * 1000
  return (
    <div className="choices" role="group" aria-label={`Answer, about ${plain(whom(question))}`}>
      {choices.map((c) => (
        <div key={c.key} className="option">
          <div className="act">
            <button type="button" className={c.verdict === 'VERDICT_ALLOW' ? 'allow' : 'deny'} disabled={disabled} aria-keyshortcuts={c.key} onClick={() => onChoose(c)}>
              {c.words}
              <kbd aria-hidden="true">{c.key}</kbd>
            </button>
            {c.span === 'SPAN_UNTIL' && (
              <select id={until} aria-label="Until when" value={term} disabled={disabled} onChange={(e) => onTerm(Number(e.target.value))}>
                {terms.map((t, i) => (
                  <option key={t.seconds} value={i}>
                    {t.words}
                  </option>
                ))}
              </select>
            )}
          </div>
          <p className="stored">
            <Text value={stored(c, offer, question, minute(end))} />
          </p>
        </div>
      ))}
    </div>
  )
}

function Sure({ choice, offer, onYes, onNo }: { choice: Choice; offer: Offer; onYes: () => void; onNo: () => void }) {
  const id = useId()
  const [typed, setTyped] = useState('')
  useEffect(() => document.getElementById(id)?.focus(), [id, choice])
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (typed.trim() === 'yes') onYes()
  }
  return (
    <form className="sure" onSubmit={submit}>
      <label htmlFor={id}>
        This reaches far. Type yes to answer “{choice.words}” for <Code value={offer.capability} />
      </label>
      <div className="act">
        <input id={id} value={typed} autoComplete="off" onChange={(e) => setTyped(e.target.value)} onKeyDown={(e) => e.key === 'Escape' && onNo()} />
        <button type="submit" className="allow" disabled={typed.trim() !== 'yes'}>
          {choice.words}
        </button>
        <button type="button" onClick={onNo}>
          Cancel
        </button>
      </div>
    </form>
  )
}
