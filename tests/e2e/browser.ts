/** A real Chromium, and pages that remember every error the browser reports. */
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect } from 'vitest'

export const base = process.env.TIDEMARK_URL ?? ''
export const desktop = { width: 1440, height: 900 }
export const phone = { width: 360, height: 740 }
/** How long anything may take to be seen: a machine that is busy with something else is slow, not wrong. */
export const patience = 45_000
/** The same for what is computed first: a result, or a model whose features are compiled at the first training of a machine. */
export const longPatience = 240_000

const quiet = [
  '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-quic', '--no-first-run',
  '--disable-component-update', '--disable-sync',
  '--disable-site-isolation-trials', // one site is visited, so a process for each is one too many
]

let launched: Promise<Browser> | undefined

/** One for all files. It ends with the process that launched it. */
export async function launch(): Promise<Browser> {
  launched ??= chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: quiet })
  return await launched
}

/** Ends every visit: what no test looks at any more would go on asking its server. */
export async function leave(browser: Browser) {
  await Promise.all(browser.contexts().map((context) => context.close()))
}

export interface Visit {
  page: Page
  context: BrowserContext
  /** Console errors, uncaught exceptions and violations of the content security policy. */
  complaints: string[]
  close: () => Promise<void>
}

export async function visit(browser: Browser, options: BrowserContextOptions & { url?: string } = {}): Promise<Visit> {
  const { url = base, ...contextOptions } = options
  const context = await browser.newContext({ baseURL: url, viewport: desktop, reducedMotion: 'reduce', ...contextOptions })
  return { context, ...await openPage(context), close: () => context.close() }
}

export const openPages = new Set<Page>()

/** One more page of somebody who is there already. */
export async function openPage(context: BrowserContext) {
  context.setDefaultTimeout(patience)
  const page = await context.newPage()
  openPages.add(page)
  page.on('close', () => { openPages.delete(page) })
  const complaints: string[] = []
  page.on('console', (message) => {
    // A picture opened by itself names no icon, so Chromium asks for one at the usual place, whenever it likes.
    const isAboutIcon = message.location().url.endsWith('/favicon.ico')
    if (!isAboutIcon && ['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
    })
  })
  return { page, complaints }
}

/** A refused request is an error line in Chromium's console whoever expected it. */
export function withoutRefusals(complaints: string[], ...statuses: number[]) {
  return complaints.filter((text) => !statuses.some((status) => text.includes(`status of ${status}`)))
}

export async function expectNoSidewaysScroll(page: Page) {
  const { content, window: room } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth, window: document.documentElement.clientWidth,
  }))
  expect(content, `${page.url()} scrolls sideways`).toBeLessThanOrEqual(room)
}
