/** Two ways to use a page: by the mouse, and by the keyboard alone. A journey is written once, for either. */
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { expectNoSidewaysScroll } from './browser'

export interface Hand {
  /** What was pressed for after the focus had been lost. */
  readonly lost: readonly string[]
  /** How often something was pressed. */
  readonly presses: number
  /** A button, link, tab, radio or entry of a menu. */
  press: (target: Locator) => Promise<void>
  /** In place of what stands in the field. */
  type: (field: Locator, text: string) => Promise<void>
  choose: (select: Locator, label: string) => Promise<void>
  /** A row of a table, counted from its head. */
  open: (table: Locator, row: number) => Promise<void>
  /** Marks rows of a table. */
  mark: (table: Locator, rows: RegExp) => Promise<void>
  goTo: (page: string) => Promise<void>
  attach: (label: string, file: { name: string, mimeType: string, buffer: Buffer }) => Promise<void>
}

export class MouseHand implements Hand {
  readonly lost = []
  presses = 0
  constructor(private readonly page: Page) {}

  async press(target: Locator) {
    this.presses += 1
    await expectNoSidewaysScroll(this.page)
    const isRadio = await target.getAttribute('type') === 'radio' // which is pressed by its words
    await (isRadio ? target.locator('xpath=ancestor::label') : target).click()
  }

  async type(field: Locator, text: string) { await field.fill(text) }
  async choose(select: Locator, label: string) { await select.selectOption({ label }) }
  async open(table: Locator, row: number) { await table.getByRole('row').nth(row).click() }

  async mark(table: Locator, rows: RegExp) {
    for (const row of await table.getByRole('row', { name: rows }).all()) await row.getByRole('checkbox').click()
  }

  async goTo(page: string) {
    await this.press(this.page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: page, exact: true }))
    await arriveAt(this.page, page)
  }

  async attach(label: string, file: { name: string, mimeType: string, buffer: Buffer }) {
    const chooser = this.page.waitForEvent('filechooser')
    await this.press(this.page.getByText(label, { exact: true }))
    await (await chooser).setFiles(file)
  }
}

/** Never points: what it cannot reach by Tab and the arrows, nobody can without a mouse. */
export class KeyboardHand implements Hand {
  presses = 0
  /** What was pressed for after the focus had been lost. */
  readonly lost: string[] = []
  private isFresh = true
  constructor(private readonly page: Page) {
    page.on('load', () => { this.isFresh = true }) // a new document has no focus yet
  }

  async press(target: Locator) {
    this.presses += 1
    await expectNoSidewaysScroll(this.page)
    await this.reach(target)
    const chooses = await target.evaluate((element) => element.matches('[type=radio], [type=checkbox], [role=switch]'))
    await this.page.keyboard.press(chooses ? 'Space' : 'Enter')
  }

  async type(field: Locator, text: string) {
    await this.reach(field)
    if (await field.getAttribute('type') === 'date') {
      await this.enterAnew(field)
      await this.page.keyboard.type(text.replace(/^(\d{4})-(\d\d)-(\d\d)$/, '$2$3$1')) // in the order of this browser's parts
    } else {
      await this.page.keyboard.press('Control+a')
      await (text.length > 12 ? this.page.keyboard.insertText(text) : this.page.keyboard.type(text)) // who has much to enter pastes it
    }
  }

  async choose(select: Locator, label: string) {
    await this.reach(select)
    await select.getByRole('option', { name: label, exact: true }).waitFor({ state: 'attached' })
    await this.page.keyboard.type(label) // a list jumps to what is typed, if that comes fast enough; arrows take one the rest of the way
    for (let next = await select.evaluate(arrowTowards, label); next !== null; next = await select.evaluate(arrowTowards, label)) {
      await this.page.keyboard.press(next)
    }
  }

  async open(table: Locator, row: number) {
    await this.reach(table)
    await this.page.keyboard.press('Home')
    for (let step = 1; step < row; step += 1) await this.page.keyboard.press('j')
    await this.page.keyboard.press('Enter')
  }

  async mark(table: Locator, rows: RegExp) {
    const wanted = await table.getByRole('row', { name: rows }).count()
    await this.reach(table)
    await this.page.keyboard.press('Home')
    for (let row = 0; await table.locator('[aria-selected=true]').count() < wanted; row += 1) {
      if (row > 100) throw new Error(`No more rows like ${rows}`)
      const under = await table.evaluate((grid) => document.getElementById(grid.getAttribute('aria-activedescendant') ?? '')?.textContent ?? '')
      if (rows.test(under)) await this.page.keyboard.press('x')
      await this.page.keyboard.press('j')
    }
  }

  async goTo(page: string) {
    await this.page.keyboard.press('Control+k')
    await this.page.getByRole('dialog', { name: 'Command palette' }).locator('input:focus').waitFor()
    await this.page.keyboard.type(page)
    await this.page.getByRole('option', { name: page, selected: true }).waitFor()
    await this.page.keyboard.press('Enter')
    await arriveAt(this.page, page)
  }

  async attach(label: string, file: { name: string, mimeType: string, buffer: Buffer }) {
    const chooser = this.page.waitForEvent('filechooser') // the page has to know of it before the key comes
    await this.reach(this.page.getByLabel(label))
    await this.page.keyboard.press('Enter')
    await (await chooser).setFiles(file)
  }

  private async reach(target: Locator) {
    await target.waitFor({ state: 'attached' })
    await expect.poll(() => target.isEnabled()).toBe(true)
    if (!this.isFresh && !await this.hasFocus()) this.lost.push(String(target))
    this.isFresh = false
    const seen: string[] = []
    while (seen.length < 150) {
      const next = await target.evaluate(keyTowards)
      if (next === null) return
      for (let press = 0; press < next.times; press += 1) await this.page.keyboard.press(next.key)
      seen.push(`${next.times} × ${next.key}`)
    }
    throw new Error(`The keyboard never reached ${String(target)}; it pressed ${seen.slice(-6).join(' ')} …`)
  }

  /** Within a moment, which is long on a busy machine: what loses it by going away gives it on. */
  private async hasFocus() {
    return await this.page.waitForFunction(() => document.activeElement !== document.body, undefined, { timeout: 20_000 }).then(() => true, () => false)
  }

  /** At the first part of a date, wherever one came from. */
  private async enterAnew(field: Locator) {
    do await this.page.keyboard.press('Shift+Tab')
    while (await field.evaluate((input) => input === document.activeElement))
    await this.page.keyboard.press('Tab')
  }
}

/** Else what comes next might still happen to the page before. */
async function arriveAt(page: Page, name: string) {
  await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor()
}

/** In the page: the arrow from the option that is chosen to another one; null at it. */
function arrowTowards(list: Element, label: string) {
  const { options, selectedIndex } = list as HTMLSelectElement
  const wanted = [...options].findIndex((option) => option.label === label)
  if (wanted === selectedIndex) return null
  return wanted > selectedIndex ? 'ArrowDown' : 'ArrowUp'
}

/** In the page: what to press next on the way to an element, and about how often; null at it. Within a group arrows lead on. */
function keyTowards(target: Element): { key: string, times: number } | null {
  const here = document.activeElement ?? document.body
  if (here === target) return null
  const isAhead = (here.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0
  const shares = (group: string) => {
    const around = here.closest(group)
    return around !== null && around.contains(target)
  }
  const areRadios = here instanceof HTMLInputElement && target instanceof HTMLInputElement
    && here.type === 'radio' && target.type === 'radio' && here.name === target.name
  if (shares('[role=menu]') || areRadios) return { key: isAhead ? 'ArrowDown' : 'ArrowUp', times: 1 }
  if (shares('[role=tablist]')) return { key: isAhead ? 'ArrowRight' : 'ArrowLeft', times: 1 }
  const lies = (of: Element, where: number) => (of.compareDocumentPosition(here) & where) !== 0
  const stops = [...document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary, [tabindex]')]
    .filter((stop) => stop.tabIndex >= 0 && !stop.matches(':disabled, [type=radio]:not(:checked)') && stop.checkVisibility())
  const between = stops.filter((stop) => {
    const after = lies(stop, isAhead ? Node.DOCUMENT_POSITION_PRECEDING : Node.DOCUMENT_POSITION_FOLLOWING)
    const other = isAhead ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING
    return stop !== target && after && (stop.compareDocumentPosition(target) & other) !== 0
  }).length
  return { key: isAhead || here === document.body ? 'Tab' : 'Shift+Tab', times: Math.max(1, between) }
}
