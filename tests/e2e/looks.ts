/** How a page is looked at: in both themes nothing for axe to find, and nothing that scrolls sideways. */
import AxeBuilder from '@axe-core/playwright'
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
  const axe = new AxeBuilder({ page }).setLegacyMode(true) // there are no frames, so no second page has to gather their findings
  const { violations } = await (rules === undefined ? axe : axe.withRules(rules)).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`), name).toEqual([])
}
