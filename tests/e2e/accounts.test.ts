/** What people do from the first visit on: come in, stay in, come back in, leave. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launch, leave, type Visit, visit, withoutRefusals } from './browser'
import { beInDemo, beSignedIn, codeIn, haveAccount, letterTo, linkIn, password, savedBy, signIn, signOut, signUp, someone } from './people'

let browser: Browser
let it_: Visit

beforeAll(async () => { browser = await launch() })
afterAll(async () => { await leave(browser) })
beforeEach(async () => { it_ = await visit(browser) })
afterEach(async () => { await it_.close() })

describe('signing up and in', () => {
  it('leads back to the page that was asked for', async () => {
    const { page, complaints } = it_
    const email = await haveAccount(page)
    await page.goto('/settings/security?from=mail')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('This browser').waitFor()
    await expect.poll(() => new URL(page.url()).pathname + new URL(page.url()).search).toBe('/settings/security?from=mail')
    expect(complaints).toEqual([])
  })

  it('says what is wrong with a wrong password, and keeps the email', async () => {
    const { page, complaints } = it_
    const email = await haveAccount(page)
    await signIn(page, email, 'not the password')
    await page.getByText('Email or password is wrong. Check both, or reset the password.').waitFor()
    await expect.poll(() => page.getByLabel('Email').inputValue()).toBe(email)
    expect(withoutRefusals(complaints, 400)).toEqual([])
  })

  it('says that an email is taken, before and after asking the server', async () => {
    const { page } = it_
    const email = await haveAccount(page)
    await page.goto('/sign-up')
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByText('Enter your email.').waitFor()
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('email')
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByText(/An account with this email exists already/).waitFor()
  })

  it('keeps strangers out of every page behind the sign-in, and does not redirect outside', async () => {
    const { page } = it_
    for (const path of ['/', '/settings', '/settings/security', '/save-demo']) {
      await page.goto(path)
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    }
    await page.goto('/sign-in?next=https://example.org/')
    await page.getByRole('button', { name: 'Try the demo' }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await expect.poll(() => new URL(page.url()).origin).toBe(new URL(process.env.TIDEMARK_URL ?? '').origin)
  })

  it('moves nothing that is about to be pressed when an answer comes late', async () => {
    const { page } = it_
    const answers: (() => void)[] = []
    await page.route(/auth\/v1\/settings|api\/installation/, async (route) => {
      await new Promise<void>((answer) => { answers.push(answer) })
      await route.continue()
    })
    await page.goto('/sign-in')
    const button = page.getByRole('button', { name: 'Sign in', exact: true })
    await button.waitFor()
    const before = await button.boundingBox()
    await expect.poll(() => {
      for (const answer of answers.splice(0)) answer()
      return page.getByRole('button', { name: 'Try the demo' }).isVisible()
    }).toBe(true)
    expect(await button.boundingBox()).toEqual(before)
  })

  it('signs out here, and in the other tab of this browser', async () => {
    const { page, context } = it_
    await signUp(page)
    const other = await context.newPage()
    await other.goto('/settings')
    await other.getByRole('heading', { name: 'Settings' }).waitFor()
    await signOut(page)
    await other.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await expect.poll(() => page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('session')))).toEqual([])
  })
})

describe('the demo', () => {
  it('needs no account, and becomes one with everything in it', async () => {
    const { page, complaints } = it_
    await beInDemo(page)
    await page.goto('/settings/profile')
    await page.getByLabel('Name').fill('Grace Hopper')
    await page.getByRole('button', { name: 'Save profile', exact: true }).click()
    await page.getByText('Profile saved.').waitFor()

    const email = someone('grace')
    await page.getByRole('button', { name: /^Account:/ }).click()
    await page.getByRole('menuitem', { name: 'Save as account' }).click()
    await page.getByRole('heading', { name: 'Keep what you did' }).waitFor()
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Save as account' }).click()
    await page.getByText('Signed in as Grace Hopper.').waitFor()
    await page.getByText(email).waitFor()

    await signOut(page)
    await signIn(page, email)
    await page.getByText('Signed in as Grace Hopper.').waitFor()
    expect(complaints).toEqual([])
  })
})

describe('a forgotten password', () => {
  async function askForMessage(email: string) {
    const { page } = it_
    await page.goto('/sign-in')
    await page.getByRole('link', { name: 'Forgot password?' }).click()
    await page.getByRole('heading', { name: 'Reset your password' }).waitFor()
    await page.getByLabel('Email').fill(email)
    await page.getByRole('button', { name: 'Send code' }).click()
    await page.getByRole('heading', { name: 'Check your email' }).waitFor()
    return await letterTo(email)
  }

  async function choosePassword(secret: string) {
    const { page } = it_
    await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
    await page.getByLabel('New password', { exact: true }).fill(secret)
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  }

  it('is replaced by the code of the message', async () => {
    const { page } = it_
    const email = await haveAccount(page)
    const letter = await askForMessage(email)
    await page.getByLabel('Code').fill('000000' === codeIn(letter) ? '111111' : '000000')
    await page.getByText(/code is wrong or no longer valid/).waitFor()
    await page.getByLabel('Code').fill(codeIn(letter))
    await choosePassword('another harbour 43')
    await signOut(page)
    await signIn(page, email, 'another harbour 43')
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  })

  it('is replaced by the link of the message, which works once', async () => {
    const { page } = it_
    const email = await haveAccount(page)
    const link = linkIn(await askForMessage(email))
    await page.goto(link)
    await choosePassword('another harbour 44')
    await expect.poll(() => page.url()).not.toContain('code=')
    await signOut(page)
    await page.goto(link)
    await page.getByText(/This link is wrong, was used already or is too old/).waitFor()
    await page.getByRole('link', { name: 'Ask for a new message' }).click()
    await page.getByRole('heading', { name: 'Reset your password' }).waitFor()
  })

  it('does not tell a stranger who has an account', async () => {
    const { page } = it_
    await page.goto('/forgotten-password')
    await page.getByLabel('Email').fill(someone('nobody'))
    await page.getByRole('button', { name: 'Send code' }).click()
    await page.getByText(/has an account here, a message is on its way/).waitFor()
  })
})

describe('settings', () => {
  it('end a session on another device', async () => {
    const { page } = it_
    const email = await beSignedIn(page)
    const other = await visit(browser, { userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1' })
    await signIn(other.page, email)
    await other.page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await page.goto('/settings/security')
    await page.getByRole('button', { name: 'End session of Safari on iPhone' }).click()
    await page.getByRole('button', { name: 'End session', exact: true }).click()
    await page.getByText('Session ended.').waitFor()
    await expect.poll(() => page.getByText('Safari on iPhone').count()).toBe(0)
    await other.close()
  })

  it('follow a person to another browser', async () => {
    const { page } = it_
    const email = await beSignedIn(page)
    await page.goto('/settings/preferences')
    for (const choice of ['Dark', 'Colour-blind', 'Compact']) {
      await savedBy(page, () => page.getByText(choice, { exact: true }).click())
    }
    await expect.poll(() => page.evaluate(() => ({ ...document.documentElement.dataset }))).toMatchObject({ theme: 'dark', palette: 'colour_blind', density: 'compact' })

    const other = await visit(browser)
    await signIn(other.page, email)
    await other.page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await expect.poll(() => other.page.evaluate(() => ({ ...document.documentElement.dataset }))).toMatchObject({ theme: 'dark', palette: 'colour_blind', density: 'compact' })
    await other.close()
  })

  it('do not overwrite what was changed elsewhere meanwhile', async () => {
    const { page, context, complaints } = it_
    await beSignedIn(page)
    await page.goto('/settings/profile')
    const other = await context.newPage()
    await other.goto('/settings/profile')
    await other.getByLabel('Name').fill('Written there')
    await other.getByRole('button', { name: 'Save profile', exact: true }).click()
    await other.getByText('Profile saved.').waitFor()
    await page.getByLabel('Name').fill('Written here')
    await page.getByRole('button', { name: 'Save profile', exact: true }).click()
    await page.getByText(/changed elsewhere since you opened it/).waitFor()
    await page.getByRole('button', { name: 'Save profile', exact: true }).click()
    await page.getByText('Profile saved.').waitFor()
    expect(withoutRefusals(complaints, 412)).toEqual([])
  })
})
