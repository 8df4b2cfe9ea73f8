// Run a program that sees nothing of the person's, and take what it writes.
import { Failure, dialEnv } from '@ambit/sdk/node'

const client = await dialEnv()
try {
  const session = await client.start({ argv: ['sh', '-c', 'wc -w; exit 3'], stdin: 'four words of text' })
  const exit = await session.wait({
    stdout: (data) => process.stdout.write(data),
    stderr: (data) => process.stderr.write(data),
  })
  console.log('exit', exit)
} catch (e) {
  if (!(e instanceof Failure)) throw e
  console.error(e.code, e.message)
  for (const { id, capability, reasons } of e.denials) console.error(id, capability, reasons.map((r) => r.text).join('; '))
  process.exitCode = 1
}
