/** Backtests over a real server and the simulated market: the form, the list, cancelling, copying. */
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { desktop, expectNoSidewaysScroll, launch, leave, longPatience, openPage, phone, type Visit, visit, withoutRefusals } from './browser'
import { expectNothingForAxe } from './looks'
import { beInDemo, startDemo } from './people'

const pictures = process.env.TIDEMARK_SCREENSHOTS

let browser: Browser
let it_: Visit

beforeAll(async () => { browser = await launch() })
afterAll(async () => { await leave(browser) })
beforeEach(async () => { it_ = await visit(browser) })
afterEach(async () => { await it_.close() })

async function finished(page: Page) {
  await page.getByText('Trades', { exact: true }).first().waitFor({ timeout: longPatience })
}

async function fillIn(page: Page, { strategy = 'SMA cross', symbol = 'BTC/USDT', from = '2025-01-01', to = '2025-03-31' } = {}) {
  await page.goto('/backtests/new')
  await page.getByRole('combobox', { name: 'Strategy' }).selectOption({ label: strategy })
  const field = page.getByRole('combobox', { name: 'Symbol' })
  await field.fill(symbol)
  await field.press('Enter')
  await page.getByLabel('First day').fill(from)
  await page.getByLabel('Last day').fill(to)
  await page.getByText('Takes about').waitFor()
}

async function run(page: Page, name: string) {
  await page.getByRole('textbox', { name: 'Name (optional)' }).fill(name)
  await page.getByRole('textbox', { name: 'Name (optional)' }).press('Control+Enter')
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

describe('the form', () => {
  it('keeps its draft, shows what the server says at the field, and runs by Ctrl and Enter', async () => {
    const { page, complaints } = it_
    await startDemo(page)
    await page.keyboard.press('n')
    await page.getByRole('heading', { name: 'New backtest' }).waitFor()
    await fillIn(page)
    await page.getByLabel('Fast', { exact: true }).fill('60')
    await page.getByRole('alert').filter({ hasText: 'fast is 60 and slow is 50; fast has to be less than slow.' }).waitFor()
    await expect.poll(() => page.evaluate(() => JSON.stringify({ ...sessionStorage }))).toContain('\\"fast\\":60')
    await page.reload()
    await expect.poll(() => page.getByLabel('Fast', { exact: true }).inputValue()).toBe('60')
    await page.getByLabel('Fast', { exact: true }).fill('15')
    await page.getByRole('combobox', { name: 'Add a symbol' }).fill('BTCUSDT')
    await page.getByRole('combobox', { name: 'Add a symbol' }).press('Enter')
    await page.getByRole('button', { name: 'Use BTC/USDT' }).waitFor()
    await page.getByRole('button', { name: 'Take BTCUSDT out' }).click()
    await page.getByText('2,160').waitFor()
    await run(page, 'Quick cross')
    await finished(page)
    await expect.poll(() => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.includes('draft')))).toEqual([])
    await page.getByRole('link', { name: 'Clone and edit' }).click()
    await page.getByText('Made from Quick cross.').waitFor()
    await expect.poll(() => page.getByLabel('Fast', { exact: true }).inputValue()).toBe('15')
    expect(withoutRefusals(complaints, 422)).toEqual([])
  })

  it('keeps presets, begins with one, and deletes it', async () => {
    const { page } = it_
    await beInDemo(page)
    await fillIn(page)
    await page.getByRole('spinbutton', { name: 'Slippage' }).fill('12')
    await page.getByText('44 bps', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Presets' }).click()
    await page.getByRole('menuitem', { name: /^Save as preset/ }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('Dear market')
    await page.getByRole('button', { name: 'Save preset', exact: true }).click()
    await page.getByText('Preset saved.').waitFor()
    await page.goto('/backtests/new?strategy=buy_and_hold')
    await page.getByText('There is nothing to set.').waitFor()
    await page.getByRole('button', { name: 'Presets' }).click()
    await page.getByRole('menuitem', { name: 'Dear market' }).click()
    await expect.poll(() => page.getByRole('spinbutton', { name: 'Slippage' }).inputValue()).toBe('12')
    await expect.poll(() => new URL(page.url()).searchParams.has('preset')).toBe(true)
    await page.getByRole('button', { name: 'Presets' }).click()
    await page.getByRole('menuitem', { name: /^Delete presets/ }).click()
    await page.getByRole('button', { name: 'Delete Dear market', exact: true }).click()
    await page.getByText('There are none any more.').waitFor()
  })

  it('leads to the download of bars that are missing, with all filled in', async () => {
    const { page } = it_
    await beInDemo(page)
    await page.route('**/api/backtests/estimate', async (route) => {
      await route.fulfill({ status: 422, contentType: 'application/problem+json', json: {
        status: 422, code: 'bars_missing', title: 'Bars are missing', detail: 'Download them.',
        errors: [{ pointer: '/series/0', detail: 'Bars between 2025-01-01 and 2025-04-01 are not stored.' }],
      } })
    })
    await page.goto('/backtests/new?strategy=sma_cross')
    await page.getByRole('combobox', { name: 'Symbol' }).fill('BTC/USDT')
    await page.getByRole('combobox', { name: 'Symbol' }).press('Enter')
    await page.getByLabel('First day').fill('2025-01-01')
    await page.getByLabel('Last day').fill('2025-03-31')
    await page.getByRole('link', { name: 'Download BTC/USDT' }).click()
    await page.getByRole('heading', { name: 'Download data' }).waitFor()
    await expect.poll(() => page.getByLabel('Symbol').inputValue()).toBe('BTC/USDT')
    await expect.poll(() => page.getByLabel('Last day').inputValue()).toBe('2025-03-31')
    await page.goBack()
    await expect.poll(() => page.getByLabel('Last day').inputValue()).toBe('2025-03-31')
  })
})

describe('a run', () => {
  it('is cancelled, and looks the same after a reload', async () => {
    const { page } = it_
    await beInDemo(page)
    await page.goto('/backtests/new?strategy=sma_cross')
    await page.getByRole('combobox', { name: 'Symbol' }).fill('BTC/USDT')
    await page.getByRole('combobox', { name: 'Symbol' }).press('Enter')
    await page.getByLabel('One bar lasts').selectOption('1m')
    await page.getByLabel('First day').fill('2019-01-01')
    await page.getByLabel('Last day').fill('2024-12-31')
    await page.getByText('3,156,480').waitFor()
    await run(page, 'A long one')
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByText(/^(Stopping|Cancelled)$/).first().waitFor()
    await page.getByText('It was stopped before it had a result.', { exact: false }).waitFor()
    await page.reload()
    await page.getByText('It was stopped before it had a result.', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Run again' }).waitFor()
  })
})

describe('the list', () => {
  it('is searched, starred, tagged, deleted and brought back, and the address says what is shown', async () => {
    const { page, complaints } = it_
    await beInDemo(page)
    for (const name of ['First of two', 'Second of two']) {
      await fillIn(page, { to: '2025-01-31' })
      await run(page, name)
    }
    await finished(page)
    await page.keyboard.press('g')
    await page.keyboard.press('b')
    const grid = page.getByRole('grid', { name: 'backtests' })
    await expect.poll(() => grid.getByRole('row', { name: /of two/ }).count()).toBe(2)
    await expect.poll(() => grid.getByText('Completed').count()).toBe(2)
    await page.keyboard.press('/')
    await page.keyboard.type('second')
    await expect.poll(() => grid.getByRole('row', { name: /of two/ }).count()).toBe(1)
    await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('second')
    await page.getByRole('button', { name: 'Star Second of two' }).click()
    await page.getByRole('button', { name: 'Clear search' }).click()
    await page.getByRole('button', { name: 'Only with a star' }).click()
    await expect.poll(() => grid.getByRole('row', { name: /of two/ }).count()).toBe(1)
    await page.goBack()
    await expect.poll(() => grid.getByRole('row', { name: /of two/ }).count()).toBe(2)

    await grid.focus()
    for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key)
    await page.getByRole('button', { name: 'Tag', exact: true }).click()
    await page.getByLabel('New tags').fill('trend, keep')
    await page.getByRole('button', { name: 'Set tags', exact: true }).click()
    await expect.poll(() => grid.getByText('keep', { exact: true }).count()).toBe(2)
    await page.getByRole('button', { name: 'Export' }).click()
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^CSV/ }).click()])
    const lines = readFileSync(await saved.path(), 'utf8').trim().split('\r\n')
    expect([lines.length, lines[0]]).toEqual([3, 'name,state,total_return,sharpe_ratio,max_drawdown,trades,symbols,timeframe,created,tag'])
    expect(complaints).toEqual([])
    await grid.focus()
    await page.keyboard.press('c')
    await expect.poll(() => page.url()).toMatch(/\/backtests\/compare\?ids=[\da-f-]{36}(,|%2C)[\da-f-]{36}$/)
    await page.goBack()

    await grid.getByRole('checkbox', { name: 'Select all rows' }).or(grid.getByRole('checkbox').first()).first().check()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('No backtests yet').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => grid.getByRole('row', { name: /of two/ }).count()).toBe(2)
    await page.goto('/backtests?q=nothing+like+it')
    await page.getByText('No backtests match').waitFor()
  })
})

const sizes = { desk: desktop, phone }
const looks = [['desk', 'light'], ['phone', 'dark']] as const
// All four are looked at by whoever takes pictures; each theme and each width once is enough to find a fault.
const others = pictures ? [['desk', 'dark'], ['phone', 'light']] as const : []

describe('in every state', () => {
  it.each([...looks, ...others])('%s, %s: nothing for axe to find, nothing that scrolls sideways', async (size, colorScheme) => {
    await beInDemo(it_.page)
    const context = await browser.newContext({
      baseURL: process.env.TIDEMARK_URL, viewport: sizes[size], colorScheme, hasTouch: size === 'phone', reducedMotion: 'reduce', storageState: await it_.context.storageState(),
    })
    const { page, complaints } = await openPage(context)

    async function inspect(name: string) {
      await expectNoSidewaysScroll(page)
      await expectNothingForAxe(page, `backtests, ${name}, ${size}, ${colorScheme}`)
    }

    await page.goto('/backtests')
    await page.getByText('No backtests yet').waitFor()
    await inspect('empty')
    await page.getByRole('button', { name: 'Run sample backtest' }).click()
    await page.getByRole('heading', { name: /^Sample/ }).waitFor()
    await finished(page)
    await page.goto('/backtests')
    await page.getByRole('row', { name: /^.*Sample/ }).waitFor()
    await inspect('list')
    await page.getByRole('checkbox', { name: 'Select row 1' }).check()
    await inspect('selected')
    await page.getByRole('button', { name: 'Tag', exact: true }).click()
    await page.getByLabel('New tags').waitFor()
    await inspect('tags')
    await page.goto('/backtests?state=failed')
    await page.getByText('No backtests match').waitFor()
    await inspect('no-matches')
    await page.route('**/api/backtests?limit=200', async (route) => {
      await route.fulfill({ status: 403, contentType: 'application/problem+json', json: { status: 403, code: 'forbidden', title: 'You may not see this', detail: 'Ask who runs this installation.', request_id: 'req-1' } })
    })
    await page.goto('/backtests')
    await page.getByText('The backtests could not be loaded').waitFor()
    await inspect('error')
    await page.unroute('**/api/backtests?limit=200')

    await fillIn(page)
    const folded = page.locator('details:not([open]) > summary')
    while (await folded.count() > 0) await folded.first().click()
    await inspect('form')
    await page.getByLabel('Fast', { exact: true }).fill('60')
    await page.getByRole('alert').filter({ hasText: 'fast has to be less than slow' }).waitFor()
    await inspect('form-error')
    await page.goto('/')
    await page.getByText('Latest backtests').waitFor()
    await inspect('dashboard')
    expect(withoutRefusals(complaints, 403, 422)).toEqual([])
    await context.close()
  })
})
