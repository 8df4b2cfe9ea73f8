import assert from 'node:assert/strict'
import { bench, env } from './bench.mjs'

await bench(async ({ page, context }) => {
  await page.goto(env.CONSOLE_NAMED)
  await page.getByRole('button', { name: 'Sign in with Example' }).click()

  // There and back, and signed in, at the host's own page.
  await page.getByRole('navigation', { name: 'Views' }).waitFor()
  assert.equal(new URL(page.url()).origin, env.CONSOLE_NAMED)
  assert.equal(new URL(page.url()).search, '', 'what came with the browser stays in no address')
  const me = await page.evaluate(() => fetch('/me', { headers: { 'X-Ambit': '1' } }).then((r) => r.json()))
  assert.equal(`${me.name}, ${me.role}`, 'ada, viewer')
  const mine = (await context.cookies(env.CONSOLE_NAMED)).map((c) => `${c.name} ${c.sameSite} ${c.httpOnly} ${c.secure}`)
  assert.deepEqual(mine, ['__Host-ambit Strict true true'])

  await page.getByRole('link', { name: /ada/ }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in with Example' }).waitFor()
})
