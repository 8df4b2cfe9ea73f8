import assert from 'node:assert/strict'
import { bench, call, signIn, until, url } from './bench.mjs'

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

await bench(async ({ page, context }) => {
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
  const other = page.getByLabel('Terminal of the other program')
  await other.focus()
  await page.keyboard.type('echo an$((40+2))other\n')
  await shows('an42other', page.locator('.xterm-rows').nth(1))
  await page.getByRole('button', { name: 'End it, and close' }).click()
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
})
