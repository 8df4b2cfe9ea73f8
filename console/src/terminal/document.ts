// The page's policy takes no style that stands in a document, neither as an element nor
// as an attribute. xterm.js makes both. Here they become sheets and properties, which the
// policy allows, since by them no text of a document is read as style.

/** The page's document, for a terminal. Its styles go with `drop`. */
export function documentOf(page: Document): { document: Document; drop: () => void } {
  const sheets: CSSStyleSheet[] = []
  const adopt = (style: HTMLStyleElement) => {
    const sheet = new CSSStyleSheet()
    sheets.push(sheet)
    page.adoptedStyleSheets.push(sheet)
    Object.defineProperty(style, 'textContent', { set: (text: string) => sheet.replaceSync(text) })
  }
  const createElement = (name: string): HTMLElement => {
    const e = page.createElement(name)
    const appendChild = e.appendChild.bind(e)
    e.appendChild = <T extends Node>(child: T): T => {
      if (!(child instanceof HTMLStyleElement)) return appendChild(child)
      adopt(child)
      return child
    }
    return e
  }
  const document = new Proxy(page, {
    get(target, key) {
      if (key === 'createElement') return createElement
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { document, drop: () => (page.adoptedStyleSheets = page.adoptedStyleSheets.filter((s) => !sheets.includes(s))) }
}

/** What of xterm.js makes a style attribute, of elements of the page's own document. */
interface Inside {
  _core?: { _renderService?: { _renderer?: { value?: { _rowFactory?: { _addStyle?: (e: HTMLElement, style: string) => void } } } } }
}

/**
 * Has the rows of a terminal that is open be coloured by properties. It reaches into a
 * version that is pinned; where that has become another, the page's test sees it.
 */
export function withoutAttributes(term: object) {
  const rows = (term as Inside)._core?._renderService?._renderer?.value?._rowFactory
  if (rows) rows._addStyle = (e, style) => (e.style.cssText += style)
}
