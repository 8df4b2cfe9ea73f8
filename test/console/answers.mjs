import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bench, call, file, signIn, until, url } from './bench.mjs'

// Asks where the cursor stands, far to the right, each time that a key is pressed, and
// keeps what it is answered within a second: a page says by it how wide it is.
const counts = `stty raw -echo; n=0; printf "ready\\r\\n"
while dd bs=1 count=1 2>/dev/null >"$1/key"; do
  n=$((n+1)); printf "\\033[999;999H\\033[6n"
  stty min 0 time 10; dd bs=1 of="$1/part" 2>/dev/null; mv "$1/part" "$1/$n"; stty min 1 time 0
  printf "\\r\\nasked $n "
done`

await bench(async ({ page, browser }) => {
  await signIn(page)
  const folder = dirname(file('answers/none'))
  const { session } = await call(page, 'SessionService/CreateSession', { argv: ['sh', '-c', counts, 'sh', folder], dir: '/', terminal: { rows: 24, columns: 80 }, allow: [`fs.write:${folder}`] })
  const at = async (width, words) => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width, height: 800 } })
    const it = await context.newPage()
    await signIn(it, `/sessions/${session.id}`)
    const shows = (words) => until(`the terminal of ${width} shows ${words}`, async () => (await it.locator('.xterm-rows').innerText()).replace(/\u00a0/g, ' ').includes(words))
    const keys = it.getByLabel('Terminal of the session')
    await shows(words)
    await keys.focus()
    return { width, shows, press: () => keys.pressSequentially('g'), close: () => context.close(), offline: (on) => context.setOffline(on) }
  }
  let asked = 0
  // Presses a key in one page, and returns which column answered.
  const ask = async (who, ...others) => {
    const said = join(folder, String(++asked))
    await who.press()
    await until(`question ${asked} is over`, () => existsSync(said))
    const got = readFileSync(said, 'latin1')
    assert.match(got, /^\x1b\[\d+;\d+R$/, `question ${asked}, a key in the page of ${who.width}`)
    for (const p of [who, ...others]) await p.shows(`asked ${asked}`)
    return Number(got.match(/;(\d+)R/)[1])
  }

  // Somebody is at the terminal in two pages: one of them answers, and goes on to. Keys
  // of both are typed.
  const [wide, narrow] = [await at(1200, 'ready'), await at(500, 'ready')]
  const columns = await ask(wide, narrow)
  assert.equal(await ask(narrow, wide), columns)
  assert.equal(await ask(wide, narrow), columns)

  // That one is closed: the other answers. So does one that comes later, when that one has
  // lost its connection.
  const [first, second] = columns > 80 ? [wide, narrow] : [narrow, wide]
  await first.close()
  const other = await ask(second)
  assert.notEqual(other, columns)
  assert.equal(await ask(second), other)
  const third = await at(first.width, `asked ${asked}`)
  assert.equal(await ask(third, second), other)
  await second.offline(true)
  assert.equal(await ask(third), columns)
  await second.offline(false)
  await second.shows(`asked ${asked}`)
  assert.equal(await ask(second, third), columns)
  await call(page, 'SessionService/StopSession', { id: session.id })
})
