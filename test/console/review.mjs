import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bench, call, file, home, press, signIn, until, url } from './bench.mjs'

const hostile = '<img src=x onerror=alert(1)>'

await bench(async ({ page }) => {
  const work = join(home, 'work')
  for (const [name, text] of Object.entries({ one: 'a\nb\nc\n', two: 'mine\n', gone: 'x\n' })) file(join('work', name), text)
  const host = (name) => existsSync(join(work, name)) && readFileSync(join(work, name), 'utf8')
  await signIn(page)
  const script = `cd /work && printf 'a\\nB\\nc\\n' > one && echo theirs > two && rm gone && printf 'a\\0b' > bin && echo "$1" > "$1" && mkdir -p .git/hooks && echo x > .git/hooks/post-commit`
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', script, 'sh', `${hostile}\u001b[31m\u202e`.replaceAll('/', '')], volumes: [`${work}:/work:cow`], dir: '/' })
  await until('the session ends', async () => (await call(page, 'SessionService/GetSession', { id: session.id })).session.state === 'SESSION_STATE_ENDED')
  await page.goto(`${url}/sessions/${session.id}`)
  const review = page.getByRole('region', { name: 'What it changed' })
  const row = (name) => review.locator('.changes > li').filter({ has: page.getByRole('checkbox', { name: `Choose ${name}` }) })
  await row('one').waitFor()
  assert.equal(host('one'), 'a\nb\nc\n')
  await review.getByText('may run by itself').waitFor()

  // File by file, by keys.
  await row('one').locator('.path').focus()
  await page.keyboard.press('Enter')
  await row('one').locator('.more-line').getByText('B').waitFor()
  assert.deepEqual((await row('one').locator('tr').allInnerTexts()).map((l) => l.replace(/\s+/g, ' ').trim()).slice(1), ['1 1 a', '2 - b', '2 + B', '3 3 c'])
  await row('bin').locator('.path').click()
  await row('bin').getByText('It is no text.').waitFor()
  await row(hostile).first().locator('.path').click()
  await row(hostile).first().locator('.more-line').getByText(hostile).waitFor()
  assert.equal(await page.evaluate(() => document.querySelectorAll('#root img, [onerror]').length), 0)
  assert.match(await review.innerText(), /\\x1b\[31m\\xe2\\x80\\xae/)

  // What somebody changed meanwhile is not overwritten, and nothing else is applied.
  file('work/two', 'mine, too\n')
  for (const name of ['one', 'two']) await row(name).getByRole('checkbox').check()
  await review.getByRole('button', { name: 'Apply 2 chosen' }).click()
  await review.getByRole('alert').getByText('"two" was changed on the host').waitFor()
  assert.deepEqual([host('one'), host('two')], ['a\nb\nc\n', 'mine, too\n'])
  await row('two').getByRole('checkbox').uncheck()
  await row('one').locator('.path').focus()
  await press(page, 'x', async () => !(await row('one').getByRole('checkbox').isChecked()))
  await press(page, 'x', async () => row('one').getByRole('checkbox').isChecked())
  await row('gone').getByRole('checkbox').check()
  await review.getByRole('button', { name: 'Apply 2 chosen' }).click()
  await row('one').waitFor({ state: 'detached' })
  assert.deepEqual([host('one'), host('gone'), host('two'), host('bin')], ['a\nB\nc\n', false, 'mine, too\n', false])

  await review.getByRole('button', { name: 'Drop' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Drop it' }).click()
  await review.waitFor({ state: 'detached' })
  assert.deepEqual([host('two'), host('bin'), host(hostile)], ['mine, too\n', false, false])
})
