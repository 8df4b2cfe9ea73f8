// List what stands, and take it back.
import { dialEnv } from '@ambit/sdk/node'

const file = process.argv[2] ?? '/etc/hostname' // what was granted
const client = await dialEnv()
await client.grant([`fs.read:${file}`])
const ids = []
for await (const grant of client.standing()) {
  if (grant.capability !== `fs.read:${file}`) continue
  console.log('granted:', grant.verdict)
  ids.push(grant.id)
}
const lost = await client.revoke(ids)
console.log(`${ids.length} revoked, ${lost.length} sessions lost something`)
