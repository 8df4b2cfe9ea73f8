// Answer what a running program asks for: its call waits meanwhile, and goes on.
import { dialEnv } from '@ambit/sdk/node'

const file = process.argv[2] ?? '/etc/hostname' // what it is to read
const client = await dialEnv()
const session = await client.start({ argv: ['cat', file], dir: '/', ask: true, askBy: 'notification' })
for await (const asks of client.waiting()) {
  if (asks.question.session !== session.id) continue
  console.log('it asks for the file:', asks.question.capability === `fs.read:${file}`)
  await asks.allow()
  break
}
const exit = await session.wait({ stdout: (data) => process.stdout.write(data) })
console.log('exit', exit)
