// Notes in the built folder what it was built from and what it is made of. A test finds
// by it a build that was forgotten or edited by hand.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const digest = (data) => createHash('sha256').update(data).digest('hex')

// A line for each file, by the bytes of their names: its digest and its name.
function sum(dir, leave) {
  const names = readdirSync(dir).filter((name) => name !== leave)
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return digest(names.map((name) => `${digest(readFileSync(new URL(name, dir)))}  ${name}\n`).join(''))
}

const src = new URL('src/', import.meta.url)
const dist = new URL('dist/', import.meta.url)
writeFileSync(new URL('BUILD', dist), `sources ${sum(src, '')}\nfiles ${sum(dist, 'BUILD')}\n`)
