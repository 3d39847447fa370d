/** A file of one's own: imported, tested twice, compared, taken along, and shown to somebody who has no account. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { expectOnce, finished, nameRun, type Traveller } from './traveller'

const days = 400

/** Prices that rise and fall, so that averages cross. */
function fund() {
  const rows = Array.from({ length: days }, (_, day) => {
    const date = new Date(Date.UTC(2024, 0, 1) + day * 86_400_000).toISOString().slice(0, 10)
    const close = 100 + day / 20 + 15 * Math.sin(day / 12)
    return [date, close - 0.5, close + 1, close - 1, close, 1_000].map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(',')
  })
  return { name: 'my fund.csv', mimeType: 'text/csv', buffer: Buffer.from(`Date,Open,High,Low,Close,Volume\n${rows.join('\n')}\n`) }
}

export async function upload({ page, hand, arrive, elsewhere, interrupt }: Traveller) {
  await arrive()
  await hand.goTo('Data')
  await hand.press(page.getByRole('link', { name: 'Upload file' }).first())
  await hand.attach('Choose a file', fund())
  await page.getByText(`${days} bars will be imported.`).waitFor()
  await interrupt()
  await hand.press(page.getByRole('button', { name: 'Import', exact: true }))
  await page.getByText(`Imported ${days} bars`).waitFor()

  await hand.goTo('Backtests')
  await hand.press(page.getByRole('link', { name: 'New backtest' }).last())
  await hand.choose(page.getByRole('combobox', { name: 'Strategy' }), 'SMA cross')
  await hand.choose(page.getByRole('combobox', { name: 'Provider' }), 'Uploaded by you')
  await hand.choose(page.getByRole('combobox', { name: 'Series' }), 'MY-FUND, 1 day')
  await hand.press(page.getByRole('button', { name: 'All', exact: true }))
  await hand.type(page.getByLabel('Fast', { exact: true }), '5')
  await hand.type(page.getByLabel('Slow', { exact: true }), '20')
  await nameRun({ page, hand }, 'First of two')
  await hand.press(page.getByRole('button', { name: 'Run backtest', exact: true }))
  await page.getByRole('heading', { name: 'First of two' }).waitFor()
  await finished(page)
  await hand.press(page.getByRole('link', { name: 'Clone and edit' }))
  await hand.type(page.getByLabel('Fast', { exact: true }), '10')
  await nameRun({ page, hand }, 'Second of two')
  await hand.press(page.getByRole('button', { name: 'Run backtest', exact: true }))
  await page.getByRole('heading', { name: 'Second of two' }).waitFor()
  await finished(page)
  const result = new URL(page.url()).pathname

  await hand.goTo('Backtests')
  await expectOnce(page, 'backtests', /First of two/)
  await expectOnce(page, 'backtests', /Second of two/)
  await hand.mark(page.getByRole('grid', { name: 'backtests' }), /of two/)
  await hand.press(page.getByRole('button', { name: 'Compare' }))
  await page.getByRole('heading', { name: 'Better than the first?' }).waitFor()
  await page.getByRole('table', { name: 'Settings that differ' }).getByRole('row', { name: /^fast / }).waitFor()
  await hand.press(page.getByRole('link', { name: 'Second of two' }).first())
  await finished(page)
  await expect.poll(() => new URL(page.url()).pathname).toBe(result)

  await hand.press(page.getByRole('main').getByRole('button', { name: 'Export' }).first())
  const saved = page.waitForEvent('download')
  await hand.press(page.getByRole('menuitem', { name: /^Report/ }))
  expect(readFileSync(await (await saved).path(), 'utf8')).toContain('MY-FUND')

  await hand.press(page.getByRole('button', { name: 'Share' }))
  await hand.type(page.getByLabel('Title of the page'), 'A fund of mine')
  await hand.press(page.getByRole('button', { name: 'Create link', exact: true }))
  const link = await page.getByRole('dialog', { name: 'Your link' }).getByText(/\/shared\//).textContent() ?? ''
  await hand.press(page.getByRole('button', { name: 'Done' }))
  const stranger = await elsewhere()
  await stranger.page.goto(link.trim())
  await stranger.page.getByRole('heading', { name: 'A fund of mine' }).waitFor()
  await stranger.page.getByRole('grid', { name: 'trades' }).waitFor()
  await stranger.close()
}
