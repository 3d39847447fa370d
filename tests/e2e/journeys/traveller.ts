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

/** There once: neither lost nor doubled. */
export async function expectOnce(page: Page, table: string, row: RegExp) {
  const rows = page.getByRole('grid', { name: table }).getByRole('row', { name: row })
  await rows.first().waitFor()
  if (await rows.count() !== 1) throw new Error(`${await rows.count()} of ${row} in the table of ${table}`)
}
