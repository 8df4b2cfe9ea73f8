import assert from 'node:assert/strict'
import { ambit, bench, call, env, file, pack, patience, signIn, until, url } from './bench.mjs'
import { check } from './look.mjs'

const image = '<img src=x onerror=alert(1)>'

// Axe is put into the page from outside. Without the page's policy markup would run.
await bench(async ({ page, browser }) => {
  const path = file(`notes/${image}.txt`, 'kept apart\n')
  const sessions = async () => (await call(page, 'SessionService/ListSessions', { ended: true })).sessions ?? []
  const look = () => page.getByRole('button', { name: 'Look at what it would be allowed' }).click()
  const seen = page.getByLabel('What it would be allowed', { exact: true })
  const fill = async (words, allow = '') => {
    await page.goto(`${url}/sessions/new`)
    for (const [i, word] of words.entries()) {
      if (i > 0) await page.getByRole('button', { name: 'Another word' }).click()
      await page.getByLabel(`Word ${i + 1}`, { exact: true }).fill(word)
    }
    await page.getByLabel('Allow for this session').fill(allow)
    await page.getByLabel('at its first touch').selectOption('')
  }
  await signIn(page, '/sessions')
  await page.getByRole('link', { name: 'Start a session' }).click()
  await page.getByLabel('Word 1').waitFor()
  await check(page, 'start')

  // What it would be allowed is shown before there is one. A word is one, whatever is in it.
  await fill(['printf', '%s|', `a b; $(id) ${image}`, ''], `fs.read:${path}`)
  await page.getByLabel('Ends after').fill('30s')
  await look()
  await seen.getByText(`read ${path}`).waitFor()
  await seen.getByText('wall 30s').waitFor()
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0, 'elements were made of a text')
  await check(page, 'allowed')
  assert.deepEqual(await sessions(), [], 'looking has started something')

  // What was changed since is looked at again before it can be started.
  await page.getByLabel('Ends after').fill('31s')
  await seen.waitFor({ state: 'detached' })
  assert.equal(await page.getByRole('button', { name: 'Start it' }).count(), 0)
  await page.getByLabel('At a terminal').uncheck()
  await look()
  await page.getByRole('button', { name: 'Start it' }).click()
  await page.locator('.output').getByText(`a b; $(id) ${image}||`).waitFor()
  assert.equal((await sessions()).length, 1)

  // What another one allowed meanwhile is not started unseen.
  await fill(['cat', path])
  await look()
  await seen.getByText('Tier').waitFor()
  ambit('grants', 'add', `fs.read:${path}`)
  await page.getByRole('button', { name: 'Start it' }).click()
  await page.getByText('look at it again').waitFor()
  await until('it was refused', async () => (await sessions()).every((s) => s.program !== 'cat' || s.exit === 125))
  await look()
  await seen.getByText(`read ${path}`).waitFor()
  await page.getByRole('button', { name: 'Start it' }).click()
  await page.locator('.xterm-rows').getByText('kept apart').waitFor()

  // What would be denied says so, and cannot be started.
  await fill(['true'], `fs.read:${env.AMBIT_STATE_DIR}`)
  await look()
  await seen.getByText('It would be denied').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Start it' }).isDisabled(), true)

  // An installed pack is chosen by its id.
  ambit('pack', 'install', '--yes', pack('words', { id: 'org.example.words', version: '1.2', entry: ['seq', '3'], capabilities: [{ capability: 'fs.read:/etc/hostname', reason: `${image} for its name` }] }))
  await fill([''])
  await page.getByLabel('What', { exact: true }).selectOption('org.example.words')
  await look()
  await seen.getByText(`${image} for its name`).waitFor()
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0, 'elements were made of a text')
  await page.getByRole('button', { name: 'Start it' }).click()
  await page.locator('.xterm-rows').getByText('3').first().waitFor()

  // By the keyboard alone.
  await page.goto(`${url}/sessions/new`)
  await page.getByLabel('at its first touch').selectOption('') // this host may have nobody asked
  await page.getByLabel('Word 1').focus()
  await page.keyboard.type('true')
  await page.keyboard.press('Enter')
  await seen.waitFor()
  await page.getByRole('button', { name: 'Start it' }).focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/sessions\/s-/)

  // Who may not is offered nothing, and refused.
  const { token } = JSON.parse(ambit('token', 'add', 'seer', '--role', 'approver', '--json'))
  const other = await (await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' })).newPage()
  other.setDefaultTimeout(patience)
  await signIn(other, '/sessions', token)
  await other.locator('.rows, .empty').first().waitFor()
  assert.equal(await other.getByRole('link', { name: 'Start a session' }).count(), 0)
  await other.goto(`${url}/sessions/new`)
  await other.getByText('That takes an operator.').waitFor()
  await assert.rejects(call(other, 'SessionService/CheckSession', { session: { argv: ['true'] } }), /permission_denied/)
}, { bypassCSP: true })
