import type { Terminal } from '@xterm/xterm'

/**
 * Has a terminal do nothing for a program but draw characters.
 *
 * What a program writes is hostile. None of it sets a title, an address, a clipboard or a
 * colour of the page, makes a link, or has xterm.js type an answer: that would be read
 * by whatever reads next, a shell for example. What is answered all the same, answering does. What xterm.js has no handler for (OSC 52,
 * other device control strings) it leaves out by itself.
 */
export function deafen(term: Terminal) {
  const done = () => true
  const { parser } = term
  for (const osc of [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 52, 104, 110, 111, 112, 133, 633, 777, 1337]) parser.registerOscHandler(osc, done)
  for (const id of [
    { final: 'c' }, { prefix: '>', final: 'c' }, { prefix: '=', final: 'c' }, // what it is
    { final: 'n' }, { prefix: '?', final: 'n' }, // where the cursor is
    { intermediates: '$', final: 'p' }, { prefix: '?', intermediates: '$', final: 'p' }, // modes
    { prefix: '>', final: 'q' }, { final: 't' }, { final: 'x' }, // version, window
  ]) parser.registerCsiHandler(id, done)
  parser.registerDcsHandler({ intermediates: '$', final: 'q' }, done)
  parser.registerDcsHandler({ intermediates: '+', final: 'q' }, done)
  parser.registerEscHandler({ final: 'Z' }, done)
}
