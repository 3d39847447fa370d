/** Every page, in both themes, on a desk and on a phone: nothing for axe to find, nothing that scrolls sideways, no complaint. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { base, desktop, expectNoSidewaysScroll, launch, leave, openPage, phone, visit } from './browser'
import { expectToLookWell } from './looks'
import { beSignedIn } from './people'

let browser: Browser
let member: Awaited<ReturnType<Awaited<ReturnType<typeof visit>>['context']['storageState']>>

beforeAll(async () => {
  browser = await launch()
  const first = await visit(browser)
  await beSignedIn(first.page)
  member = await first.context.storageState()
  await first.close()
})
afterAll(async () => { await leave(browser) })

interface Face {
  name: string
  path: string
  signedIn?: boolean
  /** What must be seen before the page counts as open. */
  heading: string
  /** Brings the page into the state that is looked at. */
  prepare?: (page: Page) => Promise<unknown>
  arrange?: (page: Page) => Promise<unknown>
}

const answer500 = { status: 500, contentType: 'application/problem+json', json: { status: 500, code: 'internal_error', title: 'Something went wrong on our side', detail: 'The request could not be finished. Try again.', request_id: '0c1d2e3f' } }

/** What is coming has taken so long that its shape is shown. */
const isWaiting = (page: Page) => page.locator('[aria-busy="true"] .opacity-100').first().waitFor()

const faces: Face[] = [
  { name: 'sign-in', path: '/sign-in', heading: 'Sign in' },
  { name: 'sign-in, refused', path: '/sign-in', heading: 'Sign in', arrange: (page) => page.getByRole('button', { name: 'Sign in', exact: true }).click() },
  { name: 'sign-up', path: '/sign-up', heading: 'Create an account', arrange: (page) => page.getByLabel('Password', { exact: true }).fill('correct horse') },
  { name: 'forgotten-password', path: '/forgotten-password', heading: 'Reset your password' },
  { name: 'new-password without a link', path: '/new-password', heading: 'Reset your password' },
  { name: 'new-password', path: '/new-password', signedIn: true, heading: 'Choose a new password' },
  { name: 'verify-email', path: '/verify-email', heading: 'Confirm your email' },
  { name: 'save-demo', path: '/save-demo', signedIn: true, heading: 'Keep what you did' },
  { name: 'dashboard', path: '/', signedIn: true, heading: 'Dashboard' },
  { name: 'dashboard, loading', path: '/', signedIn: true, heading: 'Dashboard', prepare: (page) => page.route('**/api/me', () => undefined), arrange: isWaiting },
  { name: 'dashboard, error', path: '/', signedIn: true, heading: 'Dashboard', prepare: (page) => page.route('**/api/me', (route) => route.fulfill(answer500)), arrange: (page) => page.getByText('could not be loaded').first().waitFor() },
  { name: 'dashboard, offline', path: '/', signedIn: true, heading: 'Dashboard', arrange: async (page) => {
    await page.route('**/healthz', (route) => route.abort())
    await page.getByText('Tidemark does not answer.').waitFor()
  } },
  { name: 'status, empty', path: '/status', signedIn: true, heading: 'Status centre', arrange: (page) => page.getByText('No tasks yet').waitFor() },
  { name: 'status, filtered to nothing', path: '/status?state=failed&kind=train', signedIn: true, heading: 'Status centre', arrange: (page) => page.getByText('No tasks match').waitFor() },
  { name: 'status, loading', path: '/status', signedIn: true, heading: 'Status centre', prepare: (page) => page.route('**/api/system/**', () => undefined), arrange: isWaiting },
  { name: 'status, error', path: '/status', signedIn: true, heading: 'Status centre', prepare: (page) => page.route('**/api/system/**', (route) => route.fulfill(answer500)), arrange: (page) => page.getByText('The tasks could not be loaded').waitFor() },
  { name: 'status, offline', path: '/status', signedIn: true, heading: 'Status centre', arrange: async (page) => {
    await page.getByText('No tasks yet').waitFor()
    await page.route('**/healthz', (route) => route.abort())
    await page.getByText('Tidemark does not answer.').waitFor()
  } },
  { name: 'status, stream cut', path: '/status?state=failed', signedIn: true, heading: 'Status centre', prepare: (page) => page.route('**/api/system/task-events', (route) => route.fulfill(answer500)), arrange: (page) => page.getByText('This may be out of date.').waitFor() },
  { name: 'updates', path: '/', signedIn: true, heading: 'Dashboard', arrange: async (page) => {
    await page.getByRole('button', { name: /^Updates:/ }).click()
    await page.getByText('Open the status centre').last().waitFor()
  } },
  { name: 'strategies', path: '/strategies', signedIn: true, heading: 'Strategies', arrange: (page) => page.getByRole('link', { name: 'SMA cross' }).waitFor() },
  { name: 'strategies, empty', path: '/strategies?show=own', signedIn: true, heading: 'Strategies', arrange: (page) => page.getByText('No rules of your own yet').waitFor() },
  { name: 'strategies, filtered to nothing', path: '/strategies?q=no+such+idea', signedIn: true, heading: 'Strategies', arrange: (page) => page.getByText('No strategies match').waitFor() },
  { name: 'strategies, loading', path: '/strategies', signedIn: true, heading: 'Strategies', prepare: (page) => page.route('**/api/strategies', () => undefined), arrange: isWaiting },
  { name: 'strategies, error', path: '/strategies', signedIn: true, heading: 'Strategies', prepare: (page) => page.route('**/api/strategies', (route) => route.fulfill(answer500)), arrange: (page) => page.getByText('The strategies could not be loaded').waitFor() },
  { name: 'strategy', path: '/strategies/sma_cross', signedIn: true, heading: 'SMA cross', arrange: (page) => page.getByText('Bars of the fast average').waitFor() },
  { name: 'rule builder', path: '/strategies/new', signedIn: true, heading: 'Build rules', arrange: (page) => page.getByText('Good', { exact: true }).waitFor() },
  { name: 'predictions', path: '/predictions', signedIn: true, heading: 'No models yet' },
  { name: 'predictions, error', path: '/predictions', signedIn: true, heading: 'Predictions', prepare: (page) => page.route('**/api/models?**', (route) => route.fulfill(answer500)), arrange: (page) => page.getByText('The models could not be loaded').waitFor() },
  { name: 'train a model', path: '/predictions/new', signedIn: true, heading: 'Train a model', arrange: (page) => page.getByText('Choose a symbol to see').waitFor() },
  { name: 'settings, profile', path: '/settings/profile', signedIn: true, heading: 'Settings' },
  { name: 'settings, preferences', path: '/settings/preferences', signedIn: true, heading: 'Settings' },
  { name: 'settings, API keys', path: '/settings/keys', signedIn: true, heading: 'Settings', arrange: (page) => page.getByText('No API keys').waitFor() },
  { name: 'settings, security', path: '/settings/security', signedIn: true, heading: 'Settings', arrange: (page) => page.getByText('This browser').waitFor() },
  { name: 'settings, your data', path: '/settings/data', signedIn: true, heading: 'Settings', arrange: (page) => page.getByText('Files on the server').waitFor() },
  { name: 'palette', path: '/', signedIn: true, heading: 'Dashboard', arrange: async (page) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').waitFor()
  } },
  { name: 'shortcuts', path: '/', signedIn: true, heading: 'Dashboard', arrange: async (page) => {
    await page.keyboard.press('?')
    await page.getByRole('dialog').waitFor()
  } },
  { name: 'account menu', path: '/', signedIn: true, heading: 'Dashboard', arrange: async (page) => {
    await page.getByRole('button', { name: /^Account:/ }).click()
    await page.getByRole('menu').waitFor()
  } },
  { name: 'not found', path: '/no/such/page', heading: 'Page not found' },
  { name: 'dev-ui', path: '/dev/ui', heading: '' },
]

type Seat = Awaited<ReturnType<typeof openPage>>

/** One page that opens every face in turn: to open another page takes longer than to open a face. */
async function seatOf(device: BrowserContextOptions) {
  return await openPage(await browser.newContext(device))
}

/** As a page that was opened just now. */
async function anew({ page, complaints }: Seat) {
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  await page.emulateMedia({ colorScheme: 'light' }) // one that failed may have left it dark
  await page.goto('/favicon.svg') // of the same origin, and nothing runs there
  await page.evaluate(() => { sessionStorage.clear() })
  complaints.length = 0
  return { page, complaints }
}

describe.each([['desk', desktop], ['phone', phone]] as const)('%s', (size, viewport) => {
  let guest: Seat
  let insider: Seat

  beforeAll(async () => {
    const device = { baseURL: base, viewport, colorScheme: 'light' as const, hasTouch: size === 'phone', reducedMotion: 'reduce' as const }
    guest = await seatOf(device)
    insider = await seatOf({ ...device, storageState: member })
  })
  afterAll(async () => {
    await guest.page.context().close()
    await insider.page.context().close()
  })

  it.each(faces)('$name', async ({ name, path, signedIn, heading, prepare, arrange }) => {
    const { page, complaints } = await anew(signedIn ? insider : guest)
    await prepare?.(page)
    await page.goto(path)
    await page.getByRole('heading', heading === '' ? { level: 1 } : { name: heading }).first().waitFor()
    if (!name.endsWith('loading') && name !== 'dev-ui') await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null)
    await arrange?.(page)
    await expectToLookWell(page, `${name}, ${size}`)
    expect(complaints.filter((text) => !/status of 500|net::ERR_FAILED/.test(text))).toEqual([])
  })
})

describe('at 200 % zoom', () => {
  // Zooming by two on a 1280 px screen leaves 640 px, with everything twice as large.
  const zoomed = { baseURL: base, viewport: { width: 640, height: 450 }, deviceScaleFactor: 2, reducedMotion: 'reduce' as const }
  let guest: Seat
  let insider: Seat

  beforeAll(async () => {
    guest = await seatOf(zoomed)
    insider = await seatOf({ ...zoomed, storageState: member })
  })
  afterAll(async () => {
    await guest.page.context().close()
    await insider.page.context().close()
  })

  it.each(faces.filter(({ arrange }) => arrange === undefined))('$name still fits', async ({ path, signedIn, heading }) => {
    const { page } = await anew(signedIn ? insider : guest)
    await page.setViewportSize(zoomed.viewport)
    await page.goto(path)
    await page.getByRole('heading', heading === '' ? { level: 1 } : { name: heading }).first().waitFor()
    await expectNoSidewaysScroll(page)
    await page.setViewportSize({ width: 320, height: 256 }) // 400 % of the same screen: WCAG 1.4.10
    await expectNoSidewaysScroll(page)
  })
})

describe('appearance', () => {
  it('shows the chosen theme from the first paint, without an inline script', async () => {
    const { page, close } = await visit(browser, { colorScheme: 'light' })
    await page.goto('/sign-in')
    await page.getByRole('button', { name: 'Use the dark theme' }).click()
    await page.route('**/assets/**', () => undefined) // the app itself never arrives
    await page.reload({ waitUntil: 'commit' })
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await close()
  })

  it('follows the system while it is left to the system', async () => {
    const { page, close } = await visit(browser, { colorScheme: 'dark' })
    await page.goto('/sign-in')
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await page.emulateMedia({ colorScheme: 'light' })
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('light')
    await close()
  })
})
