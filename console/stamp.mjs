// Notes in the built folder what it was built from and what it is made of. A test
// in internal/console finds by it a build that was forgotten or edited by hand.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const digest = (data) => createHash('sha256').update(data).digest('hex')

function files(dir, leave) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    leave.includes(e.name) ? [] : e.isDirectory() ? files(join(dir, e.name), leave) : [join(dir, e.name)],
  )
}

// A line for each file, by the bytes of their names: its digest and its name.
function sum(dir, leave) {
  const names = files(dir, leave).map((f) => relative(dir, f).split(sep).join('/'))
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return digest(names.map((n) => `${digest(readFileSync(join(dir, n)))}  ${n}\n`).join(''))
}

const own = import.meta.dirname
const dist = join(own, '../internal/console/dist')
writeFileSync(join(dist, 'BUILD'), `sources ${sum(own, ['node_modules'])}\nfiles ${sum(dist, ['BUILD'])}\n`)
