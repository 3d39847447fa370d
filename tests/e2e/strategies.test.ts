/** Strategies in a real browser: rules are built, checked, tried on bars, saved, changed to a second version and restored. */
import { mkdirSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { expectNoSidewaysScroll, launch, leave, phone, type Visit, visit } from './browser'
import { signUp } from './people'

const pictures = process.env.TIDEMARK_SCREENSHOTS

let browser: Browser
let it_: Visit

beforeAll(async () => {
  browser = await launch()
  if (pictures) mkdirSync(pictures, { recursive: true })
})
afterAll(async () => { await leave(browser) })
beforeEach(async () => {
  it_ = await visit(browser)
  await signUp(it_.page)
})
afterEach(async () => { await it_.close() })

describe('rules without code', () => {
  it('are built, checked, tried, saved, changed and restored', async () => {
    const { page, complaints } = it_
    await page.keyboard.press('g')
    await page.keyboard.press('y')
    await page.getByRole('heading', { name: 'Strategies', exact: true }).waitFor()
    await page.getByRole('link', { name: 'Build rules' }).first().click()
    await page.getByText('Good', { exact: true }).waitFor()
    await page.getByText('Enter long: the close price > SMA (50)').waitFor()

    const first = page.getByRole('group', { name: 'Enter long' })
    await first.getByLabel('Period', { exact: true }).fill('1')
    await page.getByText('One thing to correct').waitFor()
    await first.getByText('period is 1; 2 to 2,000 is allowed.').waitFor()
    await first.getByLabel('Period', { exact: true }).fill('20')
    await page.getByText('Enter long: the close price > SMA (20)').waitFor()
    await page.getByRole('button', { name: 'Add a condition to Enter long' }).click()
    await page.getByRole('group', { name: 'Condition 2 of 2' }).getByLabel('Condition 2 of 2', { exact: true }).selectOption('weekday')
    await page.getByText('and the day is Mon or Tue or Wed or Thu or Fri').waitFor()

    await page.getByRole('button', { name: 'Show signals' }).click()
    await page.getByText(/\d+ long, 0 short, 0 to leave/).waitFor()
    await page.getByRole('grid', { name: 'signals' }).getByText('▲ Long').first().waitFor()

    await page.getByLabel('Name', { exact: true }).fill('Above its average')
    await page.getByLabel('What this version is for').fill('First idea')
    await page.getByRole('button', { name: 'Save strategy', exact: true }).click()
    await page.getByRole('heading', { name: 'Above its average' }).waitFor()
    await page.getByText('Version 1: First idea').waitFor()

    await page.getByRole('link', { name: 'Change rules' }).click()
    await page.getByLabel('Stop (optional)', { exact: true }).fill('3')
    await page.getByText('Stop: 3 % from the fill').waitFor()
    await page.getByLabel('What this version is for').fill('A tighter stop')
    await page.getByText('Good', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Save as a new version', exact: true }).click()
    const diff = page.getByRole('region', { name: 'What differs' })
    await diff.getByText('Stop: 5 % from the fill').waitFor()
    await diff.getByText('Stop: 3 % from the fill').waitFor()
    if (pictures) await page.screenshot({ path: `${pictures}/strategy-versions.png`, fullPage: true })

    await page.getByRole('button', { name: 'Restore version 1' }).click()
    await page.getByText('Version 3: As in version 1').waitFor()
    await page.setViewportSize(phone)
    await expectNoSidewaysScroll(page)
    await page.goto('/strategies?show=own')
    await page.getByRole('link', { name: 'Above its average' }).waitFor()
    await expectNoSidewaysScroll(page)
    expect(complaints).toEqual([])
  })
})
