import { useEffect, useRef, useState } from 'react'
import { Text } from '../text'
import { Problem } from '../ui'
import { follow, gone } from './follow'

const mostShown = 256 * 1024 // characters

interface Piece {
  bad: boolean // of standard error
  text: string
  gone?: boolean // it stands for what is not kept
}

interface Output {
  pieces: Piece[]
  cut: boolean
  end: string
  error: unknown
}

/** What a session has written, and what it writes now, as text: escapes stay visible. */
export function OutputOf({ session }: { session: string }) {
  const out = useOutput(session)
  const bottom = useRef<HTMLPreElement>(null)
  const follows = useRef(true)
  useEffect(() => {
    const box = bottom.current
    if (box && follows.current) box.scrollTop = box.scrollHeight
  }, [out])
  return (
    <>
      {out.error !== null && <Problem error={out.error} />}
      {out.cut && <p className="quiet">Only the end is shown.</p>}
      <pre
        ref={bottom}
        className="output"
        tabIndex={0}
        role="log"
        aria-label="Output"
        onScroll={(e) => (follows.current = e.currentTarget.scrollTop + e.currentTarget.clientHeight > e.currentTarget.scrollHeight - 24)}
      >
        {out.pieces.map((p, i) => (
          <span key={i} className={p.gone ? 'gone' : p.bad ? 'err' : undefined}>
            <Text value={p.text} layout />
          </span>
        ))}
        {out.pieces.length === 0 && <span className="quiet">{out.end ? 'It wrote nothing.' : 'Nothing yet.'}</span>}
      </pre>
      {out.end && <p className="quiet">{out.end}</p>}
    </>
  )
}

function useOutput(id: string): Output {
  const [out, setOut] = useState<Output>({ pieces: [], cut: false, end: '', error: null })
  useEffect(() => {
    const abort = new AbortController()
    setOut({ pieces: [], cut: false, end: '', error: null })
    void read(id, abort.signal, setOut)
    return () => abort.abort()
  }, [id])
  return out
}

function read(id: string, signal: AbortSignal, setOut: (f: (o: Output) => Output) => void) {
  const decoders = { good: new TextDecoder(), bad: new TextDecoder() }
  return follow(id, signal, {
    data: (bad, bytes) => {
      const text = (bad ? decoders.bad : decoders.good).decode(bytes, { stream: true })
      setOut((o) => added(o, { bad, text }))
    },
    lost: (bytes) => setOut((o) => added(o, { bad: false, gone: true, text: `\n${gone(bytes)}\n` })),
    end: ({ exit, dropped }) =>
      setOut((o) => ({ ...o, error: null, end: `It ended with status ${exit}.${dropped ? ` ${dropped} bytes more were written than are kept.` : ''}` })),
    error: (error) => setOut((o) => ({ ...o, error })),
  })
}

function added(o: Output, p: Piece): Output {
  const pieces = [...o.pieces]
  const last = pieces.at(-1)
  if (last && last.bad === p.bad && !last.gone && !p.gone) pieces[pieces.length - 1] = { bad: p.bad, text: last.text + p.text }
  else pieces.push(p)
  let over = pieces.reduce((n, q) => n + q.text.length, 0) - mostShown
  const cut = o.cut || over > 0
  while (over > 0 && pieces[0]) {
    const cutOff = Math.min(over, pieces[0].text.length)
    pieces[0] = { ...pieces[0], text: pieces[0].text.slice(cutOff) }
    if (pieces[0].text === '') pieces.shift()
    over -= cutOff
  }
  return { ...o, pieces, cut, error: null }
}
