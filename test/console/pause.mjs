import assert from 'node:assert/strict'
import { bench, call, signIn, until, url } from './bench.mjs'

await bench(async ({ page }) => {
  await signIn(page)
  const wait = 'until [ -e /tmp/go ]; do sleep 0.1; done; echo it went on'
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', wait], dir: '/' })
  const now = async () => (await call(page, 'SessionService/GetSession', { id: session.id })).session
  await page.goto(`${url}/sessions/${session.id}`)
  const facts = page.locator('.facts').first()
  await page.getByRole('region', { name: 'Files' }).waitFor()

  await page.getByRole('button', { name: 'Pause it' }).click()
  await facts.getByText('paused', { exact: true }).waitFor()
  assert.equal((await now()).paused, true)
  assert.equal(await page.getByRole('region', { name: 'Files' }).count(), 0, 'no program could be asked for its files')
  await page.goto(`${url}/sessions`)
  await page.locator('.rows tbody').getByText('paused', { exact: true }).waitFor()

  await page.goto(`${url}/sessions/${session.id}`)
  await page.getByRole('button', { name: 'Let it go on' }).click()
  await page.getByRole('button', { name: 'Pause it' }).waitFor()
  assert.ok(!(await now()).paused)
  await call(page, 'FileService/WriteFile', { session: session.id, path: '/tmp/go', last: true })
  await page.locator('.output').getByText('it went on').waitFor()
  await until('the session ends', async () => (await now()).state === 'SESSION_STATE_ENDED')
})
