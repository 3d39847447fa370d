/** An account: made, confirmed by mail, used on a second device, and left on both. */
import { expect } from 'vitest'
import { codeIn, password, signIn, someone } from '../people'
import type { Traveller } from './traveller'

export async function account({ page, hand, letterTo, elsewhere, interrupt }: Traveller) {
  const email = someone()
  await page.goto('/sign-up?next=/settings/security')
  await hand.type(page.getByLabel('Email'), email)
  await hand.type(page.getByLabel('Password', { exact: true }), password)
  await hand.press(page.getByRole('button', { name: 'Create account' }))
  await page.getByRole('heading', { name: 'Confirm your email' }).waitFor()
  const letter = await letterTo(email)
  await interrupt()
  await hand.type(page.getByLabel('Code'), codeIn(letter))
  await page.getByText('This browser').waitFor()
  await expect.poll(() => new URL(page.url()).pathname).toBe('/settings/security')

  const second = await elsewhere()
  await signIn(second.page, email)
  await second.page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  await hand.goTo('Dashboard')
  await hand.goTo('Settings')
  await hand.press(page.getByRole('tab', { name: 'Security' }))
  await hand.press(page.getByRole('button', { name: 'End the other session' }))
  await hand.press(page.getByRole('button', { name: 'End other session' }))
  await page.getByText('The other session ended.').waitFor()
  await second.page.getByRole('heading', { name: 'Sign in' }).waitFor() // nobody has to touch it
  await second.close()

  await hand.press(page.getByRole('button', { name: /^Account:/ }))
  await hand.press(page.getByRole('menuitem', { name: 'Sign out' }))
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await expect.poll(() => page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('session')))).toEqual([])
}
