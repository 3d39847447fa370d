/** The server is killed under a page that is open: it says so, keeps what it shows, and goes on by itself. */
import { expect, it } from 'vitest'
import { visit } from './browser'
import { password, signUp } from './people'
import type { World } from './world'

export function outage(world: () => World) {
  it('shows a banner, keeps the page, and resumes without a click', async () => {
    const { browser, tidemark: instance, mail } = world()
    const { page, close } = await visit(browser, { url: instance.url })
    const email = await signUp(page, undefined, (to) => mail.letterTo(to))
    await page.getByText('All are applied.').waitFor()
    await page.getByText(email).first().waitFor()
    const banner = page.getByText('Tidemark does not answer.', { exact: true })

    await instance.kill()
    await banner.waitFor() // frontend/src/api/connection.test.ts says how soon
    await expect.poll(() => page.getByText(email).first().isVisible()).toBe(true)
    await page.getByText(/data as of \d\d:\d\d:\d\d/).waitFor()
    await page.getByText('Unknown').first().waitFor() // nobody knows how the services are now

    // A link whose page was never loaded: the page stays, and works once the server is back.
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.waitForTimeout(500)
    await banner.waitFor()
    await expect.poll(() => page.getByRole('heading', { level: 1 }).isVisible()).toBe(true)

    await instance.resume()
    await banner.waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByLabel('Name').fill('Back again')
    await page.getByRole('button', { name: 'Save profile', exact: true }).click()
    await page.getByText('Profile saved.').waitFor()
    await close()
  })

  it('says in the form that the server is away, and signs in once it is back', async () => {
    const { browser, tidemark: instance, mail } = world()
    const { page, close } = await visit(browser, { url: instance.url })
    const email = await signUp(page, undefined, (to) => mail.letterTo(to))
    await page.getByRole('button', { name: /^Account:/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await instance.kill()
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText(/service does not answer\. Check that Tidemark is running/).waitFor()
    await instance.resume()
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await close()
  })
}
