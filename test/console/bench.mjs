// What the scripts of the console's tests have in common: a browser that is signed
// in, programs in sandboxes, and waiting for what is to come.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const env = process.env
export const require = createRequire(join(env.CONSOLE_MODULES, 'package.json'))
const { chromium } = require('playwright-core')

/** How long anything may take on a busy machine. */
export const patience = 60_000

export const home = env.CONSOLE_HOME
export const url = env.CONSOLE_URL

/** Runs a script with a browser, and ends what it began. */
export async function bench(script, options = {}) {
  const root = process.getuid() === 0
  const browser = await chromium.launch({
    executablePath: env.CONSOLE_CHROMIUM,
    chromiumSandbox: !root, // Chromium refuses to have one as root
    args: ['--disable-dev-shm-usage', `--host-resolver-rules=${env.CONSOLE_RESOLVE}`, ...(root ? ['--no-sandbox'] : [])],
  })
  const programs = []
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1200, height: 800 }, locale: 'en-GB', timezoneId: 'UTC', ...options })
    context.setDefaultTimeout(patience)
    const page = await context.newPage()
    const faults = []
    page.on('pageerror', (e) => faults.push(String(e)))
    page.on('dialog', (d) => faults.push(`a dialog: ${d.message()}`) && d.dismiss())
    page.on('console', (m) => /Content Security Policy|TrustedHTML/.test(m.text()) && faults.push(m.text()))
    await script({ browser, context, page, faults, run: (...a) => start(programs, ['--', ...a]), runPack: (id) => start(programs, ['--pack', id]) })
    assert.deepEqual(faults, [])
  } finally {
    for (const p of programs) p.end()
    await browser.close()
  }
}

/** Signs in with a token, as a person does. */
export async function signIn(page, path = '/', token = env.CONSOLE_TOKEN) {
  await page.goto(url + path)
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Views' }).waitFor()
}

/** Starts `ambit run --ask queue …`, and returns what it writes and how it ends. */
function start(programs, argv) {
  const p = spawn(env.CONSOLE_AMBIT, ['run', '--ask', 'queue', '--ask-by', 'notification', ...argv], { cwd: home, stdio: ['pipe', 'pipe', 'pipe'] })
  const it = {
    out: '',
    bad: '',
    tell: (line) => p.stdin.write(line + '\n'),
    end: () => p.exitCode === null && p.kill('SIGTERM'),
    ended: new Promise((resolve) => p.on('exit', (code, signal) => resolve({ code, signal }))),
    /** Waits until it has written a text. */
    wrote: (text) => until(`the program writes ${JSON.stringify(text)}`, () => it.out.includes(text), () => it.out + it.bad),
  }
  p.stdin.on('error', () => {}) // it may have ended
  p.stdout.on('data', (d) => (it.out += d))
  p.stderr.on('data', (d) => (it.bad += d))
  programs.push(it)
  return it
}

/** Waits for a condition. */
export async function until(what, holds, say = () => '') {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((r) => setTimeout(r, 20))) {
    if (await holds()) return
  }
  assert.fail(`after ${patience} ms: ${what}\n${say()}`)
}

/** Makes a file in the home, and returns its path. */
export function file(name, text = 'content\n') {
  const path = join(home, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

/** Makes a pack in the home, and returns its folder. */
export function pack(name, manifest) {
  return dirname(file(join(name, 'ambit.json'), JSON.stringify({ version: '1.0', kind: 'cli-tool', entry: ['true'], ...manifest })))
}

/** Runs `ambit` to its end, and returns what it wrote. */
export const ambit = (...args) => execFileSync(env.CONSOLE_AMBIT, args, { cwd: home, encoding: 'utf8' })

/** Makes an archive of a folder, and returns its path. */
export function archive(folder) {
  const path = `${folder}.tar.gz`
  execFileSync('tar', ['-czf', path, '-C', folder, '.'])
  return path
}

/** Calls a procedure as the page does. */
export async function call(page, procedure, message = {}) {
  return page.evaluate(
    async ([p, m]) => {
      const headers = { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1' }
      const r = await fetch(`/ambit.v1.${p}`, { method: 'POST', headers, body: JSON.stringify(m) })
      if (!r.ok) throw new Error(await r.text())
      return r.json()
    },
    [procedure, message],
  )
}

/** Presses a key until that has an effect: right after a change keys answer nothing. */
export async function press(page, key, holds) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    await page.keyboard.press(key)
    for (let i = 0; i < 20; i++) {
      if (await holds()) return
      await new Promise((r) => setTimeout(r, 50))
    }
  }
  assert.fail(`the key ${key} has no effect`)
}
