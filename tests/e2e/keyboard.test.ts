/** The keyboard alone is enough. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { launch, leave, type Visit, visit } from './browser'
import { beInDemo, password, savedBy, signUp, someone, startDemo } from './people'

let browser: Browser
let it_: Visit

beforeAll(async () => { browser = await launch() })
afterAll(async () => { await leave(browser) })
beforeEach(async () => { it_ = await visit(browser) })
afterEach(async () => { await it_.close() })

function focused(page: Page) {
  return page.evaluate(() => {
    const element = document.activeElement
    return element?.getAttribute('aria-label') ?? element?.getAttribute('name') ?? element?.textContent.trim() ?? ''
  })
}

async function tabTo(page: Page, name: string) {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await focused(page) === name) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab never reached ${name}`)
}

it('creates an account, finds its way and signs out', async () => {
  const { page, complaints } = it_
  await page.goto('/sign-in')
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.keyboard.press('Tab')
  await expect.poll(() => focused(page)).toBe('Skip to content')
  await tabTo(page, 'Create an account')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Create an account' }).waitFor()
  await tabTo(page, 'email')
  await page.keyboard.type(someone('keys'))
  await tabTo(page, 'password')
  await page.keyboard.type(password)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  await tabTo(page, 'Settings')
  await page.keyboard.press('Enter')
  await page.getByRole('tab', { name: 'Profile' }).waitFor()
  await tabTo(page, 'Profile')
  await page.keyboard.press('ArrowRight')
  await page.getByRole('tab', { name: 'Preferences', selected: true }).waitFor()
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog', { name: 'Command palette' }).locator('input:focus').waitFor()
  await page.keyboard.type('sign out')
  await page.getByRole('option', { name: 'Sign out', selected: true }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(complaints).toEqual([])
})

it('opens the palette, filters it, and gives the focus back on Escape', async () => {
  const { page } = it_
  await startDemo(page)
  await page.getByRole('button', { name: /^Search/ }).focus()
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Command palette' })
  await palette.locator('input:focus').waitFor()
  await page.keyboard.type('dark')
  await expect.poll(() => palette.getByRole('option').allTextContents()).toEqual(['Use the dark theme'])
  await page.keyboard.press('Enter')
  await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
  await page.keyboard.press('Control+k')
  await palette.locator('input:focus').waitFor()
  await page.keyboard.type('no such thing')
  await palette.getByText(/Nothing is called/).waitFor()
  await page.keyboard.press('Escape')
  await palette.waitFor({ state: 'hidden' })
})

it('goes by g and a letter, shows the sheet by ?, and lets single keys be switched off', async () => {
  const { page } = it_
  await signUp(page)
  await page.keyboard.press('g')
  await page.keyboard.press('s')
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await page.goto('/settings/preferences')
  await page.getByRole('switch', { name: 'Single-key shortcuts' }).focus()
  await savedBy(page, () => page.keyboard.press('Space'))
  await page.keyboard.press('g')
  await page.keyboard.press('d')
  await page.keyboard.press('?')
  await page.keyboard.press('Control+k') // this one stays, and by now the others would have shown what they do
  await page.getByRole('dialog', { name: 'Command palette' }).waitFor()
  expect(await page.getByRole('dialog', { includeHidden: true }).count()).toBe(1)
  await expect.poll(() => new URL(page.url()).pathname).toBe('/settings/preferences')
})

it('types letters into fields without leaving the page', async () => {
  const { page } = it_
  await beInDemo(page)
  await page.goto('/settings/profile')
  await page.getByLabel('Name').fill('')
  await page.getByLabel('Name').pressSequentially('gd? / gs')
  await expect.poll(() => page.getByLabel('Name').inputValue()).toBe('gd? / gs')
  await expect.poll(() => new URL(page.url()).pathname).toBe('/settings/profile')
})
