import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { bench, call, env, file, patience, signIn, until, url } from './bench.mjs'

const each = 16 // calls of one session that wait at once
const questions = Number(env.CONSOLE_MANY || 96)

await bench(async ({ page, context }) => {
  await signIn(page)
  await page.getByText('Nothing waits for an answer.').waitFor()
  const script = 'for f in "$@"; do cat "$f" >/dev/null 2>&1 & done; wait'
  for (let i = 0; i < questions / each; i++) {
    const argv = ['sh', '-c', script, 'sh', ...Array.from({ length: each }, (_, j) => file(`many/${i}-${j}.txt`))]
    await call(page, 'SessionService/CreateSession', { argv, ask: 'ASK_QUEUE', askBy: 'notification', dir: '/' })
  }
  const waiting = async () => (await call(page, 'QuestionService/ListQuestions', { pageSize: 1000 })).questions?.length ?? 0
  for (const end = Date.now() + 4 * patience; (await waiting()) < questions && Date.now() < end; ) await new Promise((r) => setTimeout(r, 200))
  if (env.CONSOLE_MEASURE) return measure(context, await waiting())

  // There are no more rows than somebody looks at, and it is said of how many.
  const count = page.locator('.head .count')
  await until('all are counted', async () => (await count.innerText()) === String(questions))
  const rows = page.locator('.question')
  const shown = await rows.count()
  assert.ok(shown < questions && shown >= 50, `${shown} of ${questions} rows are made`)
  assert.equal(await rows.first().getAttribute('aria-setsize'), String(questions))
  await page.getByText(`The oldest ${shown} of ${questions} are shown.`).waitFor()
  const elements = await page.evaluate(() => document.querySelectorAll('.questions *').length)
  assert.ok(elements < shown * 10 + 150, `${elements} elements are made for ${shown} rows`)

  // An answer changes the row that goes, the one that comes, and the one that opens.
  await page.evaluate(() => {
    window.made = 0
    const observer = new MutationObserver((all) => all.forEach((m) => (window.made += [...m.addedNodes].reduce((n, e) => n + 1 + (e.querySelectorAll?.('*').length ?? 0), 0))))
    observer.observe(document.querySelector('.questions'), { subtree: true, childList: true })
  })
  await page.waitForTimeout(1000) // keys answer nothing right after a change
  await page.keyboard.press('d')
  await until('it is answered', async () => (await waiting()) === questions - 1)
  await until('the answer shows', async () => (await count.innerText()) === String(questions - 1))
  const made = await page.evaluate(() => window.made)
  assert.ok(made > 0 && made < 200, `${made} nodes were made for one answer`)
  assert.equal(await rows.count(), shown)

  // Who answers by a button goes on at the next question, and not at the top of the page.
  await page.locator('.question.open .choices .deny').first().focus()
  await page.keyboard.press('Enter')
  await until('it is answered by the button', async () => (await waiting()) === questions - 2)
  await until('the next question has the focus', () => page.evaluate(() => document.activeElement?.closest('.question') === document.querySelector('.question.open')))
  await until('that shows', async () => (await count.innerText()) === String(questions - 2))

  // Nobody looks at them all, and nothing is drawn again for the time that passes.
  const drawn = await page.evaluate(async () => {
    let n = 0
    const observer = new MutationObserver((all) => (n += all.length))
    observer.observe(document.querySelector('.questions'), { subtree: true, childList: true, characterData: true, attributes: true })
    await new Promise((r) => setTimeout(r, 3000))
    return n
  })
  assert.ok(drawn <= shown, `${drawn} changes in three seconds in which nothing happens`) // at most once for a minute that is over

  // The keyboard goes on behind what is shown; the rest comes when it is asked for.
  const last = rows.nth(shown - 1).getByRole('button').first()
  await last.click()
  await page.keyboard.press('j')
  await until('the next one is open and has the focus', () => page.evaluate((n) => document.activeElement?.closest('.question') === document.querySelectorAll('.question')[n], shown))
  assert.equal(await rows.nth(shown).locator('.body').count(), 1)
  await page.keyboard.press('k')
  await until('the one before is open', async () => (await rows.nth(shown - 1).locator('.body').count()) === 1)
  await page.getByRole('button', { name: /^Show \d+ more$/ }).focus()
  await page.keyboard.press('Enter')
  await until('all are shown', async () => (await rows.count()) === questions - 2)
  await until('the focus is on the first of them', () => page.evaluate((n) => document.activeElement?.closest('.question') === document.querySelectorAll('.question')[n], shown))
  assert.equal(await page.getByText('are shown.').count(), 0)
})

function note(line) {
  appendFileSync(env.CONSOLE_MEASURE, `${line}\n`)
}

/** Notes how long a browser takes: on a clock, and of its main thread's processor's time. */
async function measure(context, waiting) {
  const opened = async () => {
    const page = await context.newPage()
    const cdp = await context.newCDPSession(page)
    await cdp.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' })
    await cdp.send('Performance.enable')
    const work = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value]))
    const took = async (what, f) => {
      const before = await work()
      const ms = await f()
      const after = await work()
      const since = after.TaskDuration < before.TaskDuration || what === first ? {} : before // a page has another process
      const part = (name) => Math.round((after[name] - (since[name] ?? 0)) * 1000)
      note(`${what}: ${Math.round(ms)} ms; of the main thread ${part('TaskDuration')} (script ${part('ScriptDuration')}, style ${part('RecalcStyleDuration')}, layout ${part('LayoutDuration')}); ${after.Nodes} nodes`)
    }
    return { page, took }
  }
  const first = 'the list is there'
  note(`${waiting} questions wait`)
  let at
  for (let i = 0; i < 5; i++) {
    await at?.page.close()
    at = await opened()
    await at.took(first, async () => {
      await at.page.goto(url)
      await at.page.waitForFunction((n) => document.querySelector('.head .count')?.textContent === String(n) && document.querySelector('.question.open .choices'), waiting)
      return at.page.evaluate(() => performance.now())
    })
  }
  const { page, took } = at
  for (let i = 0; i < 10; i++) {
    await page.waitForTimeout(800)
    await took('an answer shows', () =>
      page.evaluate(async () => {
        const begun = performance.now()
        const was = document.querySelector('.head .count').textContent
        document.querySelector('.question.open .choices .deny').click()
        while (document.querySelector('.head .count')?.textContent === was) await new Promise((r) => requestAnimationFrame(r))
        return performance.now() - begun
      }))
  }
  for (let i = 0; i < 3; i++) await took('five seconds in which nothing happens', () => page.waitForTimeout(5000).then(() => 5000))
  await took('moving by j, 20 times', async () => {
    const begun = Date.now()
    for (let i = 0; i < 20; i++) await page.keyboard.press('j')
    return Date.now() - begun
  })
}
