import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { bench, call, signIn, until, url } from './bench.mjs'

const hostile = '<img src=x onerror=alert(1)>'

await bench(async ({ page }) => {
  await signIn(page)
  const script = `mkdir /tmp/d && cd /tmp/d && printf '%s\\n\\033[31m' "$1" > "$1" && printf 'a\\000b' > "$(printf '\\377x')" && ln -s /etc/shadow l && mkfifo p && > /tmp/.done; exec sleep 3600`
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', script, 'sh', hostile.replaceAll('/', '')], dir: '/' })
  await until('the files are there', async () => (await call(page, 'FileService/ListFiles', { session: session.id, path: '/tmp' })).files?.some((f) => f.name === '.done'))
  await page.goto(`${url}/sessions/${session.id}`)
  const files = page.getByRole('region', { name: 'Files' })
  await files.getByRole('button', { name: 'Show its files' }).click()
  await files.getByRole('button', { name: 'd/', exact: true }).click()

  // As text, whatever is in it.
  await files.getByRole('button', { name: hostile, exact: true }).click()
  await files.getByLabel('Content').getByText(hostile).waitFor()
  assert.match(await files.innerText(), /\\x1b\[31m/)
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0)
  await files.getByText('link to /etc/shadow').waitFor()
  assert.equal(await files.getByRole('button', { name: 'p', exact: true }).count(), 0)

  // What is not UTF-8 is found by its bytes.
  const [kept] = await Promise.all([page.waitForEvent('download'), files.getByRole('button', { name: 'Download \ufffdx' }).click()])
  assert.deepEqual([...readFileSync(await kept.path())], [97, 0, 98])

  await files.getByLabel('Make a folder in it').fill('new')
  await files.getByRole('button', { name: 'Make it' }).click()
  await files.getByRole('button', { name: 'new/', exact: true }).click()
  const big = Buffer.alloc((1 << 20) + 5, 'y')
  await files.getByLabel('Upload a file into this folder').setInputFiles({ name: 'up load', mimeType: 'text/plain', buffer: big })
  await files.getByRole('button', { name: 'Upload it' }).click()
  await files.getByRole('button', { name: 'up load', exact: true }).waitFor()
  assert.equal((await call(page, 'FileService/GetFile', { session: session.id, path: '/tmp/d/new/up load' })).file.size, String(big.length))
  await files.getByRole('button', { name: 'Remove up load' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click()
  await files.getByText('Nothing is in it.').waitFor()

  // A folder goes with what is in it where that is said, and else not.
  await files.getByRole('button', { name: 'tmp/', exact: true }).click()
  await files.getByRole('button', { name: 'Remove d', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Remove it' }).click()
  await dialog.getByText('directory not empty').waitFor()
  await dialog.getByLabel('With all that is in it').check()
  await dialog.getByRole('button', { name: 'Remove all of it' }).click()
  await files.getByRole('button', { name: 'd/', exact: true }).waitFor({ state: 'detached' })
  await call(page, 'SessionService/StopSession', { id: session.id })
})
