import assert from 'node:assert/strict'
import { bench, call, file, pack, press, signIn, until } from './bench.mjs'

const image = '<img src=x onerror=alert(1)>'
const name = `${image} \u001b[31mred\u001b[0m \u202efdp.exe`
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

// check looks for what would have become of the name, had it been taken for more than
// text.
async function check(page, where) {
  const made = await page.evaluate(() => document.querySelectorAll('#root img, #root iframe, #root object, #root script, [onerror]').length)
  assert.equal(made, 0, `${where}: elements were made of a text`)
  const text = await page.evaluate(() => document.title + document.body.innerText + [...document.querySelectorAll('[aria-label], [title]')].map((e) => e.ariaLabel + e.title).join(''))
  assert.doesNotMatch(text, unseen, `${where}: what cannot be seen is not escaped`)
}

await bench(async ({ page, run, browser }) => {
  const path = file(name)
  await signIn(page)

  const program = run('sh', '-c', 'cat "$1"; read x', image, path)
  const question = page.locator('.question.open')
  await question.getByText(image).first().waitFor()
  const text = await question.innerText()
  assert.ok(text.includes('\\x1b') && text.includes('\\xe2\\x80\\xae'), text)
  await check(page, 'inbox')
  await press(page, 's', () => program.out.includes('content'))

  // A session whose output the host keeps.
  const { session } = await call(page, 'SessionService/CreateSession', {
    argv: ['printf', '%s\\n', name], dir: '/',
  })
  await page.goto(`${process.env.CONSOLE_URL}/sessions/${session.id}`)
  await page.locator('.output').getByText(image).waitFor()
  await until('the report is there', () => page.locator('.layers li').count())
  await check(page, 'session')

  for (const [view, shown] of [['/grants', '.rows tbody'], ['/log', '.rows tbody'], ['/sessions', '.rows tbody'], ['/packs', '.empty'], ['/host', '.facts'], ['/settings', '.facts']]) {
    await page.goto(process.env.CONSOLE_URL + view)
    await page.locator(shown).first().waitFor()
    if (view === '/grants' || view === '/log') await page.locator(shown).getByText(image).first().waitFor()
    await check(page, view)
  }
  const { records } = await call(page, 'AuditService/ListRecords', { filter: { kind: 'decision', outcome: 'allow', capability: 'fs.read:' } })
  await page.goto(`${process.env.CONSOLE_URL}/log/${records[0].seq}`)
  await page.locator('svg.chain').getByText('this record').waitFor()
  await check(page, 'record')

  // What the author of a pack wrote, and how its folder is called. What cannot be seen
  // is no part of a manifest.
  const about = (words) => ({ id: 'org.example.hostile', name: words, description: words, capabilities: [{ capability: `fs.read:/srv/${image}`, reason: words }] })
  for (const [words, shown] of [[name, '[role=alert]'], [image, '.consent .want']]) {
    await page.goto(`${process.env.CONSOLE_URL}/install`)
    await page.getByLabel('Reference').fill(pack(`hostile ${name}`, about(words)))
    await page.getByRole('button', { name: 'Look at it' }).first().click()
    await page.locator(shown).getByText(image).first().waitFor()
    await check(page, 'consent')
  }
  assert.match(await page.locator('.consent').innerText(), /fdp\.exe/)
  await page.getByRole('button', { name: 'Install it' }).click()
  await page.locator('.wants').getByText(image).first().waitFor()
  await check(page, 'pack')

  // Were it taken for markup all the same: nothing would run.
  const attack = async () => {
    const tried = []
    const attempt = (what, f) => {
      try {
        f()
        tried.push(`${what} is made`)
      } catch (e) {
        tried.push(`${what}: ${e.name}`)
      }
    }
    attempt('markup', () => (document.createElement('p').innerHTML = '<img src=x>'))
    attempt('script', () => (document.createElement('script').text = 'x = 1'))
    const img = document.createElement('img')
    attempt('handler', () => img.setAttribute('onerror', 'document.body.dataset.ran = 1'))
    const failed = new Promise((resolve) => img.addEventListener('error', resolve))
    img.src = 'data:image/png,no'
    await failed
    return [...tried, document.body.dataset.ran ? 'it ran' : 'nothing ran']
  }
  const other = await browser.newPage({ ignoreHTTPSErrors: true })
  await other.goto(process.env.CONSOLE_URL)
  const [markup, script, , ran] = await other.evaluate(attack)
  assert.deepEqual([markup, script, ran], ['markup: TypeError', 'script: TypeError', 'nothing ran'])
  await other.goto('data:text/html,<p>without a policy')
  assert.deepEqual(await other.evaluate(attack), ['markup is made', 'script is made', 'handler is made', 'it ran'])
})
