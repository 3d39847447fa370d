/** Who makes a journey: with a page, a hand, and a server that may be killed in the middle. */
import type { Page } from 'playwright-core'
import { longPatience, type Visit } from '../browser'
import type { Hand } from '../hands'
import type { Letter } from '../people'

export interface Traveller {
  page: Page
  hand: Hand
  /** Signed in to a fresh account, at the dashboard. */
  arrive: () => Promise<void>
  letterTo: (email: string) => Promise<Letter>
  /** Another browser, where nobody is signed in. */
  elsewhere: () => Promise<Visit>
  /** In the middle: the server may be killed and come back. Nobody reloads the page. */
  interrupt: () => Promise<void>
}

/** The result of a backtest that was watched to its end. */
export async function finished(page: Page) {
  await page.getByRole('heading', { name: 'Can it be trusted?' }).waitFor({ timeout: longPatience })
}

/** In the form of a backtest; on a phone the name is folded away until somebody asks for it. */
export async function nameRun({ page, hand }: Pick<Traveller, 'page' | 'hand'>, name: string) {
  const folded = page.locator('details:not([open]) > summary', { hasText: 'Name and tags' })
  if (await folded.count() > 0) await hand.press(folded)
  await hand.type(page.getByRole('textbox', { name: 'Name (optional)' }), name)
}

/** There once: neither lost nor doubled. */
export async function expectOnce(page: Page, table: string, row: RegExp) {
  const rows = page.getByRole('grid', { name: table }).getByRole('row', { name: row })
  await rows.first().waitFor()
  if (await rows.count() !== 1) throw new Error(`${await rows.count()} of ${row} in the table of ${table}`)
}
