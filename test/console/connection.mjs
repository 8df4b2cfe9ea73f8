import assert from 'node:assert/strict'
import { bench, call, file, press, signIn } from './bench.mjs'

await bench(async ({ page, context, run }) => {
  const [first, second, third] = ['one.txt', 'two.txt', 'three.txt'].map((n) => file(n, `from ${n}\n`))
  await signIn(page)
  const one = run('cat', first)
  await page.locator('.question').getByText(first).first().waitFor()

  // While there is no connection one question is over, and another one is put.
  await context.setOffline(true)
  await page.getByText('Not connected').waitFor()
  assert.equal(await page.locator('.question').count(), 1, 'what was known is shown on')
  one.end()
  await one.ended
  const two = run('cat', second)
  await context.setOffline(false)
  await page.locator('.question').getByText(second).first().waitFor()
  await page.locator('.question').getByText(first).first().waitFor({ state: 'detached' })
  assert.equal(await page.getByText('Not connected').count(), 0)

  // A question that comes does not move the one that is open.
  const three = run('cat', third)
  await page.locator('.question').getByText(third).first().waitFor()
  assert.match(await page.locator('.question.open').innerText(), /two\.txt/)

  // What is decided elsewhere meanwhile takes no key that was meant for it.
  const { questions } = await call(page, 'QuestionService/ListQuestions')
  const id = questions.find((q) => q.capability.includes('two.txt')).id
  await page.evaluate(() => {
    // The key comes in the moment in which the next question takes the place.
    new MutationObserver((_, o) => {
      if (!document.querySelector('.question.open')?.textContent.includes('three.txt')) return
      o.disconnect()
      dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true }))
      document.body.dataset.pressed = 'yes'
    }).observe(document.body, { subtree: true, childList: true, attributes: true })
  })
  await call(page, 'QuestionService/AnswerQuestion', { id, verdict: 'VERDICT_ALLOW', span: 'SPAN_ONCE' })
  await two.wrote('from two.txt')
  await page.locator('.question.open').getByText(third).first().waitFor()
  await page.locator('body[data-pressed=yes]').waitFor()
  assert.equal((await call(page, 'QuestionService/ListQuestions')).questions.length, 1, 'the key answered another question')
  assert.equal(await page.locator('.question.open').getByText(/^Answer/).count(), 0)
  await press(page, 'a', () => three.out.includes('from three.txt'))

  // Signed out, there is nothing of it left.
  await page.getByRole('link', { name: /browser|admin/ }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  assert.equal(await page.locator('nav').count(), 0)
})
