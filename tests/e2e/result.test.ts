/** The result of a backtest over a real server with the simulated market: read, explained, described, replayed, compared. */
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { base, launch, leave, longPatience, phone, type Visit, visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { signUp } from './people'

const tabs = ['Trades', 'Chart', 'Costs', 'Risk', 'Periods', 'Config', 'Reproduce', 'Overview']

let browser: Browser
let it_: Visit
let page: Page
let bearer = ''
let slow = ''
let quick = ''

beforeAll(async () => {
  browser = await launch()
  it_ = await visit(browser, { colorScheme: 'light' })
  page = it_.page
  const asked = page.waitForRequest((request) => request.url().includes('/api/me') && request.headers().authorization !== undefined)
  await signUp(page)
  bearer = (await asked).headers().authorization ?? ''
  slow = await finished('Slow cross', { fast: 20, slow: 50 })
  quick = await finished('Quick cross', { fast: 10, slow: 30 })
})
afterAll(async () => { await leave(browser) })

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const headers = { 'Authorization': bearer, 'Content-Type': 'application/json' }
  const answer = await fetch(`${base}/api/backtests${path}`, { method, headers, body: body && JSON.stringify(body) })
  expect(answer.ok, await answer.clone().text()).toBe(true)
  return await answer.json() as Answer
}

/** The id of a run that is over. */
async function finished(name: string, parameters: object) {
  const { id } = await ask<{ id: string }>('POST', '/run', {
    name, parameters, strategy: 'sma_cross', series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '4h' }],
    start: '2023-01-01T00:00:00Z', end: '2024-01-01T00:00:00Z', trading: { cash: 10_000, costs: { taker_bps: 10, maker_bps: 10, slippage_bps: 5 } },
  })
  const isDone = async () => (await ask<{ state: string }>('GET', `/${id}`)).state === 'completed'
  await vi.waitUntil(isDone, { timeout: longPatience, interval: 250 })
  return id
}

async function openTab(name: string) {
  await page.getByRole('tab', { name: new RegExp(`^${name}`) }).click()
  await page.getByRole('tabpanel', { name: new RegExp(`^${name}`) }).waitFor()
}

describe('a result', () => {
  it('shows its figures beside what they are worth, and each tab keeps its address', async () => {
    await page.goto(`/backtests/${slow}`)
    await page.getByRole('heading', { name: 'Slow cross' }).waitFor()
    await page.getByText('Simulated market').waitFor()
    await page.getByText(/^95% interval/).waitFor()
    await page.getByText(/^Buy and hold [+−]/).waitFor()
    await page.getByRole('heading', { name: 'Can it be trusted?' }).waitFor()
    await page.getByRole('group', { name: /^Equity/ }).or(page.getByRole('application', { name: /^Equity/ })).first().waitFor()
    for (const name of tabs) {
      await openTab(name)
      await expect.poll(() => new URL(page.url()).searchParams.get('tab')).toBe(name.toLowerCase())
    }
    await page.goBack()
    await page.getByRole('tab', { name: 'Reproduce', selected: true }).waitFor()
    expect(it_.complaints).toEqual([])
  })

  it('sorts and filters its trades, tells why one was made, and shows it on the chart', async () => {
    await page.goto(`/backtests/${slow}?tab=trades`)
    const table = page.getByRole('grid', { name: 'trades' })
    await table.getByRole('button', { name: 'Profit' }).click()
    await expect.poll(() => new URL(page.url()).searchParams.get('sort')).toBe('-pnl')
    const total = (await page.getByRole('status').filter({ hasText: /^\d+ trades$/ }).textContent() ?? '').split(' ')[0]
    await page.goto(`/backtests/${slow}?tab=trades&sort=-pnl&pnl=0..`)
    await page.getByText(new RegExp(String.raw`^\d+ of ${total} trades$`)).waitFor()
    const first = table.getByRole('row').nth(1)
    await expect.poll(() => first.textContent()).toContain('+')
    await table.focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    const drawer = page.getByRole('dialog', { name: /^Why trade \d+$/ })
    await drawer.getByText('The 20-bar average crossed above the 50-bar average').first().waitFor()
    await drawer.getByText('What it cost').waitFor()
    await drawer.getByRole('button', { name: 'Show on chart' }).click()
    await page.getByRole('tab', { name: 'Chart', selected: true }).waitFor()
    await page.getByRole('status').getByText(/^Trade \d+$/).waitFor()
    const before = new URL(page.url()).searchParams.get('trade')
    await page.getByRole('button', { name: 'Previous trade' }).first().click()
    await expect.poll(() => new URL(page.url()).searchParams.get('trade')).not.toBe(before)
  })

  it('exports every filtered trade, and itself as files', async () => {
    await page.goto(`/backtests/${slow}?tab=trades&pnl=..0`)
    const counted = page.getByText(/^\d+ of \d+ trades$/)
    await counted.waitFor()
    const shown = Number((await counted.textContent() ?? '').split(' ')[0])
    const toolbar = page.getByRole('tabpanel')
    await toolbar.getByRole('button', { name: 'Export' }).click()
    const [rows] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^CSV/ }).click()])
    expect(readFileSync(await rows.path(), 'utf8').trim().split('\r\n')).toHaveLength(shown + 1)
    await page.getByRole('banner').or(page.getByRole('main')).getByRole('button', { name: 'Export' }).first().click()
    const [report] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^Report/ }).click()])
    expect(report.suggestedFilename()).toBe('Slow-cross.html')
  })

  it('is renamed, noted, starred, tagged, deleted and brought back', async () => {
    await page.goto(`/backtests/${slow}`)
    await page.getByRole('button', { name: 'Rename backtest' }).click()
    await page.getByLabel('Name of the backtest').fill('Slow cross, 4 hours')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Slow cross, 4 hours' }).waitFor()
    await page.getByRole('button', { name: 'Add notes' }).click()
    await page.getByRole('textbox', { name: 'Notes' }).fill('Costs eat it.')
    await page.getByRole('button', { name: 'Save notes' }).click()
    await page.getByText('Costs eat it.').waitFor()
    await page.getByRole('button', { name: 'Star backtest' }).click()
    await page.getByRole('button', { name: 'Take the star away' }).waitFor()
    await page.getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('menuitem', { name: /^Delete/ }).click()
    await page.getByText('Deleted.', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Bring back' }).click()
    await page.getByRole('button', { name: 'Bring back' }).waitFor({ state: 'detached' })
  })

  it('comes out the same when it is replayed', async () => {
    await page.goto(`/backtests/${quick}?tab=reproduce`)
    await page.getByRole('button', { name: 'Replay backtest', exact: true }).click()
    await page.getByText(/^The same to the last bit: \d+ trades and the equity of every bar\.$/).waitFor({ timeout: longPatience })
  })

  it('that nobody has is not found', async () => {
    await page.goto('/backtests/3f6a1d52-8f0e-4a53-9a53-0c6f7f0a9d11')
    await page.getByRole('heading', { name: 'No such backtest' }).waitFor()
    expect(withoutRefusals(it_.complaints, 404)).toEqual([])
  })
})

describe('two results', () => {
  it('are laid side by side, and either can be the first', async () => {
    await page.goto(`/backtests/compare?ids=${slow},${quick}`)
    await page.getByRole('heading', { name: 'Better than the first?' }).waitFor()
    await page.getByRole('table', { name: 'Difference of each run to the first, with its interval' }).getByText('Return a year').waitFor()
    const settings = page.getByRole('table', { name: 'Settings that differ' })
    await settings.getByRole('row', { name: /^slow 50 30$/ }).waitFor()
    await page.getByRole('button', { name: 'Make Quick cross the first' }).click()
    await settings.getByRole('row', { name: /^slow 30 50$/ }).waitFor()
    await expect.poll(() => new URL(page.url()).searchParams.get('ids')).toBe(`${quick},${slow}`)
  })

  it('need two', async () => {
    await page.goto(`/backtests/compare?ids=${slow}`)
    await page.getByText('Nothing to compare yet').waitFor()
  })
})

describe('the look', () => {
  for (const [size, viewport] of [['wide', null], ['phone', phone]] as const) {
    it(`of every tab and of the comparison is right, ${size}`, async () => {
      if (viewport !== null) await page.setViewportSize(viewport)
      for (const name of tabs) {
        await page.goto(`/backtests/${slow}?tab=${name.toLowerCase()}`)
        await page.getByRole('tabpanel', { name: new RegExp(`^${name}`) }).waitFor()
        await expect.poll(() => page.locator('[aria-busy="true"]').count()).toBe(0)
        await expectToLookWell(page, `result ${name} ${size}`)
      }
      await page.goto(`/backtests/${slow}?tab=trades&trade=1&why=1`)
      await page.getByRole('dialog', { name: 'Why trade 1' }).getByText('What it cost').waitFor()
      await expectToLookWell(page, `result trade ${size}`)
      await page.goto(`/backtests/compare?ids=${slow},${quick}`)
      await page.getByRole('heading', { name: 'Correlation' }).waitFor()
      await expectToLookWell(page, `comparison ${size}`)
    })
  }
})
