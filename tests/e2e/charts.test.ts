/** The price chart by keyboard, pointer and theme, on the page of components. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launch, leave, type Visit, visit } from './browser'

let browser: Browser
let seen: Visit
let page: Page

beforeAll(async () => {
  browser = await launch()
  seen = await visit(browser, { colorScheme: 'light', deviceScaleFactor: 1 })
  page = seen.page
  await page.goto('/dev/ui#prices')
})
afterAll(async () => { await leave(browser) })

const chart = () => page.locator('#prices').getByRole('application').first()
const spoken = () => page.locator('#prices [aria-live=polite]').first()

/** How much of the chart each colour covers tells whether something was drawn. */
function coloursDrawn() {
  return chart().locator('canvas').first().evaluate((canvas: HTMLCanvasElement) => {
    // A copy, since the browser complains about reading the one that is drawn on.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
    copy?.drawImage(canvas, 0, 0)
    const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray()
    const found = new Map<string, number>()
    for (let at = 0; at < data.length; at += 4) {
      const colour = [data[at], data[at + 1], data[at + 2]].join()
      found.set(colour, (found.get(colour) ?? 0) + 1)
    }
    return [...found].filter(([, count]) => count > 20).map(([colour]) => colour)
  })
}

it('reads bars aloud, walks trades, and keeps what is looked at over a reload', async () => {
  await chart().focus()
  await page.keyboard.press('ArrowLeft')
  await expect.poll(() => spoken().textContent()).toMatch(/^2024-\d\d-\d\d \d\d:00 UTC: close [\d,.]+, [+−][\d.]+%\. Open .* SMA 20 /)
  await page.keyboard.press('Home')
  await expect.poll(() => spoken().textContent()).toMatch(/^2024-01-02 14:00 UTC: close /)
  await page.keyboard.press(']')
  await expect.poll(() => spoken().textContent()).toMatch(/^Trade 1 of 100, number 1, \w+, in at [\d,.]+ on /)
  await page.getByText('Trade 1 is chosen.').waitFor()
  await page.keyboard.press('l')
  await expect.poll(() => page.locator('#prices').getByRole('radio', { name: 'Log' }).first().isChecked()).toBe(true)
  await expect.poll(() => page.evaluate(() => sessionStorage.getItem('tidemark.chart.dev'))).toContain('"scale":"log"')
  const before = await chart().getAttribute('aria-label')
  await page.reload()
  await expect.poll(() => chart().getAttribute('aria-label')).toBe(before)
  expect(before).toContain('2024-01-02')
})

it('is drawn in the colours of the theme, at once when the theme changes', async () => {
  await expect.poll(coloursDrawn).toContain('11,116,104')
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect.poll(coloursDrawn).toContain('63,182,168')
  await expect.poll(coloursDrawn).not.toContain('11,116,104')
})

it('zooms to a box, and says the same as a table', async () => {
  const scope = page.locator('#prices')
  await scope.getByRole('button', { name: 'All', exact: true }).first().click()
  const whole = await chart().getAttribute('aria-label')
  const box = await chart().boundingBox()
  if (box === null) throw new Error('The chart has no place on the page.')
  await page.keyboard.down('Shift')
  await page.mouse.move(box.x + 300, box.y + 40)
  await page.mouse.down()
  await page.mouse.move(box.x + 420, box.y + 260, { steps: 4 })
  await page.mouse.up()
  await page.keyboard.up('Shift')
  await expect.poll(() => chart().getAttribute('aria-label')).not.toBe(whole)
  await scope.getByRole('button', { name: 'Show as a table' }).first().click()
  const table = scope.getByRole('grid', { name: 'bars of BTC/USDT, 1 hour' })
  await table.waitFor()
  expect(Number(await table.getAttribute('aria-rowcount'))).toBeLessThan(600)
  expect(seen.complaints).toEqual([])
})

it('asks for older bars once the first one is in view', async () => {
  const stock = page.locator('#prices').getByRole('application').nth(1)
  await stock.focus()
  await page.keyboard.press('Home')
  const read = page.locator('#prices [aria-live=polite]').nth(1)
  await expect.poll(() => read.textContent()).toContain(': close ')
  const oldest = await read.textContent()
  await expect.poll(async () => {
    await stock.focus()
    await page.keyboard.press('Home')
    return read.textContent()
  }).not.toBe(oldest)
})
