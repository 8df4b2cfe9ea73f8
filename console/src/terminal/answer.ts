import type { Terminal } from '@xterm/xterm'

/** So many questions are answered at once, and as many more each second. */
const most = 32
const second = 1000

/** What stands in the terminal, as in its theme: #rrggbb. */
export interface Colours {
  foreground: string
  background: string
  cursor: string
}

/**
 * Answers a program that asks its terminal what it is, where the cursor stands and what
 * colours it has, where `may` says so. It comes behind deafen, which has it answer nothing.
 *
 * An answer is typed, and read by whatever reads next, a shell for example. So each is made
 * here, of numbers that the page knows: none has a text of the program's, a line end or any
 * other key that does something, and there are few. A program chooses where its cursor stands,
 * and so two numbers.
 */
export function answering(term: Terminal, colours: Colours, may: () => boolean, type: (text: string) => void) {
  let left = most
  let since = 0
  const say = (text: string) => {
    const now = performance.now()
    if (now - since > second) [since, left] = [now, most]
    if (may() && left-- > 0) type(text)
    return true
  }
  const cursor = () => {
    const { cursorX, cursorY } = term.buffer.active
    return `${cursorY + 1};${Math.min(cursorX + 1, term.cols)}R`
  }
  const { parser } = term
  parser.registerCsiHandler({ final: 'n' }, ([what]) => {
    if (what === 5) return say('\x1b[0n')
    return what === 6 ? say(`\x1b[${cursor()}`) : true
  })
  parser.registerCsiHandler({ prefix: '?', final: 'n' }, ([what]) => (what === 6 ? say(`\x1b[?${cursor()}`) : true))
  parser.registerCsiHandler({ final: 'c' }, ([what]) => (what ? true : say('\x1b[?1;2c')))
  parser.registerCsiHandler({ prefix: '>', final: 'c' }, ([what]) => (what ? true : say('\x1b[>0;276;0c')))
  for (const [osc, colour] of [[10, colours.foreground], [11, colours.background], [12, colours.cursor]] as const) {
    parser.registerOscHandler(osc, (data) => (data === '?' ? say(`\x1b]${osc};${rgb(colour)}\x1b\\`) : true))
  }
}

/** A colour as XParseColor has it: each part twice, since it has 16 bits there. */
function rgb(colour: string): string {
  return `rgb:${[1, 3, 5].map((at) => colour.slice(at, at + 2).repeat(2)).join('/')}`
}
