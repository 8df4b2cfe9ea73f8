// What a program sees of a host that refuses it, ends, or does wrong: of the one that the
// environment names, or of each that an argument names in place of it, line by line.
import { Failure, dialEnv } from '../../sdk/typescript/dist/node.js'

const [what, ...places] = process.argv.slice(2)

async function leave(client) {
  const left = new AbortController()
  try {
    for await (const _ of client.questions.watchQuestions({}, { signal: left.signal })) {
      console.log('seen')
      setTimeout(() => left.abort(), 10) // while it waits for more
    }
  } catch (e) {
    if (!left.signal.aborted || e.code !== 'canceled') throw e
    console.log('left')
  }
}

async function go(client) {
  if (what === 'watch') for await (const _ of client.questions.watchQuestions()) console.log('seen')
  else if (what === 'leave') await leave(client)
  else if (what === 'late') await client.host.checkHealth({}, { timeout: 500 })
  else if (what === 'denied') await client.start({ argv: ['true'], allow: [process.env.CAPABILITY] })
  else if (what === 'checked') await checked(client)
}

async function checked(client) {
  const command = { argv: ['echo', 'looked at'], limits: { wall: '1m' }, ask: true, askBy: 'notification' }
  const seen = await client.check(command)
  console.log('starts', seen.starts, seen.limits.wall, seen.asks)
  console.log('exit', await (await client.start({ ...command, checked: seen.digest })).wait())
  console.log('starts', (await client.check({ argv: ['true'], allow: [process.env.CAPABILITY] })).starts)
  await client.start({ ...command, checked: seen.digest, argv: ['echo', 'another'] })
}

async function told() {
  try {
    await go(await dialEnv())
    console.log('code none')
  } catch (e) {
    if (!(e instanceof Failure)) throw e
    for (const d of e.denials) if (d.reasons[0]?.text) console.log('denial', d.id, d.capability)
    console.log('code', e.code === 'invalid_argument' ? 'invalid' : e.code)
  }
}

if (places.length === 0) await told()
for (const place of places) {
  for (const name of Object.keys(process.env)) if (name.startsWith('AMBIT_')) delete process.env[name]
  for (const line of place.split('\n')) process.env[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1)
  await told()
}
