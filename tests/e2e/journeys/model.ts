/** A model: trained, asked, and traded in a backtest. */
import { expect } from 'vitest'
import { longPatience } from '../browser'
import { finished, nameRun, type Traveller } from './traveller'

export async function model({ page, hand, arrive, interrupt }: Traveller) {
  await arrive()
  await hand.goTo('Predictions')
  await page.getByText('No models yet').waitFor()
  await hand.press(page.getByRole('main').getByRole('link', { name: 'Train a model' }).last())
  await hand.type(page.getByRole('combobox', { name: 'Symbol' }), 'BTC/USDT')
  await page.keyboard.press('Enter')
  await hand.type(page.getByLabel('First day'), '2026-03-01')
  await hand.type(page.getByLabel('Folds', { exact: true }), '2')
  await hand.press(page.locator('summary', { hasText: 'How it learns' }))
  await hand.type(page.getByLabel('Rounds', { exact: true }), '10')
  await hand.type(page.getByLabel('Patience', { exact: true }), '5')
  await page.getByText('Takes about').waitFor()
  await hand.press(page.getByRole('button', { name: 'Train model', exact: true }))
  await page.getByRole('heading', { name: 'Progress' }).or(page.getByText('Champion', { exact: true })).first().waitFor()
  await interrupt()
  await page.getByRole('heading', { name: /^(Trusted|Not trusted): / }).waitFor({ timeout: longPatience })
  const address = new URL(page.url()).pathname

  await hand.press(page.getByRole('link', { name: 'Predict now' }))
  await page.getByRole('heading', { name: 'What it says' }).waitFor()
  await page.getByText(/^Open until/).waitFor()
  expect(await page.getByRole('tabpanel').getByRole('row', { name: /Open/ }).count()).toBeLessThanOrEqual(1)

  await hand.press(page.getByRole('link', { name: 'Backtest this model' }))
  await page.getByRole('heading', { name: 'New backtest' }).waitFor()
  await expect.poll(() => page.getByRole('combobox', { name: 'Strategy' }).inputValue()).toBe('ml_predictive')
  await expect.poll(() => page.getByLabel('Rounds', { exact: true }).inputValue()).toBe('10')
  await page.getByText('Takes about').waitFor()
  await nameRun({ page, hand }, 'Trades the model')
  await hand.press(page.getByRole('button', { name: 'Run backtest', exact: true }))
  await page.getByRole('heading', { name: 'Trades the model' }).waitFor()
  await finished(page)

  await hand.goTo('Predictions')
  const models = page.getByRole('grid', { name: 'models' }).or(page.getByRole('table', { name: 'models' }))
  await models.getByRole('row', { name: /BTC\/USDT/ }).first().waitFor()
  expect(await models.getByRole('row', { name: /BTC\/USDT/ }).count()).toBe(1)
  expect(address).toMatch(/^\/predictions\/models\//)
}
