import '@xterm/xterm/css/xterm.css'
import { call } from '../api/call'
import { answering } from './answer'
import { deafen } from './deaf'
import { documentOf, withoutAttributes } from './document'
import { Keyboard } from './keyboard'

export interface Screen {
  draw: (bytes: Uint8Array, next: string) => Promise<void> // what ends at that offset of what is written
  reset: () => void // what stands there was drawn for what came before
  end: () => void
  selected: () => string
  read: (on: boolean) => void
  close: () => void
}

interface Asked {
  id: string
  runs: boolean
  label: string
  help: string // the element that says how to leave
  failed: (e: unknown) => void
  leave: () => void
  answers: () => boolean // whether a program that asks its terminal something is answered now
}

const colours = { background: '#16181b', foreground: '#e6e7e9', cursor: '#e6e7e9' }

const settled = 150 // ms without another size

/** Puts a terminal into an element. What draws it is read when it is first wanted. */
export async function open(box: HTMLElement, asked: Asked, signal: AbortSignal): Promise<Screen> {
  const [{ Terminal }, { FitAddon }] = await Promise.all([import('@xterm/xterm'), import('@xterm/addon-fit')])
  signal.throwIfAborted()
  const { document, drop } = documentOf(box.ownerDocument)
  const term = new Terminal({
    documentOverride: document,
    fontFamily: getComputedStyle(box).fontFamily,
    fontSize: 13,
    scrollback: 5000,
    minimumContrastRatio: 4.5, // a program may not write what cannot be read
    disableStdin: !asked.runs,
    cursorBlink: false,
    theme: colours,
  })
  deafen(term)
  const fit = new FitAddon()
  term.loadAddon(fit)
  term.open(box)
  withoutAttributes(term)
  const keys = box.querySelector('textarea')
  keys?.setAttribute('aria-label', asked.label)
  keys?.setAttribute('aria-describedby', asked.help)
  term.attachCustomKeyEventHandler((e) => {
    if (!(e.ctrlKey && e.shiftKey && e.code === 'KeyL')) return true
    e.preventDefault()
    if (e.type === 'keydown') asked.leave()
    return false
  })
  const keyboard = new Keyboard(asked.id, asked.failed)
  let drawn = '0' // the end of what is being drawn
  answering(term, colours, () => asked.runs && asked.answers(), (text) => keyboard.answer(text, drawn))
  const utf8 = new TextEncoder()
  term.onData((text) => asked.runs && keyboard.type(utf8.encode(text)))
  term.onBinary((text) => asked.runs && keyboard.type(Uint8Array.from(text, (c) => c.charCodeAt(0))))

  let timer = 0
  const resized = () => {
    fit.fit()
    window.clearTimeout(timer)
    if (!asked.runs) return
    timer = window.setTimeout(() => {
      const { rows, cols: columns } = term
      call('TerminalService/ResizeTerminal', { id: asked.id, rows, columns }, signal).catch((e: unknown) => signal.aborted || asked.failed(e))
    }, settled)
  }
  const observer = new ResizeObserver(resized)
  observer.observe(box)
  const end = () => {
    asked.runs = false
    window.clearTimeout(timer)
    keyboard.stop()
    term.options.disableStdin = true
  }
  return {
    draw: (bytes, next) => {
      drawn = next
      return new Promise((done) => term.write(bytes, done)) // no more is read until it is drawn
    },
    reset: () => term.reset(),
    end,
    selected: () => term.getSelection(),
    read: (on) => (term.options.screenReaderMode = on),
    close: () => {
      observer.disconnect()
      end()
      term.dispose()
      drop()
    },
  }
}
