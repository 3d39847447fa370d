/** Models in a real browser: one is trained, says what it is worth, predicts, and leads to its own backtest. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { desktop, launch, openPage, phone, type Visit, visit } from './browser'
import { expectToLookWell } from './looks'
import { signUp } from './people'

/** Compiling the features takes the first training of a machine so long. */
const firstTrainingMilliseconds = 150_000

let browser: Browser
let it_: Visit

beforeAll(async () => {
  browser = await launch()
  it_ = await visit(browser, { colorScheme: 'light' })
  await signUp(it_.page)
})
afterAll(async () => { await browser.close() })

async function fillIn(page: Page) {
  const symbol = page.getByRole('combobox', { name: 'Symbol' })
  await symbol.fill('BTC/USDT')
  await symbol.press('Enter')
  await page.getByLabel('First day').fill('2026-03-01')
  await page.getByLabel('Folds', { exact: true }).fill('2')
  await page.getByText('How it learns').click()
  await page.getByLabel('Rounds', { exact: true }).fill('10')
  await page.getByLabel('Patience', { exact: true }).fill('5')
}

it('a model is trained, judged, asked, and traded in a backtest', async () => {
  const { page, complaints } = it_
  await page.keyboard.press('g')
  await page.keyboard.press('p')
  await page.getByText('No models yet').waitFor()
  await page.getByRole('main').getByRole('link', { name: 'Train a model' }).last().click()

  await fillIn(page)
  await page.getByText('Takes about').waitFor()
  await page.getByLabel('Folds', { exact: true }).fill('20')
  await page.getByLabel('First day').fill('2026-11-20')
  await page.getByText('There is too little history').waitFor()
  await expectToLookWell(page, 'predictions, too little history')
  await page.getByLabel('First day').fill('2026-03-01')
  await page.getByLabel('Folds', { exact: true }).fill('2')
  await page.getByText('Takes about').waitFor()
  await page.getByRole('button', { name: 'Train model', exact: true }).click()

  await page.getByRole('heading', { name: 'Progress' }).waitFor()
  await page.reload() // the training goes on, and so does its page
  await page.getByRole('heading', { name: /^(Trusted|Not trusted): / }).waitFor({ timeout: firstTrainingMilliseconds })
  const model = new URL(page.url()).pathname
  await page.getByRole('table', { name: /Folds, each tried/ }).getByText('All folds together').waitFor()
  await page.getByRole('table', { name: /simple guesses/ }).getByText('This model').waitFor()
  await page.getByText('Champion', { exact: true }).waitFor()

  await page.getByRole('link', { name: 'Predict now' }).click()
  await page.getByRole('heading', { name: 'What it says' }).waitFor()
  await page.getByText(/^Open until/).waitFor()
  expect(new URL(page.url()).search).toBe('?tab=predictions')

  await page.getByRole('link', { name: 'Predictions', exact: true }).first().click()
  await page.getByRole('row', { name: /BTC\/USDT.*Champion/ }).waitFor()

  await page.goto(model)
  await page.getByRole('link', { name: 'Backtest this model' }).click()
  await page.getByRole('heading', { name: 'New backtest' }).waitFor()
  expect(await page.getByRole('combobox', { name: 'Strategy' }).inputValue()).toBe('ml_predictive')
  expect(await page.getByLabel('Horizon', { exact: true }).inputValue()).toBe('12')
  expect(await page.getByLabel('Rounds', { exact: true }).inputValue()).toBe('10')
  await page.getByText('Takes about').waitFor()
  expect(complaints).toEqual([])

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
}, 2 * firstTrainingMilliseconds)
