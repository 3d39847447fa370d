// How long 100,000 trades take to sort and filter in Chromium, from the press to the painted rows.
// Against a running Tidemark: TIDEMARK_URL=http://127.0.0.1:8000 node scripts/trades-bench.mjs
import { chromium } from 'playwright-core'

const count = 100_000
const rounds = 7
const baseURL = process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000'
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({ baseURL, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })
const asked = page.waitForRequest((request) => request.url().includes('/api/me') && request.headers().authorization !== undefined)
await page.goto('/')
await page.getByRole('button', { name: 'Try the demo' }).click()
const headers = { 'Authorization': (await asked).headers().authorization, 'Content-Type': 'application/json' }
const id = await finishedRun()

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
for (const [what, milliseconds] of Object.entries(measured)) process.stdout.write(`${what}: ${Math.round(milliseconds)} ms\n`)
process.stdout.write(`rows in the page: ${rows}\n`)
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
  return all.sort((one, two) => one - two)[Math.floor(rounds / 2)]
}

async function finishedRun() {
  const body = JSON.stringify({
    strategy: 'sma_cross', series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1d' }],
    start: '2022-01-01T00:00:00Z', end: '2024-01-01T00:00:00Z',
  })
  const started = await (await fetch(`${baseURL}/api/backtests/run`, { method: 'POST', headers, body })).json()
  if (started.id === undefined) throw new Error(`The run did not start: ${started.detail}`)
  for (;;) {
    const { state } = await (await fetch(`${baseURL}/api/backtests/${started.id}`, { headers })).json()
    if (state === 'completed') return started.id
    if (state === 'failed' || state === undefined) throw new Error(`The run ended as ${state}`)
    await new Promise((resolve) => { setTimeout(resolve, 250) })
  }
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
