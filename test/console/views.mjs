import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { bench, call, file, pack, signIn, until, url } from './bench.mjs'
import { check } from './look.mjs'

// Axe is put into the page from outside, which its policy does not allow.
await bench(async ({ page, run }) => {
  const path = file('notes/november.txt')
  await page.goto(url)
  await page.getByLabel('Token').waitFor()
  await check(page, 'login')
  await signIn(page)

  const done = run('cat', path)
  await page.locator('.question.open').getByText(path).first().waitFor()
  const { questions } = await call(page, 'QuestionService/ListQuestions')
  await call(page, 'QuestionService/AnswerQuestion', { id: questions[0].id, verdict: 'VERDICT_ALLOW', span: 'SPAN_ALWAYS' })
  await done.ended
  run('cat', file('notes/december.txt'))
  await page.locator('.question.open').getByText('december').first().waitFor()
  run('cat', file('notes/january-with-a-name-that-is-longer-than-a-line-of-a-telephone-and-has-no-spaces-in-it.txt'))
  await page.locator('.question').getByText('january').first().waitFor()
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['seq', '3'], dir: '/' })
  const words = 'printf "$ ls\\nnotes  \\033[34mreports\\033[0m\\n$ "; read line'
  const terminal = (await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', words], dir: '/', terminal: { rows: 24, columns: 80 } })).session
  await call(page, 'ExecService/CreateExec', { session: terminal.id, argv: ['sleep', '3600'], terminal: { rows: 24, columns: 80 } })
  const { records } = await call(page, 'AuditService/ListRecords', { filter: { kind: 'decision', outcome: 'allow', capability: `fs.read:${path}` } })

  const views = {
    inbox: ['/', '.question.open .choices', 'january'],
    sessions: ['/sessions', '.rows tbody tr'],
    session: [`/sessions/${session.id}`, '.layers li'],
    programs: [`/sessions/${terminal.id}`, '.program'],
    terminal: [`/sessions/${terminal.id}`, '.xterm-rows', 'reports'],
    grants: ['/grants', '.rows tbody tr'],
    log: ['/log', '.rows tbody tr'],
    record: [`/log/${records[0].seq}`, 'svg.chain .here'],
    packs: ['/packs', '.empty'],
    host: ['/host', '.facts .badge'],
    settings: ['/settings', '.facts'],
    none: ['/sessions/s-aaaaaaaaaa', '[role=alert]'],
  }
  for (const [name, [at, shown, words = '']] of Object.entries(views)) {
    await page.goto(url + at)
    await page.locator(shown).first().waitFor()
    await page.locator('#view').getByText(words).first().waitFor()
    await check(page, name)
  }

  // Installing a pack: from where, what it asks for, and what it has.
  const source = pack('words', {
    id: 'org.example.words', description: 'Counts words', version: '1.2', entry: ['./words'],
    capabilities: [{ capability: 'fs.read:~', reason: 'count all' }, { capability: 'net.connect:example.org:443', reason: 'look words up', optional: true },
      { capability: `fs.write:${file('out/words.txt')}`, reason: 'keep the counts' }, { capability: 'fs.read:/etc/hostname' }],
  })
  await page.goto(url + '/install')
  await page.getByLabel('Reference').fill(source)
  await check(page, 'install')
  await page.getByRole('button', { name: 'Look at it' }).first().click()
  await page.locator('.risk.broad').getByLabel('Allow').check()
  await page.getByLabel('type org.example.words').waitFor()
  await check(page, 'consent')
  await page.getByRole('button', { name: 'All later' }).click()
  await page.getByRole('button', { name: 'Install it' }).click()
  await page.locator('.wants li').first().waitFor()
  await check(page, 'pack')
  pack('words', { id: 'org.example.words', version: '1.3', capabilities: ['fs.read:/etc/hostname'] })
  await page.getByRole('button', { name: 'Update' }).click()
  await page.locator('.consent').getByText('1.2 is installed').waitFor()
  await check(page, 'update')

  // What a session changed.
  const work = dirname(file('proj/main.go', 'package main\n\nfunc main() {\n\tprintln(1)\n}\n'))
  const fix = `cd /work && sed -i 's/println(1)/println("one")/' main.go && echo new > notes.txt && mkdir -p .git/hooks && echo true > .git/hooks/post-commit`
  const fixed = (await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', fix], volumes: [`${work}:/work:cow`], dir: '/' })).session
  await until('the session ends', async () => (await call(page, 'SessionService/GetSession', { id: fixed.id })).session.state === 'SESSION_STATE_ENDED')
  await page.goto(`${url}/sessions/${fixed.id}`)
  await page.getByRole('button', { name: 'main.go' }).click()
  await page.locator('.diff .more-line').first().waitFor()
  await page.locator('.layers li').first().waitFor()
  await check(page, 'review')

  // A dialog holds the focus, and gives it back.
  await page.goto(url + '/grants')
  const revoke = page.getByRole('button', { name: 'Revoke' }).first()
  await revoke.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await check(page, 'dialog')
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await until('the focus is back', () => revoke.evaluate((e) => e === document.activeElement))

  // What somebody chose counts, whatever the system says, and lasts.
  await page.emulateMedia({ colorScheme: 'light' })
  await page.goto(url + '/settings')
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await ground()
  await page.getByLabel('Dark').check()
  assert.notEqual(await ground(), light)
  await page.reload()
  await page.getByLabel('Dark').waitFor()
  assert.notEqual(await ground(), light)
}, { bypassCSP: true })
