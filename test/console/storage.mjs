import assert from 'node:assert/strict'
import { ambit, bench, call, pack, patience, signIn, url } from './bench.mjs'
import { check } from './look.mjs'

const key = '<svg/onload=alert(1)>' // no key has what cannot be seen, or a space
const image = '<img src=x onerror=alert(1)>'
const put = (text) => ambit('run', '--allow', `storage.write:${key}`, '--', 'sh', '-c', 'printf "$1" > "/ambit/storage/$2"', 'sh', text, key)

/** Looks for what would have become of a text, had it been taken for more. */
async function plain(page) {
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, #root svg, #root iframe, #root script, [onerror], [onload]').length), 0)
  assert.doesNotMatch(await page.evaluate(() => document.title + document.body.innerText), /[\u001b\u202e]/)
}

// Axe is put into the page from outside. Without the page's policy markup would run.
await bench(async ({ page, browser }) => {
  await signIn(page, '/storage')
  await page.getByText('Nothing is stored.').waitFor()
  put(`${image}\\033[31mfirst`)
  put('second')

  await page.getByRole('button', { name: 'Read again' }).click()
  const rows = page.locator('.rows tbody tr')
  await rows.getByText('2 versions').waitFor()
  await check(page, 'storage')
  await page.getByRole('link', { name: key, exact: true }).click()
  await page.getByRole('heading', { name: key }).waitFor()
  await rows.nth(1).waitFor()
  assert.match(await rows.nth(0).innerText(), /^2 current\s+6 bytes.*s-[a-z0-9]{10}/s)

  // A version is shown as text, whatever is in it.
  await page.getByRole('button', { name: 'Show version 1' }).click()
  await page.getByLabel('Content', { exact: true }).getByText(`${image}\\x1b[31mfirst`).waitFor()
  await plain(page)
  await check(page, 'value')

  await page.getByRole('button', { name: 'Restore version 1' }).click()
  await page.getByText('What it had is current, as version 3.').waitFor()
  await rows.nth(2).waitFor()
  assert.ok(ambit('storage', 'cat', key).startsWith(image))
  assert.equal(await page.getByRole('button', { name: 'Restore version 3' }).count(), 0, 'what is current needs no restoring')

  // Nothing is removed without a yes.
  await page.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  assert.equal((await call(page, 'StorageService/GetValue', { key })).versions.length, 3)
  await page.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click()
  await rows.nth(3).waitFor()
  await page.getByText('What it had is current').waitFor({ state: 'detached' })
  assert.match(await rows.nth(0).innerText(), /^4 current\s+.*removed/s)
  assert.equal(await page.getByRole('button', { name: 'Remove', exact: true }).count(), 0)
  await page.getByRole('button', { name: 'Restore version 2' }).click()
  await page.getByText('as version 5.').waitFor()
  assert.equal(ambit('storage', 'cat', key), 'second')
  await page.goto(`${url}/log?kind=storage.commit`)
  await rows.getByText(`${key} version 4, removed`).waitFor()
  await plain(page)

  // Who may only look sees no content, and is offered nothing that would be refused.
  const { token } = JSON.parse(ambit('token', 'add', 'seer', '--role', 'viewer', '--json'))
  const other = await (await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' })).newPage()
  other.setDefaultTimeout(patience)
  await signIn(other, '/storage', token)
  await other.getByRole('link', { name: key, exact: true }).click()
  await other.getByText('That takes an operator.').waitFor()
  await other.locator('.rows tbody tr').nth(4).waitFor()
  assert.equal(await other.getByRole('button', { name: /Show|Restore|Remove|Forget/ }).count(), 0)

  // What a removed pack has left is given to the one that has its id, if there is one.
  const id = 'org.example.keeper'
  const keeper = pack('keeper', { id, entry: ['sh', '-c', 'echo kept > /ambit/storage/notes'], capabilities: ['storage.write:notes'] })
  ambit('pack', 'install', '--yes', keeper)
  ambit('run', '--pack', id)
  ambit('pack', 'rm', id)
  await page.goto(`${url}/storage`)
  await rows.getByText('kept for nobody').waitFor()
  const give = page.getByRole('button', { name: `Give it to the pack ${id}: notes and what else was left` })
  await give.click()
  await page.getByRole('dialog').getByRole('button', { name: 'Give it' }).click()
  await page.getByRole('dialog').getByText('there is no pack').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  ambit('pack', 'install', '--yes', keeper)
  await check(page, 'storage-left')
  await give.click()
  await page.getByRole('dialog').getByRole('button', { name: 'Give it' }).click()
  await page.getByRole('link', { name: 'notes', exact: true }).click()

  // What is forgotten is gone, with its versions and a yes.
  await page.getByRole('button', { name: 'Forget' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  assert.equal(ambit('storage', 'cat', '--pack', id, 'notes'), 'kept\n')
  await page.getByRole('button', { name: 'Forget' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click()
  await rows.getByText(key).waitFor()
  await rows.getByText('notes', { exact: true }).waitFor({ state: 'detached' }) // the list is read again
  await assert.rejects(call(page, 'StorageService/GetValue', { pack: id, key: 'notes' }), /nothing is stored/)

  // What a host would answer that knew no rules for keys.
  const odd = { pack: '\u001b[31m\u202eorg', key: `${image}\u001b[2J`, current: { number: '1', time: '2026-01-01T00:00:00Z' }, versions: 1, left: '2026-01-02T00:00:00Z' }
  await page.route('**/ambit.v1.StorageService/ListValues', (r) => r.fulfill({ json: { values: [odd] } }))
  await page.goto(`${url}/storage`)
  await rows.getByText(`${image}\\x1b[2J`).waitFor()
  await rows.getByText('kept for nobody').waitFor()
  assert.equal(await rows.getByRole('link').count(), 0, 'a removed pack has no values that could be opened')
  await plain(page)
}, { bypassCSP: true })
