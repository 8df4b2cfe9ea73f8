import { useQuery } from '@tanstack/react-query'
import { call } from '../api/call'
import { linesOf } from '../api/change'
import type { Change, Difference } from '../api/types'
import { Code, plain, Text } from '../text'
import { State } from '../ui'

/** The most lines that are drawn. */
const most = 2000

/** What became of one file, as the host compares it. Every line was written by a program. */
export function DifferenceOf({ session, change: c, stamp }: { session: string; change: Change; stamp: string }) {
  const query = useQuery({
    queryKey: ['difference', session, stamp, c.volume, c.path],
    queryFn: ({ signal }) => call<Difference>('ChangeService/GetDifference', { session, volume: c.volume, path: c.path }, signal),
  })
  const d = query.data
  return (
    <div className="diff" role="region" tabIndex={0} aria-label={`What became of ${plain(c.path)}`}>
      <State query={query} what="what became of it" />
      {d && <Body difference={d} />}
    </div>
  )
}

function Body({ difference: d }: { difference: Difference }) {
  if (d.kind === 'DIFFERENCE_KIND_BINARY') return <p className="quiet">It is no text. It has {d.change.size ?? 0} bytes now.</p>
  if (d.kind === 'DIFFERENCE_KIND_LONG') return <p className="quiet">It is too long to be compared here: it has {d.change.size ?? 0} bytes now.</p>
  if (d.kind !== 'DIFFERENCE_KIND_TEXT') return d.change.target ? <p>It leads to <Code value={d.change.target} /></p> : <p className="quiet">It is no file.</p>
  const lines = linesOf(d.text ?? '')
  return (
    <>
      {lines.length === 0 && <p className="quiet">Its text is the same; it is its mode that changed, or it is empty.</p>}
      <table>
        <tbody>
          {lines.slice(0, most).map((l, i) => (
            <tr key={i} className={l.sign === '+' ? 'more-line' : l.sign === '-' ? 'less-line' : l.sign === '@' ? 'part-line' : undefined}>
              <td className="number">{l.before}</td>
              <td className="number">{l.after}</td>
              <td className="sign">{l.sign === '@' ? '' : l.sign}</td>
              <td>
                <Text value={l.text} layout />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {(d.more || lines.length > most) && <p className="notice warn">It goes on. Read the rest with ambit session diff before you apply it.</p>}
    </>
  )
}
