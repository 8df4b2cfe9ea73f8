// Everything that a sandboxed program can name is drawn by Text. Nothing else in the
// console makes markup of a text.

const hidden = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u
const mark = /\p{M}/u
const mostMarks = 2 // on one letter: more reach into the lines above and below

export interface Run {
  text: string
  escaped: boolean
}

function bytes(s: string): string {
  return [...new TextEncoder().encode(s)].map((b) => '\\x' + b.toString(16).padStart(2, '0')).join('')
}

/**
 * Splits a text into what can be shown as it is and what is escaped: what cannot be
 * seen, what turns text around, and what pushes the rest out of sight.
 * `layout` says whether line ends and tabs may stay.
 */
export function runs(text: string, layout = false): Run[] {
  const out: Run[] = []
  let marks = 0
  let last = ' '
  let at = 0
  for (const ch of text) {
    at += ch.length
    marks = mark.test(ch) ? marks + 1 : 0
    const kept = layout && (ch === '\n' || ch === '\t')
    const spaces = !layout && ch === ' ' && (last === ' ' || at === text.length)
    const escaped = !kept && (hidden.test(ch) || spaces || marks > mostMarks || (marks > 0 && last === ' '))
    last = ch
    const shown = escaped ? bytes(ch) : ch
    const end = out.at(-1)
    if (end && end.escaped === escaped) end.text += shown
    else out.push({ text: shown, escaped })
  }
  return out
}

/** The same as one string, for places that take no elements: labels and titles. */
export function plain(text: string): string {
  return runs(text)
    .map((r) => r.text)
    .join('')
}

export function Text({ value, layout = false }: { value: string | undefined; layout?: boolean }) {
  return (
    <span className="text">
      {runs(value ?? '', layout).map((r, i) =>
        r.escaped ? (
          <span key={i} className="escaped">
            {r.text}
          </span>
        ) : (
          r.text
        ),
      )}
    </span>
  )
}

/** A capability, a path, an id: the same, in letters of one width. */
export function Code({ value }: { value: string | undefined }) {
  return (
    <code>
      <Text value={value} />
    </code>
  )
}
