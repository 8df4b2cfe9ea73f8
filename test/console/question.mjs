import assert from 'node:assert/strict'
import { archive, bench, file, pack, press, signIn, until } from './bench.mjs'

await bench(async ({ page, runPack }) => {
  const path = file('notes/november.txt', 'what it is about\n')
  await page.goto(new URL('/', process.env.CONSOLE_URL).href)
  await page.getByLabel('Token').fill('ambit_no-such-token')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  await signIn(page)
  await page.getByText('Nothing waits for an answer.').waitFor()

  // Nothing that it asks for is allowed by installing it.
  const id = 'org.example.reader'
  const words = 'read l < "$1" && echo "$l" || echo refused'
  const folder = pack('reader', {
    id, entry: ['sh', '-c', `${words}; echo one; read again; ${words}`, 'sh', path],
    capabilities: [{ capability: `fs.read:${path}`, reason: 'to know what it is about' }, 'net.connect:example.org:443'],
  })
  await page.getByRole('link', { name: 'Packs' }).click()
  await page.getByRole('link', { name: 'Install a pack' }).first().click()
  await page.getByLabel('An archive').setInputFiles(archive(folder))
  await page.getByRole('button', { name: 'Upload and look at it' }).click()
  const consent = page.locator('.consent')
  await consent.getByText('to know what it is about').waitFor()
  assert.deepEqual(await consent.locator('.risk h3').allInnerTexts(), ['The network', 'Files'])
  await consent.getByRole('group', { name: /connect to example.org/ }).getByLabel('Never').check()
  await consent.getByRole('button', { name: 'Install it, allowing 0 of 2' }).click()
  await page.getByText('What it wants, and has').waitFor()
  assert.equal(await page.locator('.wants').getByText('granted', { exact: true }).count(), 0)

  const program = runPack(id)
  await page.getByRole('link', { name: 'Inbox' }).click()
  const question = page.locator('.question.open')
  await question.getByText(`allow fs.read:${path} to the pack ${id}, until you revoke it`).waitFor()
  assert.match(await question.innerText(), /sh \(process \d+\)/)
  assert.match(await question.innerText(), /to know what it is about/)
  assert.equal(await page.locator('nav .waiting').innerText(), '1')
  assert.equal(program.out, '')

  await press(page, 'a', () => program.out.includes('one'))
  assert.match(program.out, /what it is about\none/)
  await page.getByText('Nothing waits for an answer.').waitFor()

  await page.getByRole('link', { name: 'Grants' }).click()
  await page.getByLabel('Search').fill('november')
  const row = page.getByRole('row').filter({ hasText: path })
  await row.getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
  await page.getByText('No grant is about that.').waitFor()

  // The session loses it, and the log has that.
  await page.getByRole('link', { name: 'Log' }).click()
  await page.getByLabel('Kind').selectOption('grant.effect')
  await until('the log shows what the session lost', async () => {
    await page.getByRole('button', { name: 'Read again' }).click()
    return (await page.locator('.rows tbody').getByText(`lost fs.read:${path}`).count()) === 1
  })

  program.tell('again')
  await page.getByRole('link', { name: 'Inbox' }).click()
  await question.getByText(path).first().waitFor()
  await press(page, 'd', () => program.out.includes('refused'))
  await program.ended

  await page.getByRole('link', { name: 'Log' }).click()
  await page.getByLabel('Capability begins with').fill(`fs.read:${path}`)
  await page.getByLabel('Capability begins with').press('Enter')
  for (const words of [`ask fs.read:${path}`, `allow fs.read:${path}`, `deny fs.read:${path}`]) {
    await page.locator('.rows tbody').getByText(words, { exact: true }).first().waitFor()
  }
  await page.getByRole('button', { name: 'Verify the log' }).click()
  await page.getByText(/^Intact: \d+ records are what was written/).waitFor()
  assert.equal(await page.getByText('are lost or were cut off').count(), 0)
  // What a machine that stopped may have lost is said beside it.
  await page.route('**/ambit.v1.AuditService/VerifyLog', async (route) => {
    const answer = await (await route.fetch()).json()
    await route.fulfill({ json: { ...answer, lost: '2' } })
  })
  await page.getByRole('button', { name: 'Verify the log' }).click()
  await page.getByText('2 records behind them are lost or were cut off').waitFor()

  // One record, with what led to it.
  await page.getByLabel('Outcome').selectOption('allow')
  await page.getByLabel('Kind').selectOption('decision')
  await page.locator('.rows tbody a').last().click()
  const picture = page.locator('svg.chain')
  for (const words of ['the launch', 'the question', 'the grant that decided', 'this record']) {
    await picture.getByText(words).waitFor()
  }
})
