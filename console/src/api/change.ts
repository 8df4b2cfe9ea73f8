// The lines of a difference, as the host has them.
export interface Line {
  sign: ' ' | '+' | '-' | '@'
  before: number | null
  after: number | null
  text: string
}

/** Reads the parts of a difference. What is no line of one is left out: the heads. */
export function linesOf(text: string): Line[] {
  const out: Line[] = []
  let before = 0
  let after = 0
  let within = false
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line)
    if (head) {
      before = Number(head[1])
      after = Number(head[2])
      within = true
      out.push({ sign: '@', before: null, after: null, text: line })
    } else if (within) {
      const sign = line[0]
      if (sign === '+') out.push({ sign, before: null, after: after++, text: line.slice(1) })
      else if (sign === '-') out.push({ sign, before: before++, after: null, text: line.slice(1) })
      else if (sign === '\\') out.push({ sign: '@', before: null, after: null, text: line.slice(2) })
      else out.push({ sign: ' ', before: before++, after: after++, text: line.slice(1) })
    }
  }
  return out
}
