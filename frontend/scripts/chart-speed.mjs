// Measures the price chart on the component page of a running Tidemark: TIDEMARK_URL=http://127.0.0.1:8000 npm run chart-speed
// From the click to the painted frame: 50,000 bars, two averages, three panes and 5,600 marks; then all of them in view; then the next trade.
import { chromium } from 'playwright-core'

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({
  baseURL: process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000', viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce',
})
await page.goto('/dev/ui#prices')
const prices = page.locator('#prices')
const chart = prices.getByRole('application').first()
await chart.waitFor()

/** Milliseconds from a click until the frame after the next is painted. */
function after(locator) {
  return locator.evaluate((element) => new Promise((resolve) => {
    const start = performance.now()
    element.click()
    requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => { resolve(performance.now() - start) })))
  }))
}

const choice = (name) => prices.getByRole('radio', { name, exact: true })
const runs = { 'ready': [], 'all in view': [], 'next trade': [] }
for (let run = 0; run < 7; run += 1) {
  await choice('None').evaluate((element) => { element.click() })
  await page.getByText('No bars').waitFor()
  runs.ready.push(await after(choice('50,000')))
  await chart.waitFor()
  runs['all in view'].push(await after(prices.getByRole('button', { name: 'All', exact: true }).first()))
  runs['next trade'].push(await after(prices.getByRole('button', { name: 'Next trade' }).first()))
}
for (const [what, figures] of Object.entries(runs)) {
  const sorted = figures.map(Math.round).sort((a, b) => a - b)
  process.stdout.write(`${what}: median ${sorted[3]} ms, least ${sorted[0]} ms, most ${sorted[6]} ms\n`)
}
await browser.close()
