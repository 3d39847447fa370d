// What a visitor waits for: the first finished backtest, an event on the way to the screen, and the word that the server is gone.
// Says `ready` when the server may be killed; whoever does it answers with the time.
import { createInterface } from 'node:readline'
import { baseURL, finishedRun, launch, pause, percentile, say, startDemo, startRun, visit } from './browser.mjs'

const browser = await launch()
await firstVisit()
const page = await visit(browser)
const headers = await startDemo(page)
await finishedRun(headers)
await eventToPixel()
await serverKilled()
await browser.close()
process.exit() // else it would listen to its input for ever

async function firstVisit() {
  const newcomer = await visit(browser)
  const began = performance.now()
  await newcomer.goto('/')
  let clicks = 0
  for (const name of ['Try the demo', 'Run sample backtest']) {
    await newcomer.getByRole('button', { name }).first().click()
    clicks += 1
  }
  await newcomer.getByText('Trades', { exact: true }).first().waitFor({ timeout: 60_000 })
  say('first visit to a finished backtest', (performance.now() - began) / 1_000, 's', { most: 10 })
  say('its clicks', clicks, '', { most: 3 })
  await newcomer.context().close()
}

/** From the moment the database wrote that a task has ended until its row in the status centre says so. */
async function eventToPixel() {
  await page.goto('/status')
  await page.getByRole('heading', { level: 1 }).waitFor()
  await pause(1_500)
  await page.evaluate(() => {
    window.seen = new Map()
    new MutationObserver(() => {
      for (const row of document.querySelectorAll('tbody tr.row')) {
        if (!row.textContent.includes('Completed')) continue
        // A task that has a name shows its id only to whoever points at it. Whatever eight letters could be one.
        const words = [row.textContent, ...[...row.querySelectorAll('[title]')].map(({ title }) => title)].join(' ')
        for (const [, id] of words.matchAll(/(?=([0-9a-f]{8}))/g)) {
          if (!window.seen.has(id)) requestAnimationFrame(() => window.seen.set(id, Date.now()))
        }
      }
    }).observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true })
  })
  const delays = []
  for (let round = 0; round < 30; round += 1) {
    const id = await startRun(headers)
    await page.waitForFunction((wanted) => window.seen.has(wanted), id.slice(0, 8), { timeout: 20_000 })
    const seen = await page.evaluate((wanted) => window.seen.get(wanted), id.slice(0, 8))
    const task = await (await fetch(`${baseURL}/api/system/tasks/${id}`, { headers })).json()
    delays.push(seen - Date.parse(task.finished_at))
  }
  say('event to pixel, median', percentile(delays, 0.5), 'ms')
  say('event to pixel, p95', percentile(delays, 0.95), 'ms', { most: 300 })
}

async function serverKilled() {
  const banner = page.getByText('Tidemark does not answer.', { exact: true })
  const told = new Promise((resolve) => { createInterface({ input: process.stdin }).once('line', (line) => { resolve(Number(line)) }) })
  process.stdout.write('ready\n')
  const shown = banner.waitFor({ timeout: 30_000 }).then(() => Date.now())
  const killed = await told
  say('server killed until the banner', (await shown - killed) / 1_000, 's', { most: 3 })
}
