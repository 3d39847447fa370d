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

const devtools = await page.context().newCDPSession(page)
await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })

/** Processor time of the page so far, in milliseconds: on a busy machine it says more than the clock. */
async function busy() {
  const { metrics } = await devtools.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'TaskDuration').value * 1_000
}

/** Milliseconds by the clock from a click until the frame after the next is painted, and of the processor. */
async function after(locator) {
  const before = await busy()
  const clock = await painted(locator)
  return { clock, processor: await busy() - before }
}

function painted(locator) {
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
  for (const kind of ['clock', 'processor']) {
    const sorted = figures.map((figure) => Math.round(figure[kind])).sort((a, b) => a - b)
    process.stdout.write(`${what}, ${kind}: median ${sorted[3]} ms, least ${sorted[0]} ms, most ${sorted[6]} ms\n`)
  }
}
await browser.close()
