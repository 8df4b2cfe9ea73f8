import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
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

  // Volumes, variables and denials have a row each. What is wrong with one stands beside it.
  const add = async (what) => {
    await page.getByRole('button', { name: new RegExp(`^(Add a|Another) ${what}$`) }).click()
    await until('the new row is filled in next', () => page.evaluate(() => document.activeElement?.tagName === 'INPUT'))
  }
  const folder = dirname(file('shown/in.txt', 'from the volume\n'))
  const hidden = dirname(file('shown/hidden/key', 'hidden\n'))
  await fill(['sh', '-c', `cat /data/in.txt; echo "<$WORD>"; cat ${hidden}/key; : > /data/new; echo over`], `fs.read:${folder}`)
  await page.getByLabel('At a terminal').uncheck()
  await add('volume')
  const [source, target] = ['host', 'inside'].map((side) => page.getByLabel(`Volume 1: path ${side === 'host' ? 'of the host' : side}`))
  assert.equal(await source.evaluate((e) => e === document.activeElement), true)
  await source.fill('shown')
  await page.getByText('The path of the host begins with /.').waitFor()
  assert.equal(await source.getAttribute('aria-invalid'), 'true')
  await target.fill('/data')
  await look()
  assert.equal(await source.evaluate((e) => e === document.activeElement), true, 'what is wrong has no focus')
  assert.equal(await seen.count(), 0)
  await check(page, 'rows')
  const gone = join(folder, 'gone')
  await source.fill(gone)
  await look()
  const said = page.locator('.entry').filter({ has: source }).getByRole('alert')
  await said.waitFor()
  assert.match(await said.innerText(), /no such file/)
  assert.equal(await page.locator('.notice.bad').count(), 0, 'it is said twice')
  await source.fill(folder)
  await said.waitFor({ state: 'detached' })
  await page.getByLabel('Volume 1: how').selectOption('cow')
  await add('volume')
  await page.getByRole('button', { name: 'Leave out volume 2' }).click()
  assert.equal(await page.getByRole('button', { name: 'Another volume' }).evaluate((e) => e === document.activeElement), true, 'the focus is lost with a row')
  await add('variable')
  await page.keyboard.insertText(`WORD=${image} $(id)`) // as it is pasted
  assert.equal(await page.getByLabel('Variable 1: value').inputValue(), `${image} $(id)`)
  await add('variable')
  await page.getByLabel('Variable 2: name').fill('WORD')
  await page.getByText('That name is there already.').waitFor()
  await page.getByRole('button', { name: 'Leave out variable 2' }).click()
  await add('denial')
  await page.keyboard.type('fs.nothing:/')
  await look()
  await page.locator('.entry').filter({ has: page.getByLabel('Denial 1', { exact: true }) }).getByRole('alert').waitFor()
  await page.getByLabel('Denial 1', { exact: true }).fill(`fs.read:${hidden}`)
  await look()
  await seen.getByText(`WORD=${image} $(id)`).waitFor()
  await seen.getByText(`read ${hidden}`).waitFor()
  await seen.getByText(`${folder} at /data, changes are kept apart`).waitFor()
  await seen.getByText('denied for this session').waitFor()
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0, 'elements were made of a text')
  await check(page, 'beside')
  await page.setViewportSize({ width: 1200, height: 800 })

  // What was looked at is what is started, of each of them.
  for (const change of [{ env: { WORD: 'other' } }, { volumes: [`${folder}:/data:rw`] }, { deny: [] }]) {
    await page.route('**/ambit.v1.SessionService/CreateSession', (route) => route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ...change }) }), { times: 1 })
    await page.getByRole('button', { name: 'Start it' }).click()
    await page.getByText('look at it again').waitFor()
    await look()
    await seen.waitFor()
  }
  await page.getByRole('button', { name: 'Start it' }).click()
  await page.locator('.output').getByText('over').waitFor()
  const wrote = await page.locator('.output').innerText()
  assert.ok(wrote.includes('from the volume') && wrote.includes(`<${image} $(id)>`), wrote)
  assert.ok(!wrote.includes('hidden\n'), 'what is denied was read')
  assert.equal(existsSync(join(folder, 'new')), false, 'a copy is changed on the host')

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
