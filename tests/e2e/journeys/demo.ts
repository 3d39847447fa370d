/** From the first visit to a finished backtest, in at most three clicks. */
import { expect } from 'vitest'
import { expectOnce, finished, type Traveller } from './traveller'

export async function demo({ page, hand, interrupt }: Traveller) {
  await page.goto('/')
  await hand.press(page.getByRole('button', { name: 'Try the demo' }))
  await hand.press(page.getByRole('button', { name: 'Run sample backtest' }))
  await page.getByRole('heading', { name: /^Sample/ }).waitFor()
  await interrupt()
  await finished(page)
  expect(hand.presses).toBeLessThanOrEqual(3)
  await hand.goTo('Dashboard')
  await page.getByText('Run sample backtest (done)').waitFor()
  await hand.goTo('Backtests')
  await expectOnce(page, 'backtests', /Sample/)
}
