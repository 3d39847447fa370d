/** Refuses to start without what the journeys need, by name: nothing is skipped in silence. */
import { existsSync } from 'node:fs'

export default async function requireInstance() {
  const { TIDEMARK_URL, MAILPIT_URL, CHROMIUM_PATH } = process.env
  if (!TIDEMARK_URL || !MAILPIT_URL) {
    throw new Error('Set TIDEMARK_URL and MAILPIT_URL to a running instance; `./scripts/test e2e` does it for you.')
  }
  const chromium = CHROMIUM_PATH ?? '/usr/bin/chromium'
  if (!existsSync(chromium)) throw new Error(`No Chromium at ${chromium}: install the package chromium, or set CHROMIUM_PATH.`)
  const response = await fetch(new URL('/healthz', TIDEMARK_URL))
  if (!response.ok) throw new Error(`${TIDEMARK_URL} answered ${response.status} to /healthz.`)
}
