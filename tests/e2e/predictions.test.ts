/** Models in a real browser: what one says of itself, on every tab. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { desktop, launch, leave, longPatience, openPage, phone, type Visit, visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { beSignedIn } from './people'

let browser: Browser
let it_: Visit

beforeAll(async () => {
  browser = await launch()
  it_ = await visit(browser, { colorScheme: 'light' })
  await beSignedIn(it_.page)
})
afterAll(async () => { await leave(browser) })

/** The address of a small one, asked for as the form does; a journey goes through the form. */
async function train(page: Page) {
  const bearer = await page.evaluate(() => (JSON.parse(localStorage.getItem('tidemark.session') ?? '{}') as { access_token: string }).access_token)
  const answer = await page.request.post('/api/models/train', {
    headers: { Authorization: `Bearer ${bearer}` },
    data: {
      name: 'A small one', series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h' }, start: '2026-03-01T00:00:00Z',
      spec: { horizon: 12, folds: 2, rounds: 10, patience: 5 },
    },
  })
  expect(answer.ok(), await answer.text()).toBe(true)
  return `/predictions/models/${(await answer.json() as { id: string }).id}`
}

it('what has too little history is said before it is trained', async () => {
  const { page } = it_
  await page.goto('/predictions/new')
  const symbol = page.getByRole('combobox', { name: 'Symbol' })
  await symbol.fill('BTC/USDT')
  await symbol.press('Enter')
  await page.getByLabel('First day').fill('2026-11-20')
  await page.getByLabel('Folds', { exact: true }).fill('20')
  await page.getByText('There is too little history').waitFor()
  await expectToLookWell(page, 'predictions, too little history')
})

it('a model is judged, and looks well on every tab', async () => {
  const { page, complaints } = it_
  const model = await train(page)
  await page.goto(model)
  await page.getByRole('heading', { name: /^(Trusted|Not trusted): / }).waitFor({ timeout: longPatience })
  await page.getByRole('table', { name: /Folds, each tried/ }).getByText('All folds together').waitFor()
  await page.getByRole('table', { name: /simple guesses/ }).getByText('This model').waitFor()
  await page.getByText('Champion', { exact: true }).waitFor()
  await page.getByRole('link', { name: 'Predict now' }).click()
  await page.getByText(/^Open until/).waitFor()
  await expect.poll(() => new URL(page.url()).search).toBe('?tab=predictions')

  const small = await browser.newContext({
    baseURL: process.env.TIDEMARK_URL, viewport: phone, reducedMotion: 'reduce', colorScheme: 'light',
    storageState: await it_.context.storageState(),
  })
  const { page: onPhone } = await openPage(small)
  const all = ['Overview', 'Calibration', 'Deciles', 'Importance', 'Predictions', 'Track record', 'Drift', 'Card']
  for (const [each, size, tabs] of [[page, desktop, ['Overview', 'Predictions']], [onPhone, phone, all]] as const) {
    await each.goto(model)
    for (const tab of tabs) {
      await each.getByRole('tab', { name: tab }).click()
      await each.getByRole('tabpanel', { name: tab }).getByRole('heading').first().waitFor()
      await expectToLookWell(each, `model, ${tab}, ${size.width}`)
    }
  }
  await small.close()
  expect(withoutRefusals(complaints, 422)).toEqual([])
})
