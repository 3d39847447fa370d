/** The pages about data over a real server with the simulated market: downloaded, mended, uploaded, exported, deleted. */
import { readFileSync } from 'node:fs'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { desktop, launch, leave, openPage, phone, type Visit, visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { OwnInstance } from './own-instance'
import { beSignedIn } from './people'

let browser: Browser
let tidemark: OwnInstance | undefined
let it_: Visit

beforeAll(async () => {
  browser = await launch()
  tidemark = await OwnInstance.start()
})
afterAll(async () => {
  await leave(browser)
  await tidemark?.end()
})
beforeEach(async () => {
  it_ = await visit(browser, { url: instance().url })
  await beSignedIn(it_.page)
})
afterEach(async () => { await it_.close() })

function instance() {
  if (tidemark === undefined) throw new Error('No instance was started')
  return tidemark
}

/** Hourly bars from a Monday on, the rows of these places broken: one with a high below its open, one without a close. */
function csvWithTwoBadRows() {
  const rows = Array.from({ length: 60 }, (_, hour) => {
    const start = new Date(Date.UTC(2026, 0, 5) + hour * 3_600_000).toISOString().slice(0, 16).replace('T', ' ')
    if (hour === 20) return `${start};100,5;99;98;99;10`
    if (hour === 40) return `${start};100,5;101;99;;10`
    return `${start};100,5;102;99,25;101;1${hour}`
  })
  return `Date;Open;High;Low;Close;Volume\n${rows.join('\n')}\n`
}

async function chooseFile(page: Page, content: string | Buffer, name = 'my fund.csv') {
  await page.getByLabel('Choose a file').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(content) })
}

async function wantBitcoin(page: Page, days: { from: string, to?: string }, timeframe = '1h') {
  await page.goto('/data/download')
  await page.getByLabel('Symbol').fill('BTC/USDT')
  await page.getByLabel('One bar lasts').selectOption(timeframe)
  await page.getByLabel('First day').fill(days.from)
  if (days.to !== undefined) await page.getByLabel('Last day').fill(days.to)
}

async function download(page: Page, days: { from: string, to: string }) {
  await wantBitcoin(page, days)
  const start = page.getByRole('button', { name: 'Start download' })
  await start.click()
  await page.getByText('Completed').waitFor()
}

describe('a download', () => {
  it('is estimated, watched to its end, and shows how complete the series is', async () => {
    const { page, complaints } = it_
    await page.goto('/')
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('m')
    await page.getByRole('heading', { name: 'Data', exact: true }).waitFor()
    await page.getByRole('link', { name: 'Download data' }).click()
    const symbol = page.getByLabel('Symbol')
    await symbol.fill('BTCUSDT')
    await page.getByText('Did you mean \'BTC/USDT\'', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Use BTC/USDT' }).click()
    await page.getByLabel('First day').fill('2025-01-01')
    await page.getByLabel('Last day').fill('2025-01-31')
    await page.locator('dl').getByText('744', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Start download' }).click()
    await page.getByText('Fetched 744 bars.').waitFor()
    await page.getByRole('link', { name: 'Open series' }).click()
    await page.getByRole('heading', { name: 'BTC/USDT 1h' }).waitFor()
    const map = page.getByRole('table', { name: 'Coverage of BTC/USDT 1h by day' })
    await expect.poll(() => map.getByText('complete, 24 bars').count()).toBe(31)
    await page.getByText('Every bar that was due is there, and none looks odd.').waitFor()
    await page.getByRole('img', { name: /2025-01-31 23:00 UTC/ }).waitFor()
    expect(withoutRefusals(complaints, 404)).toEqual([])
  })

  it('of what is there already has nothing to fetch', async () => {
    const { page } = it_
    await download(page, { from: '2025-02-01', to: '2025-02-02' })
    await wantBitcoin(page, { from: '2025-02-01', to: '2025-02-02' })
    await page.getByText('All of it is stored already.').waitFor()
  })

  it('is cancelled, survives a reload, and is resumed where it was cut', async () => {
    const { page } = it_
    await wantBitcoin(page, { from: '2016-01-01', to: '2024-12-31' }, '1m')
    await page.getByText('4,734,720').waitFor()
    await page.getByRole('button', { name: 'Start download' }).click()
    await page.getByRole('progressbar', { name: 'downloading' }).waitFor()
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByText('is kept; resuming goes on from there.').waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('progressbar', { name: 'downloading' }).waitFor()
    await page.goto('/data')
    const panel = page.getByRole('region', { name: 'Download of BTC/USDT 1m' })
    await panel.getByRole('button', { name: 'Cancel', exact: true }).click()
    await panel.getByText('Partial').waitFor()
    await panel.getByRole('button', { name: 'Hide' }).click()
    await panel.waitFor({ state: 'detached' })
  })

  it('of the demo market takes one click on an empty catalogue', async () => {
    const { page } = it_
    await page.goto('/data?provider=import')
    await page.getByText('No series match').waitFor()
    const downloads = page.waitForRequest((request) => request.method() === 'POST' && request.url().includes('/api/data/'))
    await page.route('**/api/data/series?**', async (route) => {
      await route.fulfill({ json: { items: [], next_cursor: null } })
    })
    await page.goto('/data')
    await page.getByRole('button', { name: 'Download the demo market' }).click()
    await downloads
    await page.unroute('**/api/data/series?**')
    await page.getByRole('row', { name: /ETH\/USDT/ }).waitFor()
    await page.getByRole('row', { name: /AAPL/ }).getByText('Shared').waitFor()
  })
})

describe('a series', () => {
  it('with a gap and a bad tick is mended by one click each', async () => {
    const { page } = it_
    await download(page, { from: '2024-03-01', to: '2024-03-31' })
    await instance().spoilBars('BTC/USDT', '1h', '2024-03-10T00:00:00')
    await page.getByRole('link', { name: 'Open series' }).click()
    await page.getByText('30 bars are missing.').waitFor()
    const findings = page.getByRole('list', { name: 'Gaps and odd bars' })
    await findings.getByText('times the usual').waitFor()
    await findings.getByRole('button', { name: /^Look at Outlier/ }).click()
    await page.getByText('Around Outlier 2024-03-14 04:00 UTC').waitFor()
    await page.getByRole('button', { name: 'Repair the gap' }).click()
    await page.getByText('Fetched 30 bars again.').waitFor()
    await findings.getByText('30 bars are missing.').waitFor({ state: 'detached' })
    await findings.getByRole('button', { name: /^Fetch again Outlier/ }).click()
    await page.getByText('Fetched 1 bar again.').waitFor()
    await page.getByText('Every bar that was due is there, and none looks odd.').waitFor()
  })

  it('is found, opened and looked through by the keyboard alone', async () => {
    const { page } = it_
    await download(page, { from: '2025-01-01', to: '2025-01-31' })
    await page.goto('/data')
    await page.getByLabel('Search series').fill('btc/usdt')
    await page.getByRole('grid', { name: 'series' }).focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^BTC\/USDT/ }).waitFor()
    await page.getByRole('group', { name: /^Coverage of/ }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByText(/: (complete|no bars|\d)/).first().waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Show latest' }).waitFor()
    await page.getByRole('group', { name: /^Prices;/ }).focus()
    await page.keyboard.press('End')
    await page.getByText(/UTC: [\d,.]+, between [\d,.]+ and [\d,.]+$/).waitFor()
  })
})

describe('without the server', () => {
  it('what was loaded stays, and what is asked for says why it is not there', async () => {
    const { page, context } = it_
    await download(page, { from: '2025-01-01', to: '2025-01-31' })
    await page.goto('/data')
    const row = page.getByRole('row', { name: /BTC\/USDT.* 1h/ })
    await row.waitFor()
    await context.setOffline(true)
    await page.getByText('Tidemark does not answer.').waitFor()
    expect(await row.count()).toBe(1)
    await page.getByRole('link', { name: 'Upload file' }).click()
    await chooseFile(page, csvWithTwoBadRows())
    await page.getByRole('alert').getByText('Tidemark does not answer. Check that it is running').waitFor()
    await context.setOffline(false)
    await chooseFile(page, csvWithTwoBadRows())
    await page.getByText('2 rows are no bars, of 60').waitFor()
  })
})

describe('a file', () => {
  it('is shown as it is read, imported without its bad rows, exported, and deleted', async () => {
    const { page, complaints } = it_
    await page.goto('/data/upload')
    await chooseFile(page, csvWithTwoBadRows())
    await page.getByText('2 rows are no bars, of 60').waitFor()
    const bad = page.getByRole('list', { name: 'Bad rows' })
    await bad.getByText('Line 22', { exact: false }).waitFor()
    await bad.getByText('Line 42', { exact: false }).waitFor()
    await expect.poll(() => page.getByLabel('Comma, 1234,5').isChecked()).toBe(true)
    await expect.poll(() => page.getByLabel('Symbol').inputValue()).toBe('MY-FUND')
    const begin = page.getByRole('button', { name: 'Import', exact: true })
    await expect.poll(() => begin.isDisabled()).toBe(true)
    await page.getByLabel('Leave bad rows out').check()
    await page.getByText('58 bars will be imported.').waitFor()
    await begin.click()
    await page.getByText('Imported 58 bars, left out 2 bad rows.').waitFor()
    await page.getByRole('link', { name: 'Open series' }).click()
    await page.getByRole('heading', { name: 'MY-FUND 1h' }).waitFor()
    await expect.poll(() => page.getByText('1 bar is missing.').count()).toBe(2)
    expect(await page.getByRole('button', { name: /^Repair/ }).count()).toBe(0)

    await page.route('**/api/data/export?**', async (route) => {
      await route.fulfill({ status: 507, contentType: 'application/problem+json', json: { status: 507, code: 'storage_full', title: 'The disk is full', detail: 'Make room.' } })
    }, { times: 1 })
    await page.getByRole('button', { name: 'Export' }).click()
    await page.getByRole('menuitem', { name: /^Parquet/ }).click()
    await page.getByText('Not exported. The disk is full. Make room.').waitFor()
    await page.getByRole('button', { name: 'Export' }).click()
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^CSV/ }).click()])
    expect(saved.suggestedFilename()).toBe('import-MY_FUND-1h.csv')
    const text = readFileSync(await saved.path(), 'utf8')
    expect(text.split('\n').slice(0, 2)).toEqual(['ts,open,high,low,close,volume', '2026-01-05T00:00:00Z,100.5,102.0,99.25,101.0,10.0'])

    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('alertdialog').getByText('58 bars will be deleted from the disk.').waitFor()
    await page.getByRole('button', { name: 'Delete series', exact: true }).click()
    await page.getByText('Deleted MY-FUND 1h.').waitFor()
    await page.getByRole('grid', { name: 'series' }).or(page.getByText('No data yet')).waitFor()
    await expect.poll(() => page.getByRole('row', { name: /MY-FUND/ }).count()).toBe(0)
    expect(withoutRefusals(complaints, 507)).toEqual([])
  })

  it('whose columns say nothing is mapped by hand', async () => {
    const { page } = it_
    await page.goto('/data/upload')
    await chooseFile(page, 'a,b,x,y,z\n2026-01-05,1,3,0.5,2\n2026-01-06,2,4,1.5,3\n2026-01-07,3,5,2.5,4\n', 'plain.csv')
    await page.getByText('Say which column holds: Time, Open, High, Low, Close.').waitFor()
    for (const [label, column] of [['Time', 'a'], ['Open', 'b'], ['High', 'x'], ['Low', 'y'], ['Close', 'z']] as const) {
      await page.getByLabel(label, { exact: true }).selectOption(column)
    }
    await page.getByText('3 bars will be imported.').waitFor()
    await expect.poll(() => page.getByLabel('One bar lasts').inputValue()).toBe('1d')
  })

  it('that is no table is refused with the reason, and another may be chosen', async () => {
    const { page } = it_
    await page.goto('/data/upload')
    await chooseFile(page, 'hello\nworld\n', 'letter.txt')
    await page.getByRole('alert').getByText('No table with at least 5 columns was found').waitFor()
    await chooseFile(page, csvWithTwoBadRows())
    await page.getByText('2 rows are no bars, of 60').waitFor()
    await page.getByRole('button', { name: 'Other file' }).click()
    await page.getByText('Drop a file here, or').waitFor()
  })
})

it.each([['desk', desktop], ['phone', phone]] as const)('%s: nothing for axe to find, nothing that scrolls sideways', async (size, viewport) => {
  const context: BrowserContext = await browser.newContext({
    baseURL: instance().url, viewport, colorScheme: 'light', hasTouch: size === 'phone', reducedMotion: 'reduce', storageState: await it_.context.storageState(),
  })
  const { page, complaints } = await openPage(context)

  const inspect = (name: string) => expectToLookWell(page, `data, ${name}, ${size}`)

  await page.route('**/api/data/series?**', async (route) => { await route.fulfill({ json: { items: [], next_cursor: null } }) })
  await page.goto('/data')
  await page.getByText('No data yet').waitFor()
  await inspect('empty')
  await page.unroute('**/api/data/series?**')
  await page.route('**/api/data/series?**', async (route) => {
    await route.fulfill({ status: 403, contentType: 'application/problem+json', json: { status: 403, code: 'forbidden', title: 'You may not see this', detail: 'Ask who runs this installation.', request_id: 'req-1' } })
  })
  await page.reload()
  await page.getByText('The series could not be loaded').waitFor()
  await inspect('error')
  await page.unroute('**/api/data/series?**')

  await download(page, { from: '2024-03-01', to: '2024-05-31' })
  await inspect('downloaded')
  await instance().spoilBars('BTC/USDT', '1h', '2024-03-10T00:00:00')
  await page.goto('/data')
  await page.getByRole('row', { name: /BTC\/USDT/ }).first().waitFor()
  await inspect('loaded')
  await page.getByRole('row', { name: /BTC\/USDT.* 1h/ }).click()
  await page.getByRole('heading', { name: 'BTC/USDT 1h' }).waitFor()
  await page.getByText('30 bars are missing.').waitFor()
  await page.getByRole('img', { name: /between/ }).waitFor()
  await page.getByRole('group', { name: /^Coverage of/ }).focus()
  await page.keyboard.press('ArrowRight')
  await inspect('series')

  await page.goto('/data/download')
  await page.getByLabel('Symbol').fill('BTC')
  await page.getByRole('option', { name: /BTC\/USDT/ }).waitFor()
  await inspect('suggestions')
  await page.getByRole('option', { name: /BTC\/USDT/ }).click()
  await page.getByRole('button', { name: '5 years' }).click()
  await page.getByText('Takes about').waitFor()
  await inspect('estimate')
  await page.getByLabel('Symbol').fill('BTCUSD')
  await page.keyboard.press('Escape')
  await page.getByText('Did you mean', { exact: false }).waitFor()
  await inspect('unknown-symbol')
  expect(withoutRefusals(complaints, 403, 404)).toEqual([])

  await page.goto('/data/upload')
  await page.getByText('Drop a file here, or').waitFor()
  await inspect('upload')
  await chooseFile(page, csvWithTwoBadRows())
  await page.getByText('2 rows are no bars, of 60').waitFor()
  await inspect('preview')
  await page.goto('/data/00000000-0000-4000-8000-000000000000')
  await page.getByText('The series could not be loaded').waitFor()
  await inspect('unknown-series')
  await context.close()
})
