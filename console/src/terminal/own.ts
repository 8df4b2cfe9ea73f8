// The terminals of what this page has started since it was loaded. A program that asks its
// terminal something is answered once: by the page that started it, or where somebody types.

const own = new Set<string>()
const unseen = new Set<string>()

/** Says that this page has started something. */
export function started(id: string) {
  own.add(id)
  unseen.add(id)
}

export const owns = (id: string) => own.has(id)

/** Reports, once, that nobody has seen yet what it wrote at first, and so nobody answered. */
export const firstLook = (id: string) => unseen.delete(id)
