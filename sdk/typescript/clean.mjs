// Removes what an earlier build has made.
import { rmSync } from 'node:fs'

rmSync(new URL('dist', import.meta.url), { recursive: true, force: true })
