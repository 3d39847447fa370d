/** A strategy without code: built, kept, its numbers tried out, and the best trial opened as a backtest of its own. */
import { expect } from 'vitest'
import { longPatience } from '../browser'
import { expectOnce, finished, nameRun, type Traveller } from './traveller'

export async function rules({ page, hand, arrive, interrupt }: Traveller) {
  await arrive()
  await hand.goTo('Strategies')
  await hand.press(page.getByRole('link', { name: 'Build rules' }).first())
  await page.getByText('Enter long: the close price > SMA (50)').waitFor()
  await hand.type(page.getByRole('group', { name: 'Enter long' }).getByLabel('Period', { exact: true }), '20')
  await page.getByText('Enter long: the close price > SMA (20)').waitFor()
  await hand.type(page.getByLabel('Name', { exact: true }), 'Above its average')
  await interrupt()
  await hand.press(page.getByRole('button', { name: 'Save strategy', exact: true }))
  await page.getByRole('heading', { name: 'Above its average' }).waitFor()

  await hand.press(page.getByRole('link', { name: 'New backtest' }))
  await hand.press(page.getByRole('radio', { name: 'Sweep' }))
  await hand.choose(page.getByRole('combobox', { name: 'Long enter right period' }), 'From, to, step')
  await hand.type(page.getByRole('spinbutton', { name: 'To', exact: true }), '20')
  await hand.type(page.getByRole('combobox', { name: 'Symbol' }), 'BTC/USDT')
  await page.keyboard.press('Enter')
  await hand.type(page.getByLabel('First day'), '2025-01-01')
  await hand.type(page.getByLabel('Last day'), '2025-03-31')
  await nameRun({ page, hand }, 'Which average')
  await hand.press(page.getByRole('button', { name: 'Run sweep', exact: true }))
  await page.getByRole('heading', { name: 'Which average' }).waitFor()

  const trials = page.getByRole('grid', { name: 'trials' })
  await trials.waitFor({ timeout: longPatience })
  const best = await trials.getByRole('row').nth(1).textContent() ?? ''
  await hand.open(trials, 1)
  await hand.press(page.getByRole('button', { name: /^Open trial \d+ as a backtest/ }))
  await page.getByRole('heading', { name: /^Trial \d+ of Which average/ }).waitFor()
  await finished(page)
  expect(best).not.toBe('')
  await hand.goTo('Strategies')
  await page.getByRole('link', { name: 'Above its average' }).first().waitFor()
  expect(await page.getByRole('link', { name: 'Above its average' }).count()).toBe(1)
  await hand.goTo('Backtests')
  await expectOnce(page, 'backtests', /Trial \d+ of Which average/)
}
