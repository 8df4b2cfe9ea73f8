import { useNavigate } from '@tanstack/react-router'
import { plain } from '../text'
import { summary, tone } from './body'
import type { Link } from './chain'

const width = 330
const height = 58
const gap = 26
const left = 14
const fits = 41 // characters of a line

/** A chain of records as a picture: the oldest at the top, the one looked at marked. */
export function Picture({ links, current }: { links: Link[]; current: string }) {
  const navigate = useNavigate()
  const all = links.length * (height + gap) - gap + 4
  return (
    <svg className="chain" viewBox={`0 0 ${width} ${all}`} role="group" aria-label="How it came about, the earliest first">
      {links.map(({ record: r, role }, i) => {
        const y = i * (height + gap) + 2
        const here = r.seq === current
        const to = `/log/${r.seq}`
        return (
          <g key={r.seq}>
            {i > 0 && <path className="arrow" d={`M${left + 10} ${y - gap + 2}v${gap - 6}m-4 -5l4 5l4 -5`} />}
            <a
              href={to}
              aria-current={here ? 'true' : undefined}
              onClick={(e) => {
                if (e.ctrlKey || e.metaKey || e.shiftKey) return
                e.preventDefault()
                void navigate({ to: '/log/$ref', params: { ref: r.seq } })
              }}
            >
              <title>{`Record ${r.seq}: ${plain(summary(r))}`}</title>
              <rect className={here ? 'node here' : 'node'} x={1} y={y} width={width - 2} height={height - 2} rx={6} />
              <rect className={`bar ${tone(r) ?? ''}`} x={1} y={y} width={4} height={height - 2} rx={2} />
              <text x={left} y={y + 21} className="title">
                {r.kind} <tspan className="role">{role}</tspan>
              </text>
              <text x={left} y={y + 42} className="line">
                {short(plain(summary(r)) || `record ${r.seq}`)}
              </text>
            </a>
          </g>
        )
      })}
    </svg>
  )
}

// short leaves out the middle: the end of a path says most.
function short(text: string): string {
  const letters = [...text]
  if (letters.length <= fits) return text
  return [...letters.slice(0, fits / 3), '…', ...letters.slice(letters.length - Math.floor((fits * 2) / 3) + 1)].join('')
}
