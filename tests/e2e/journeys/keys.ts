/** A key of an exchange: added, put in the place of by another, and deleted. */
import { expect } from 'vitest'
import type { Traveller } from './traveller'

// As tests/vendors/key_vendors.py has it.
const secret = 'secret-of-the-tests-9f8e7d6c5b4a'
const [first, next] = ['PKplainKey0123456789', 'PKnextKey9876543210']

export async function keys({ page, hand, arrive, interrupt }: Traveller) {
  await arrive()
  await hand.goTo('Settings')
  await hand.press(page.getByRole('tab', { name: 'API keys' }))
  await hand.press(page.getByRole('button', { name: 'Add key' }))
  const adding = page.getByRole('dialog', { name: 'Add an API key' })
  await hand.choose(adding.getByLabel('Provider'), 'Binance')
  await hand.type(adding.getByLabel('Name', { exact: true }), 'Research')
  await hand.type(adding.getByLabel('API key', { exact: true }), first)
  await hand.type(adding.getByLabel('Secret key', { exact: true }), secret)
  await interrupt()
  await hand.press(adding.getByRole('button', { name: 'Add key' }))
  const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Research' }) })
  await row.getByText('PKpl...6789').waitFor()
  await row.getByText('Works').waitFor()
  expect(await row.count()).toBe(1)

  await hand.press(page.getByRole('button', { name: 'More for Research' }))
  await hand.press(page.getByRole('menuitem', { name: 'Rotate' }))
  const rotating = page.getByRole('dialog', { name: 'Rotate Research' })
  await hand.type(rotating.getByLabel('API key', { exact: true }), next)
  await hand.type(rotating.getByLabel('Secret key', { exact: true }), secret)
  await hand.press(rotating.getByRole('button', { name: 'Rotate key' }))
  await row.getByText('PKne...3210').waitFor()
  await row.getByText('version 2').waitFor()

  await hand.press(page.getByRole('button', { name: 'More for Research' }))
  await hand.press(page.getByRole('menuitem', { name: 'Delete' }))
  await hand.press(page.getByRole('button', { name: 'Delete key', exact: true }))
  await page.getByText('No API keys').waitFor()
  const log = page.getByRole('grid', { name: 'audit lines' })
  for (const action of ['Add', 'Rotate', 'Delete']) {
    await log.getByRole('row').filter({ hasText: action }).filter({ hasText: 'Done' }).first().waitFor()
    expect(await log.getByRole('row').filter({ hasText: action }).filter({ hasText: 'Done' }).count()).toBe(1)
  }
  expect(await page.content()).not.toContain(secret)
}
