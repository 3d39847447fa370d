// Lighthouse, as a desktop, on the sign-in page, the dashboard and a result.
import lighthouse, { desktopConfig } from 'lighthouse'
import { baseURL, finishedRun, launch, say, startDemo } from './browser.mjs'

const port = 9_222 + (process.pid % 1_000)
const browser = await launch(`--remote-debugging-port=${port}`)
// The sign-in is kept by the browser's own profile, which Lighthouse opens its page in.
const [context] = [await browser.newContext({ baseURL })]
await score('sign-in page', '/')
const page = await browser.newPage({ baseURL })
await context.close()
const headers = await startDemo(page)
const id = await finishedRun(headers)
await score('dashboard', '/')
await score('result', `/backtests/${id}`)
await browser.close()

async function score(name, address) {
  const { lhr } = await lighthouse(`${baseURL}${address}`, {
    port, disableStorageReset: true, logLevel: 'error', onlyCategories: ['performance', 'accessibility', 'best-practices'],
  }, desktopConfig)
  if (lhr.runtimeError) throw new Error(lhr.runtimeError.message)
  for (const [category, least] of [['performance', 95], ['accessibility', 100], ['best-practices', 95]]) {
    const { title, score: share } = lhr.categories[category]
    say(`Lighthouse ${title}, ${name}`, Math.round(share * 100), '', { least })
    for (const { id: audit } of lhr.categories[category].auditRefs.filter(({ weight }) => weight > 0)) {
      const { score: part, title: what } = lhr.audits[audit]
      if (part !== null && part < 0.9) process.stderr.write(`${name}: ${audit} ${part}: ${what}\n`)
    }
  }
}
