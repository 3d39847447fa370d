// How long 100,000 trades take to sort and filter, from the press to the painted rows.
import { finishedRun, launch, percentile, say, startDemo, visit } from './browser.mjs'

const count = 100_000
const rounds = 7
const browser = await launch()
const page = await visit(browser)
const id = await finishedRun(await startDemo(page))

await page.route('**/trades?**', async (route) => {
  const asks = new URL(route.request().url()).searchParams
  await route.fulfill({ json: trades(Number(asks.get('first')), Number(asks.get('limit'))) })
})
await page.goto(`/backtests/${id}?tab=trades`)
await page.getByText('100,000 trades', { exact: true }).waitFor({ timeout: 120_000 })
const rows = await page.evaluate(() => document.querySelectorAll('[aria-label="trades"] tbody tr').length)

const search = page.getByLabel('Search trades')
const measured = {
  'sort by profit': await median(() => press('Profit')),
  'sort by a text': await median(() => press('Why it ended')),
  'search': await median(async (round) => took(() => search.fill(round % 2 === 0 ? 'eth' : 'btc'))),
}
for (const [what, milliseconds] of Object.entries(measured)) say(`100,000 trades, ${what}`, milliseconds, 'ms', { most: 200 })
say('their rows in the page', rows, '', { most: 59 })
await browser.close()

async function press(name) {
  return await took(() => page.getByRole('columnheader', { name }).getByRole('button').evaluate((button) => { button.click() }))
}

/** Until the frame after the rows have changed. */
async function took(act) {
  await page.evaluate(() => {
    const body = document.querySelector('[aria-label="trades"] tbody')
    window.painted = new Promise((resolve) => {
      const start = () => { window.began ??= performance.now() }
      for (const kind of ['click', 'input']) addEventListener(kind, start, { capture: true, once: true })
      const observer = new MutationObserver(() => {
        observer.disconnect()
        requestAnimationFrame(() => setTimeout(() => { resolve(performance.now() - window.began); window.began = undefined }))
      })
      observer.observe(body, { childList: true, subtree: true, characterData: true })
    })
  })
  await act()
  return await page.evaluate(() => window.painted)
}

async function median(measure) {
  const all = []
  for (let round = 0; round < rounds; round += 1) all.push(await measure(round))
  return percentile(all, 0.5)
}

function trades(first, limit) {
  const places = Array.from({ length: Math.max(0, Math.min(limit, count - first)) }, (_, at) => first + at)
  const number = (salt) => places.map((at) => (Math.imul(at + salt, 2_654_435_761) >>> 0) / 4_294_967_296)
  const moment = (hours) => new Date(Date.UTC(2015, 0, 1) + hours * 3_600_000).toISOString().replace('.000Z', 'Z')
  const time = (later) => places.map((at) => moment(at + later))
  return {
    total: count, first,
    columns: {
      symbol: places.map((at) => ['BTC/USDT', 'ETH/USDT', 'SOL/USDT'][at % 3]),
      side: places.map((at) => (at % 2 === 0 ? 'long' : 'short')),
      entry_time: time(0), exit_time: time(5), quantity: number(1), entry_price: number(2), exit_price: number(3),
      pnl: number(4).map((value) => value * 200 - 100), return: number(5).map((value) => value / 10 - 0.05),
      fees: number(6), slippage: number(7),
      financing: number(8), mae: number(9).map((value) => -value / 10), mfe: number(10), bars_held: places.map((at) => at % 90),
      is_open: places.map(() => false), entry_reason: places.map((at) => `reason ${at % 40}`),
      exit_reason: places.map((at) => ['signal', 'stop', 'target'][at % 3]),
    },
  }
}
