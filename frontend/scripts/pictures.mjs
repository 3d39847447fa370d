// Takes the pictures of the docs from a fresh Tidemark, in both themes. `./scripts/pictures` starts one and calls this.
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const folder = fileURLToPath(new URL('../../docs/pictures/', import.meta.url))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({
  baseURL: process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000', viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce',
})
page.setDefaultTimeout(180_000)

await page.goto('/')
await page.getByRole('button', { name: 'Try the demo' }).click()
await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
await page.getByRole('button', { name: 'Run sample backtest' }).first().click()
await page.getByRole('tab', { name: 'Trades' }).waitFor()
await page.getByText('Look-ahead', { exact: true }).waitFor()
await upTo(page.getByText('Total return', { exact: true }).first())
await take('backtest')
await upTo(page.getByRole('heading', { name: 'Can it be trusted?' }).first())
await take('trust-panel')
await page.evaluate(() => { window.scrollTo(0, 0) })
await page.getByRole('tab', { name: 'Chart' }).click()
await page.locator('canvas').first().waitFor()
await take('chart')
await page.goto('/')
await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
await page.getByText('Sample: SMA cross on BTC/USDT').first().waitFor()
await take('dashboard')
await browser.close()

/** Below what stays at the top. */
async function upTo(place) {
  await place.evaluate((element) => {
    element.style.scrollMarginTop = '7rem'
    element.scrollIntoView({ block: 'start' })
  })
}

/** A theme that the system changes to is taken over at once; charts are painted again in the next frames. */
async function take(name) {
  for (const theme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    await page.waitForFunction(() => document.querySelectorAll('[role=status] .animate-spin, [aria-busy=true]').length === 0)
    await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 500))) }))
    await page.screenshot({ path: `${folder}${name}-${theme}.png` })
  }
}
