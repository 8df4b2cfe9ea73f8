import assert from 'node:assert/strict'
import { ambit, bench, call, signIn, until } from './bench.mjs'

const image = '<img src=x onerror=alert(1)>'
const most = 500 // that the page has

await bench(async ({ page, context }) => {
  await signIn(page, '/log')
  const rows = page.locator('.rows.log tbody tr')
  const numbers = () => rows.evaluateAll((all) => all.map((r) => Number(r.cells[0].innerText)))
  const records = async (filter = {}) => (await call(page, 'AuditService/ListRecords', { pageSize: 1000, filter })).records.map((r) => Number(r.seq))
  const whole = async (what, filter) => until(what, async () => JSON.stringify(await numbers()) === JSON.stringify(await records(filter)), async () => `${await numbers()}\n${await records(filter)}`)
  const write = () => ambit('run', '--', 'printf', image)
  // Each call of a page is recorded before anything is looked for.
  const calls = (n) => page.evaluate(async (n) => {
    const headers = { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1' }
    for (let i = 0; i < n; i++) await fetch('/ambit.v1.PauseService/ResumeSession', { method: 'POST', headers, body: '{"id":"s-aaaaaaaaaa"}' })
  }, n)

  // What is written comes by itself, as text, and each record once.
  await page.getByText('What is written now comes at the top.').waitFor()
  write()
  await rows.getByText(`printf ${image}`).first().waitFor()
  await whole('what is written is there')
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0)

  // While it is paused nothing comes and nothing is asked for; what was left out comes then.
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('Nothing of it is lost.').waitFor()
  const before = await numbers()
  const requests = []
  page.on('request', (r) => r.url().includes('Records') && requests.push(r.url()))
  write()
  await new Promise((r) => setTimeout(r, 1500))
  assert.deepEqual(await numbers(), before, 'records come while it is paused')
  assert.deepEqual(requests, [])
  await page.getByRole('button', { name: 'Go on' }).click()
  await whole('what was left out is there')

  // So it is where the connection is lost.
  await context.setOffline(true)
  write()
  await context.setOffline(false)
  await whole('what was written without a connection is there')

  // A filter is one of what comes, too.
  await page.getByLabel('Kind').selectOption('session.start')
  write()
  await until('the filter is that of the page', async () => (await records({ kind: 'session.start' })).length === 4)
  await whole('what comes is filtered', { kind: 'session.start' })

  // However much is written, the page has so many, the newest, and says so.
  await page.getByLabel('Kind').selectOption('api.call')
  await calls(most + 50)
  await page.getByText(`The newest ${most} are shown.`).waitFor()
  const newest = (await records({ kind: 'api.call' })).slice(0, most)
  await until('the newest are there', async () => JSON.stringify(await numbers()) === JSON.stringify(newest), async () => `${await numbers()}`)
  await page.getByRole('button', { name: 'Read again' }).click()
  await page.getByRole('button', { name: 'Earlier records' }).click()
  await until('one pages back without a gap', async () => {
    const shown = await numbers()
    return shown.length >= 200 && JSON.stringify(shown) === JSON.stringify((await records({ kind: 'api.call' })).slice(0, shown.length))
  })

  // With the view it ends.
  const left = page.waitForEvent('requestfailed', (r) => r.url().endsWith('StreamRecords'))
  await page.getByRole('link', { name: 'Grants' }).click()
  await left
})
