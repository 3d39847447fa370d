// What the parts share: a browser, a visitor in the demo, finished backtests, and figures as lines of JSON.
import { chromium } from 'playwright-core'

export const baseURL = process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000'

export const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']

export async function launch() {
  return await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: flags })
}

export async function visit(browser, options = {}) {
  const context = await browser.newContext({ baseURL, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...options })
  return await context.newPage()
}

/** One figure; `most` or `least` is the goal, where there is one. */
export function say(work, value, unit, goal = {}) {
  process.stdout.write(`${JSON.stringify({ work, value, unit, ...goal })}\n`)
}

/** Enter the demo; the headers with which the page asks the API. */
export async function startDemo(page) {
  const asked = page.waitForRequest((request) => request.url().includes('/api/me') && request.headers().authorization !== undefined)
  await page.goto('/')
  await page.getByRole('button', { name: 'Try the demo' }).click()
  return { 'Authorization': (await asked).headers().authorization, 'Content-Type': 'application/json' }
}

export async function startRun(headers, timeframe = '1d') {
  const body = JSON.stringify({
    strategy: 'sma_cross', series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe }],
    start: '2022-01-01T00:00:00Z', end: '2024-01-01T00:00:00Z',
  })
  const started = await (await fetch(`${baseURL}/api/backtests/run`, { method: 'POST', headers, body })).json()
  if (started.id === undefined) throw new Error(`The run did not start: ${started.detail}`)
  return started.id
}

export async function finishedRun(headers) {
  const id = await startRun(headers)
  for (;;) {
    const { state } = await (await fetch(`${baseURL}/api/backtests/${id}`, { headers })).json()
    if (state === 'completed') return id
    if (state === 'failed' || state === undefined) throw new Error(`The run ended as ${state}`)
    await pause(250)
  }
}

export function pause(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds) })
}

export function percentile(values, share) {
  const ordered = [...values].sort((one, two) => one - two)
  return ordered[Math.min(Math.floor(ordered.length * share), ordered.length - 1)]
}
