// Whether a view can be read and used: by axe, light and dark, and on a small telephone.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { env, require } from './bench.mjs'

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

/** Looks at a view in light and dark, and at the width of a small telephone. */
export async function check(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    await picture(page, `${name}-${colorScheme}`)
    // What stands where is the same in both; what can be read is not.
    const rules = colorScheme === 'light' ? {} : { runOnly: ['color-contrast'] }
    if (colorScheme === 'light') await page.evaluate(axe)
    const { violations } = await page.evaluate((r) => axe.run(r), rules)
    const said = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join('\n')}`)
    assert.deepEqual(said, [], `${name}, ${colorScheme}`)
  }
  await page.setViewportSize({ width: 360, height: 740 })
  await picture(page, `${name}-phone`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  const over = () => [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 360).map((e) => e.outerHTML.slice(0, 120))
  assert.ok(wide <= 360, `${name} is ${wide} wide on a screen of 360: ${wide > 360 && (await page.evaluate(over)).join('\n')}`)
  await page.setViewportSize({ width: 1200, height: 800 })
}

/** Takes one of the pictures of docs/console, where they are asked for (make pictures). */
async function picture(page, name) {
  const wanted = ['inbox-light', 'inbox-dark', 'inbox-phone', 'session-light', 'terminal-light', 'grants-light', 'log-light', 'record-light', 'consent-light', 'pack-light', 'review-light']
  if (env.CONSOLE_PICTURES && wanted.includes(name)) await page.screenshot({ path: join(env.CONSOLE_PICTURES, `${name}.png`) })
}
