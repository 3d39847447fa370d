// What a visitor waits for: the first finished backtest, and the word that the server is gone.
// Says `ready` when the server may be killed; whoever does it answers with the time.
import { createInterface } from 'node:readline'
import { finishedRun, launch, say, startDemo, visit } from './browser.mjs'

const browser = await launch()
await firstVisit()
const page = await visit(browser)
const headers = await startDemo(page)
await finishedRun(headers)
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

async function serverKilled() {
  const banner = page.getByText('Tidemark does not answer.', { exact: true })
  const told = new Promise((resolve) => { createInterface({ input: process.stdin }).once('line', (line) => { resolve(Number(line)) }) })
  process.stdout.write('ready\n')
  const shown = banner.waitFor({ timeout: 30_000 }).then(() => Date.now())
  const killed = await told
  say('server killed until the banner', (await shown - killed) / 1_000, 's', { most: 3 })
}
