// The price chart on the component page: 50,000 bars, two averages, three panes and 5,600 marks; then all of them in view; then the
// next trade. From the click to the painted frame, by the clock and by the processor, which says more on a busy machine.
import { launch, percentile, say, visit } from './browser.mjs'

const browser = await launch()
const page = await visit(browser)
await page.goto('/dev/ui#prices')
const prices = page.locator('#prices')
const chart = prices.getByRole('application').first()
await chart.waitFor()

const devtools = await page.context().newCDPSession(page)
await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })

/** Processor time of the page so far, in milliseconds. */
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
const clock = (what) => percentile(runs[what].map((figure) => figure.clock), 0.5)
say('chart of 50,000 bars, 3 panes and 5,600 marks, ready', clock('ready'), 'ms', { most: 1_000 })
say('the same, processor', percentile(runs.ready.map((figure) => figure.processor), 0.5), 'ms')
say('all of it in view', clock('all in view'), 'ms')
say('to the next trade', clock('next trade'), 'ms')
await browser.close()
