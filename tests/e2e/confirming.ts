/** Where messages are really sent, an email has to be confirmed: by its code, or by its link. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Visit, visit } from './browser'
import { codeIn, linkIn, password, signIn, signOut, someone } from './people'
import type { World } from './world'

export function confirming(world: () => World) {
  let it_: Visit

  beforeEach(async () => { it_ = await visit(world().browser, { url: world().tidemark.url }) })
  afterEach(async () => { await it_.close() })

  async function askForAccount(email: string) {
    const { page } = it_
    await page.goto('/sign-up?next=/settings/security')
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByRole('heading', { name: 'Confirm your email' }).waitFor()
    return await world().mail.letterTo(email)
  }

  it('confirms a new account by the code of the message, and goes on where one wanted to', async () => {
    const { page } = it_
    const email = someone()
    const letter = await askForAccount(email)
    await page.getByText(email).waitFor()
    await page.getByLabel('Code').fill(codeIn(letter))
    await page.getByText('This browser').waitFor()
    await expect.poll(() => new URL(page.url()).pathname).toBe('/settings/security')
  })

  it('confirms a new account by the link of the message', async () => {
    const { page } = it_
    const email = someone()
    await page.goto(linkIn(await askForAccount(email)))
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await expect.poll(() => page.url()).not.toContain('code=')
  })

  it('leads who signs in too early to what is missing', async () => {
    const { page } = it_
    const email = someone()
    const letter = await askForAccount(email)
    await signIn(page, email)
    await page.getByText(/This email is not confirmed yet\. Enter the code/).waitFor()
    await page.getByRole('link', { name: 'Enter the code' }).click()
    await page.getByText(`We sent a code to ${email}`).waitFor()
    await page.getByLabel('Code').fill(codeIn(letter))
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  })

  it('says in another browser that a link opens only in the one that asked for it', async () => {
    const link = linkIn(await askForAccount(someone()))
    const other = await visit(world().browser, { url: world().tidemark.url })
    await other.page.goto(link)
    await other.page.getByText(/opens only in the browser that asked for it/).waitFor()
    await other.close()
  })

  it('turns a demo into an account once its email is confirmed', async () => {
    const { page } = it_
    const email = someone('grace')
    await page.goto('/sign-in')
    await page.getByRole('button', { name: 'Try the demo' }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await page.getByRole('link', { name: 'Save as account' }).click()
    await page.getByRole('heading', { name: 'Keep what you did' }).waitFor()
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Save as account' }).click()
    await page.getByLabel('Code').fill(codeIn(await world().mail.letterTo(email)))
    await page.getByText('Saved. This is your account now.').waitFor()
    await page.getByText(email).first().waitFor()
    await signOut(page)
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  })
}
