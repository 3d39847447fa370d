// Lighthouse, as a desktop, on the sign-in page, the dashboard and a result.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import lighthouse, { desktopConfig } from 'lighthouse'
import { chromium } from 'playwright-core'
import { baseURL, finishedRun, flags, say, startDemo } from './browser.mjs'

const port = 20_000 + (process.pid % 10_000)
const profile = mkdtempSync(join(tmpdir(), 'tidemark-lighthouse-'))
// A profile on disk: Lighthouse opens its page in it, and is signed in like the visitor.
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', baseURL, args: [...flags, `--remote-debugging-port=${port}`],
})
await score('sign-in page', '/')
const page = await context.newPage()
const id = await finishedRun(await startDemo(page))
await page.close()
await score('dashboard', '/')
await score('result', `/backtests/${id}`)
await context.close()
rmSync(profile, { recursive: true })

async function score(name, address) {
  const { categories, audits } = await looked(`${baseURL}${address}`)
  for (const [category, least] of [['performance', 95], ['accessibility', 100], ['best-practices', 95]]) {
    const { title, score: share, auditRefs } = categories[category]
    say(`Lighthouse ${title}, ${name}`, Math.round(share * 100), '', { least })
    for (const { id: audit, weight } of auditRefs) {
      const { score: part, title: what } = audits[audit]
      if (weight > 0 && part !== null && part < 0.9) process.stderr.write(`${name}: ${audit} ${part}: ${what}\n`)
    }
  }
}

/** On a busy machine Chromium's trace may lack its beginning; Lighthouse itself says to try again then. */
async function looked(url, attempts = 4) {
  const { lhr } = await lighthouse(url, {
    port, disableStorageReset: true, logLevel: 'error', onlyCategories: ['performance', 'accessibility', 'best-practices'],
  }, desktopConfig)
  if (lhr.runtimeError === undefined) return lhr
  if (attempts === 1) throw new Error(lhr.runtimeError.message)
  return await looked(url, attempts - 1)
}
