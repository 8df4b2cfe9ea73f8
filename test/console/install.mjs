import assert from 'node:assert/strict'
import { bench, call, file, pack, press, signIn, url } from './bench.mjs'

const id = 'org.example.words'

await bench(async ({ page }) => {
  const [a, b, c] = ['a', 'b', 'c'].map((n) => `fs.read:${file(`words/${n}.txt`)}`)
  const source = pack('source', { id, capabilities: [a, { capability: b, optional: true }, 'net.connect:*'] })
  const granted = async () => ((await call(page, 'GrantService/ListGrants', { pack: id })).grants ?? []).map((g) => `${g.verdict} ${g.capability}`).sort()
  const state = async () => [((await call(page, 'PackService/ListPacks')).packs ?? []).map((p) => p.version), await granted()]
  await signIn(page, '/install')
  const consent = page.locator('.consent')
  const look = async () => {
    await page.goto(`${url}/install`)
    await page.getByLabel('Reference').fill(source)
    await page.getByLabel('Reference').press('Enter')
    await consent.waitFor()
  }

  // Whoever leaves has installed nothing.
  await look()
  assert.deepEqual(await consent.locator('.risk h3').allInnerTexts(), ['What is broad', 'Files'])
  await consent.getByRole('button', { name: 'Do not install' }).click()
  await page.getByLabel('Reference').waitFor()
  assert.deepEqual(await state(), [[], []])

  // All of it by keys: what is broad waits for the id.
  await look()
  await consent.getByRole('button', { name: 'Allow what is not broad' }).press('Enter')
  const wide = consent.getByRole('group', { name: 'connect to any public address' }).getByLabel('Later')
  assert.equal(await wide.isChecked(), true)
  await wide.press('ArrowLeft')
  const install = consent.getByRole('button', { name: 'Install it, allowing 3 of 3' })
  assert.equal(await install.isDisabled(), true)
  const typed = consent.getByLabel(`type ${id}`)
  await typed.fill('org.example.word')
  assert.equal(await install.isDisabled(), true)
  await typed.fill(id)
  await press(page, 'Enter', () => page.getByText('What it wants, and has').count())
  assert.deepEqual(await state(), [['1.0'], [`VERDICT_ALLOW ${a}`, `VERDICT_ALLOW ${b}`, 'VERDICT_ALLOW net.connect:*']])

  // Less is quiet, more is shown with what is lost.
  const update = page.getByRole('button', { name: 'Update' })
  await update.click()
  await page.getByText('Its source has what is installed.').waitFor()
  pack('source', { id, version: '1.1', capabilities: [a, b] })
  await update.click()
  await page.getByText('It lost 1 that it does not ask for any more.').waitFor()
  assert.deepEqual(await state(), [['1.1'], [`VERDICT_ALLOW ${a}`, `VERDICT_ALLOW ${b}`]])
  pack('source', { id, version: '2.0', capabilities: [a, c] })
  await update.click()
  await consent.getByText('1.1 is installed').waitFor()
  assert.match(await consent.locator('.less').innerText(), /b\.txt/)
  assert.match(await consent.locator('.difference').innerText(), /allowed\s+read .*a\.txt/)
  assert.equal(await consent.locator('.want').count(), 1)
  assert.deepEqual((await state())[0], ['1.1'])
  await consent.getByLabel('Never').check()
  await consent.getByRole('button', { name: 'Install the update, allowing 0 of 1' }).click()
  await page.getByText('The update is installed.').waitFor()
  assert.deepEqual(await state(), [['2.0'], [`VERDICT_ALLOW ${a}`, `VERDICT_DENY ${c}`]])

  // An older version is refused, and taken where a person says so.
  pack('source', { id, version: '1.9', capabilities: [a] })
  await update.click()
  await page.getByText('1.9 is older than 2.0, which was installed last').waitFor()
  assert.deepEqual((await state())[0], ['2.0'])
  await page.getByRole('button', { name: 'Take the older version' }).click()
  await page.getByText('1.9', { exact: true }).waitFor()
  assert.deepEqual((await state())[0], ['1.9'])

  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  assert.deepEqual((await state())[0], ['1.9'])
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click()
  await page.getByText('No pack is installed.').waitFor()
  assert.deepEqual(await state(), [[], []])
})
