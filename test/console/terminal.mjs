import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ambit, bench, call, file, patience, signIn, until, url } from './bench.mjs'

const image = '<img src=x onerror=alert(1)>'
const esc = '\u001b'
const st = `${esc}\\`

// What a hostile program writes: a title, a link, a clipboard, colours of the page, and
// all that a terminal answers by itself.
const hostile = [
  `${esc}]0;taken over\u0007`, `${esc}]2;taken over${st}`, `${esc}]8;;https://example.org/${st}press me${esc}]8;;${st} `,
  `${esc}]52;c;${btoa('taken over')}\u0007`, `${esc}]52;c;?\u0007`, `${esc}]4;1;?\u0007${esc}]10;?\u0007${esc}]11;?\u0007${esc}]12;?\u0007`,
  `${esc}[c${esc}[>c${esc}[=c${esc}[5n${esc}[6n${esc}[?6n${esc}[?25$p${esc}[4$p${esc}[>q${esc}[14t${esc}[18t${esc}[21t`,
  `${esc}P$qm${st}${esc}P+q544e${st}${esc}Z\u0005`, `${esc}]1337;SetMark\u0007`, image,
  ` ${esc}[38;2;120;200;90mcoloured${esc}[0m`,
].join('')

await bench(async ({ page, context, browser }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url })
  await signIn(page)
  const rows = page.locator('.xterm-rows').first()
  const keys = page.getByLabel('Terminal of the session')
  const shows = (words, where = rows) => until(`the terminal shows ${words}`, async () => (await where.innerText()).replace(/\u00a0/g, ' ').includes(words), () => where.innerText())
  const create = async (...argv) => (await call(page, 'SessionService/CreateSession', { argv, dir: '/', terminal: { rows: 24, columns: 80 } })).session.id

  // It is typed to, has the size of what is shown, and its keys go by the keyboard alone.
  const id = await create('sh', '-c', 'echo begin; while read line; do echo "<$line>"; stty size; done; echo over')
  await page.goto(`${url}/sessions/${id}`)
  await shows('begin')
  await keys.focus()
  await page.keyboard.type('some words\n')
  await shows('<some words>')
  const size = async () => {
    await keys.focus()
    await page.keyboard.type('\n')
    return Number([...(await rows.innerText()).replace(/\u00a0/g, ' ').matchAll(/^(\d+) (\d+) *$/gm)].at(-1)?.[2] ?? 0)
  }
  await until('it is wide', async () => (await size()) > 80)
  await page.setViewportSize({ width: 360, height: 740 })
  await until('it is narrow', async () => {
    const columns = await size()
    return columns > 20 && columns < 60
  })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(wide <= 360, `the view is ${wide} wide on a screen of 360`)
  await page.setViewportSize({ width: 1200, height: 800 })

  // Tab is the program's, and Ctrl-Shift-L leaves it. What is selected can be copied.
  await keys.focus()
  await page.keyboard.press('Tab')
  assert.equal(await keys.evaluate((e) => e === document.activeElement), true)
  await page.keyboard.press('Control+Shift+L')
  const copy = page.getByRole('button', { name: 'Copy what is selected' })
  assert.equal(await copy.evaluate((e) => e === document.activeElement), true)
  await page.evaluate(() => navigator.clipboard.writeText('mine'))
  await keys.focus()
  await page.keyboard.type('copied\n')
  await shows('<copied>')
  await rows.getByText('<copied>').first().dblclick({ force: true })
  await copy.click()
  await page.getByText('Copied.').waitFor()
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /<copied>/)
  await page.getByLabel('For a screen reader').check()
  await page.locator('.xterm-accessibility').waitFor({ state: 'attached' })

  // Another program in the same session, at its own terminal.
  await page.getByRole('button', { name: 'Start it at a terminal' }).click()
  const other = page.getByLabel('Terminal of sh')
  await other.focus()
  await page.keyboard.type('echo an$((40+2))other\n')
  await shows('an42other', page.locator('.xterm-rows').nth(1))

  // It goes on without the page, and is found again with what it wrote, when that is loaded anew.
  await page.reload()
  await page.getByRole('button', { name: 'Show sh' }).click()
  await shows('an42other', page.locator('.xterm-rows').nth(1))
  await other.focus()
  await page.keyboard.type('echo go$((40+3))on\n')
  await shows('go43on', page.locator('.xterm-rows').nth(1))
  const programs = page.getByRole('region', { name: 'Other programs in it' })
  const { token } = JSON.parse(ambit('token', 'add', 'seer', '--role', 'approver', '--json'))
  const seer = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  seer.setDefaultTimeout(patience)
  await signIn(seer, `/sessions/${id}`, token)
  await seer.getByText('That takes an operator.').waitFor()
  assert.equal(await seer.getByRole('region', { name: 'Other programs in it' }).count(), 0)
  await seer.close()
  await page.getByRole('button', { name: 'End sh' }).click()
  await programs.getByText('It ended with status').waitFor()
  assert.equal(await programs.getByRole('button', { name: 'End sh' }).count(), 0)
  await page.getByRole('button', { name: 'Hide sh' }).click()
  await page.getByRole('button', { name: 'Hide sh' }).waitFor({ state: 'detached' })
  await until('its end is in the log', async () => (await call(page, 'AuditService/ListRecords', { filter: { session: id, kind: 'session.leave' } })).records?.length === 1)

  await keys.focus()
  await page.keyboard.press('Control+D')
  await shows('over')
  await page.getByText('It ended with status 0').waitFor()

  // A program that is hostile draws, and does nothing else.
  await page.evaluate(() => navigator.clipboard.writeText('mine'))
  const bad = await create('sh', '-c', 'stty raw -echo; printf %s "$1"; printf " ready "; dd bs=1 count=1 2>/dev/null | od -An -tx1; echo done; sleep 3600', 'sh', hostile)
  await page.goto(`${url}/sessions/${bad}`)
  await shows('ready')
  await shows(image)
  const title = await page.title()
  await page.locator('.xterm-rows').getByText('press me').click({ force: true, position: { x: 20, y: 5 } })
  await keys.focus()
  await page.keyboard.type('q')
  await shows('done')
  assert.match(await rows.innerText(), /\s71\s/, 'the first key that it reads is none that was pressed')
  assert.doesNotMatch(title + (await page.title()), /taken/)
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'mine')
  const made = await page.evaluate(() => document.querySelectorAll('.terminal img, .terminal a, .terminal [onerror]').length)
  assert.equal(made, 0, 'elements were made of what it wrote')
  assert.equal(context.pages().length, 1)
  const colour = await rows.getByText('coloured').first().evaluate((e) => getComputedStyle(e).color)
  assert.equal(colour, 'rgb(120, 200, 90)')
  await call(page, 'SessionService/StopSession', { id: bad })

  // Who asks is answered: by the page that has started it, from the beginning on.
  const folder = dirname(file('answers/none'))
  const answers = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'latin1') : '')
  const report = (osc, part) => `${esc}]${osc};rgb:${part}${st}`
  const expected = `${esc}[0n${esc}[1;3R${esc}[?1;3R${esc}[?1;2c${esc}[>0;276;0c${report(10, 'e6e6/e7e7/e9e9')}${report(11, '1616/1818/1b1b')}`
  const asks = `ab${esc}[5n${esc}[6n${esc}[?6n${esc}[c${esc}[>c${esc}]10;?${st}${esc}]11;?\u0007`
  await page.goto(`${url}/sessions/new`)
  const words = ['sh', '-c', `stty raw -echo; printf %s "$1"; dd bs=1 count=${expected.length} of=${folder}/first 2>/dev/null; echo over; dd bs=1 count=1 of=${folder}/again 2>/dev/null; echo seen; sleep 3600`, 'sh', asks]
  for (const [i, word] of words.entries()) {
    if (i > 0) await page.getByRole('button', { name: 'Another word' }).click()
    await page.getByLabel(`Word ${i + 1}`, { exact: true }).fill(word)
  }
  await page.getByLabel('Allow for this session').fill(`fs.write:${folder}`)
  await page.getByLabel('at its first touch').selectOption('')
  await page.getByRole('button', { name: 'Look at what it would be allowed' }).click()
  await page.getByRole('button', { name: 'Start it', exact: true }).click()
  await shows('over')
  assert.equal(answers('first'), expected)

  // What was answered is not answered again, when it is drawn again.
  await page.getByRole('link', { name: 'Sessions', exact: true }).click()
  await page.getByRole('link', { name: 'Start a session' }).waitFor()
  await page.goBack()
  await shows('over')
  await keys.focus()
  await page.keyboard.type('z')
  await shows('seen')
  assert.equal(answers('again'), 'z', 'it is answered twice')

  // A hostile program has no more of it than numbers, and not many, where somebody is at its
  // terminal; what it wrote before is not answered when it is drawn again.
  const lines = `${esc}]2;x\ry\n${st}${esc}]11;x\r;?${st}${esc}]11;#000000${st}${esc}]11;?;?\r${st}${esc}[6;13n${esc}P$q\r"p${st}${esc}[999999;999999H`
  const flood = 'q=$(printf "\\033[6n"); for i in 1 2 3 4 5 6 7 8 9 10 11 12; do q=$q$q; done; printf %s "$q"'
  const attack = `stty raw -echo; printf begin; dd bs=1 count=1 2>/dev/null >&2; printf %s "$1" "$2"; ${flood}; stty min 0 time 30; dd bs=1 of=${folder}/second 2>/dev/null
    stty min 1; printf "\\r\\ndone\\r\\n"; dd bs=1 count=1 of=${folder}/key 2>/dev/null; printf "more\\r\\n"; sleep 3600`
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', attack, 'sh', hostile, lines], dir: '/', terminal: { rows: 24, columns: 80 }, allow: [`fs.write:${folder}`] })
  await page.goto(`${url}/sessions/${session.id}`)
  await shows('begin')
  await keys.focus()
  await page.keyboard.type('g')
  await shows('done')
  const got = answers('second')
  assert.match(got, /^(\x1b\[0n|\x1b\[\??\d{1,3};\d{1,3}R|\x1b\[\?1;2c|\x1b\[>0;276;0c|\x1b\]1[012];rgb:[0-9a-f]{4}\/[0-9a-f]{4}\/[0-9a-f]{4}\x1b\\)+$/, 'it is more than numbers')
  assert.ok(got.length < 2048, `${got.length} bytes were typed for it`)
  assert.doesNotMatch(got, /rgb:0000/, 'it has set a colour')
  await page.reload()
  await shows('done')
  await keys.focus()
  await page.keyboard.type('z')
  await shows('more')
  assert.equal(answers('key'), 'z', 'what it asked before is answered again')
  await call(page, 'SessionService/StopSession', { id: session.id })
})
