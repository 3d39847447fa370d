/** How a page is looked at: in both themes nothing for axe to find, and nothing that scrolls sideways. */
import axe from 'axe-core'
import { mkdirSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { expectNoSidewaysScroll } from './browser'

const pictures = process.env.TIDEMARK_SCREENSHOTS
if (pictures) mkdirSync(pictures, { recursive: true })

// The themes differ in colours alone, so the second one is asked about colours alone.
const aboutColours = ['color-contrast', 'link-in-text-block']

/** For a page whose context prefers the light theme, and that leaves its theme to the system. */
export async function expectToLookWell(page: Page, name: string) {
  await expectNoSidewaysScroll(page)
  await expectNothingForAxe(page, `${name}, light`)
  await wear(page, 'dark')
  await expectNothingForAxe(page, `${name}, dark`, aboutColours)
  await wear(page, 'light')
}

async function wear(page: Page, theme: 'light' | 'dark') {
  await page.emulateMedia({ colorScheme: theme })
  await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme)
}

export async function expectNothingForAxe(page: Page, name: string, rules?: string[]) {
  if (pictures) await page.screenshot({ path: `${pictures}/${name.replaceAll(/\W+/g, '-')}.png`, fullPage: true })
  if (!await page.evaluate(hasAxe)) await page.evaluate(axe.source)
  // A part that is still being drawn, such as a chart that loads, is looked at again.
  await expect.poll(() => page.evaluate(faults, rules), { message: name, interval: 500, timeout: 10_000 }).toEqual([])
}

/** In the page: it stays until another one is opened. */
function hasAxe() { return 'axe' in window }

/** In the page: what is broken, and where. What is right is not described, which would take longer than to find it. */
async function faults(only: string[] | undefined) {
  const { axe: found } = window as unknown as { axe: typeof axe }
  // The initials of a face are a picture to whoever sees them, and hidden from who does not.
  const asked = only === undefined ? { rules: { 'label-content-name-mismatch': { enabled: false } } } : { runOnly: only }
  const { violations } = await found.run(document, { resultTypes: ['violations'], ...asked })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
}
