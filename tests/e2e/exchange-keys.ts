/** API keys in a real browser, with the real libraries of exchanges: taken, judged, rotated, deleted, and seen nowhere. */
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { phone, type Visit, visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { beInDemo, beSignedIn } from './people'
import type { World } from './world'

// As tests/vendors/key_vendors.py has it, and the names that tests/serve_with_key_vendors.py understands.
const secret = 'secret-of-the-tests-9f8e7d6c5b4a'
const keys = { plain: 'PKplainKey0123456789', next: 'PKnextKey9876543210', withdraw: 'PKWithdrawKey0123456789', late: 'PKLateReads0123456789' }
const words = 'I know that this key can withdraw'

/** Everything that the server answers from now on. */
function answersOf(page: Page) {
  const answers: Promise<string>[] = []
  page.on('response', (response) => {
    if (response.url().includes('/api/keys')) answers.push(response.text().catch(() => ''))
  })
  return async () => (await Promise.all(answers)).join('\n')
}

async function expectNowhere(page: Page, answers: string, ...parts: string[]) {
  const storage = await page.evaluate(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name)
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, names, document.cookie, await caches.keys()])
  })
  const values = await page.evaluate(() => [...document.querySelectorAll('input, textarea')].map((one) => (one as HTMLInputElement).value).join('\n'))
  for (const part of parts) {
    for (const [where, text] of Object.entries({ page: await page.content(), fields: values, storage, answers, address: page.url() })) {
      expect(text.includes(part), `${part.slice(0, 6)}… in the ${where}`).toBe(false)
    }
  }
}

async function fill(page: Page, name: string, key: string, provider = 'Binance', fields = { key: 'API key', secret: 'Secret key' }) {
  await page.getByRole('button', { name: 'Add key' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Add an API key' })
  await dialog.getByLabel('Provider').selectOption({ label: provider })
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  await dialog.getByLabel(fields.key, { exact: true }).fill(key)
  await dialog.getByLabel(fields.secret, { exact: true }).fill(secret)
  await dialog.getByRole('button', { name: 'Add key' }).click()
  return dialog
}

async function choose(page: Page, name: string, what: string) {
  await page.getByRole('button', { name: `More for ${name}` }).click()
  await page.getByRole('menuitem', { name: what }).click()
}

export function exchangeKeys(world: () => World) {
  let it_: Visit

  beforeEach(async () => { it_ = await visit(world().browser, { url: world().tidemark.url }) })
  afterEach(async () => { await it_.close() })

  it('takes a key once, shows what it may do, rotates and deletes it, and shows the secret nowhere', async () => {
    const { page, complaints } = it_
    await beSignedIn(page, undefined, (to) => world().mail.letterTo(to))
    const answers = answersOf(page)
    await page.goto('/settings/keys')
    await page.getByText('Research needs none').waitFor()
    await fill(page, 'Research', keys.plain)
    const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Research' }) })
    for (const text of ['PKpl...6789', 'Works', 'Reads', 'Trades', '11,850 of 12,000 requests left', 'taken from any address', 'version 1']) {
      await row.getByText(text).waitFor()
    }
    await row.getByText(/clocks agree within/).waitFor()
    await expectNowhere(page, await answers(), secret, keys.plain)

    await choose(page, 'Research', 'Rotate')
    const rotating = page.getByRole('dialog', { name: 'Rotate Research' })
    await rotating.getByLabel('API key', { exact: true }).fill(keys.next)
    await rotating.getByLabel('Secret key', { exact: true }).fill('a-wrong-secret-0123456789')
    await rotating.getByRole('button', { name: 'Rotate key' }).click()
    await rotating.getByText(/Binance refused .* Nothing was stored\./).waitFor()
    await rotating.getByLabel('Secret key', { exact: true }).fill(secret)
    await rotating.getByRole('button', { name: 'Rotate key' }).click()
    await row.getByText('PKne...3210').waitFor()
    await row.getByText('version 2').waitFor()
    await page.getByRole('button', { name: 'Test Research' }).click()
    await page.getByText('Research works: Binance takes it.').waitFor()

    await choose(page, 'Research', 'Delete')
    await page.getByRole('button', { name: 'Delete key', exact: true }).click()
    await page.getByText('No API keys').waitFor()
    const log = page.getByRole('grid', { name: 'audit lines' })
    for (const [action, outcome] of [['Add', 'Done'], ['Rotate', 'Refused'], ['Rotate', 'Done'], ['Test', 'Done'], ['Delete', 'Done']] as const) {
      await log.getByRole('row').filter({ hasText: action }).filter({ hasText: outcome }).first().waitFor()
    }
    const saving = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    await page.getByRole('menuitem', { name: 'CSV' }).click()
    const csv = readFileSync(await (await saving).path(), 'utf8')
    expect(csv.split('\r\n')[0]).toBe('at,action,outcome,hint,provider,actor,address,reason')
    expect(csv).toMatch(/Z,rotate,refused,PKpl\.\.\.6789,crypto:binance,user,127\.0\.0\.1,The provider did not take it\./)
    await expectNowhere(page, `${await answers()}${csv}`, secret, keys.plain, keys.next)
    expect(withoutRefusals(complaints, 422)).toEqual([])
  })

  it('refuses a key that can withdraw, and takes it when that is typed in words', async () => {
    const { page, complaints } = it_
    await beSignedIn(page, undefined, (to) => world().mail.letterTo(to))
    const answers = answersOf(page)
    await page.goto('/settings/keys')
    const dialog = await fill(page, 'Treasury', keys.withdraw, 'Bybit', { key: 'API key', secret: 'API secret' })
    await dialog.getByText('This key can withdraw. Nothing was stored.').waitFor()
    const store = dialog.getByRole('button', { name: 'Store it all the same' })
    await dialog.getByLabel(/To store it all the same, type/).fill('yes')
    await expect.poll(() => store.isDisabled()).toBe(true)
    await dialog.getByLabel(/To store it all the same, type/).fill(words)
    await store.click()
    const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Treasury' }) })
    await row.getByText('Withdraws').waitFor()
    const log = page.getByRole('grid', { name: 'audit lines' })
    await log.getByText('Can withdraw', { exact: true }).waitFor()
    await log.getByText(/accepted in words that it can withdraw/).waitFor()
    await expectNowhere(page, await answers(), secret, keys.withdraw)
    expect(withoutRefusals(complaints, 422)).toEqual([])
  })

  it('is whole on a phone, by keyboard and for axe in both themes, with a clock that is off', async () => {
    const { page } = it_
    await beSignedIn(page, undefined, (to) => world().mail.letterTo(to))
    await page.setViewportSize(phone)
    await page.goto('/settings/keys')
    await page.getByRole('button', { name: 'Add key' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Add an API key' })
    await dialog.getByLabel('Provider').selectOption({ label: 'Alpaca, paper account' })
    await dialog.getByLabel('Name', { exact: true }).focus()
    await page.keyboard.type('Paper')
    await page.keyboard.press('Tab')
    await page.keyboard.insertText(keys.late)
    await page.keyboard.press('Tab') // the button that shows it
    await page.keyboard.press('Tab')
    await page.keyboard.insertText(secret)
    await page.keyboard.press('Enter')
    await page.getByText(/server clock \S+ s behind Alpaca's: orders may be refused/).waitFor()
    await expectToLookWell(page, 'API keys on a phone')
  })

  it('tells a visitor of the demo why there are none, and how to have some', async () => {
    const { page } = it_
    await beInDemo(page)
    await page.goto('/settings/keys')
    await page.getByRole('heading', { name: 'API keys need an account' }).waitFor()
    expect(await page.getByRole('tabpanel').getByRole('link', { name: 'Save as account' }).getAttribute('href')).toBe('/save-demo')
  })
}
