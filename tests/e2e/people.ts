/** People who use Tidemark in the tests: how they sign up, sign in and read their mail. */
import { randomBytes } from 'node:crypto'
import type { Page } from 'playwright-core'
import { patience } from './browser'

export const password = 'quiet harbour 42'

export function someone(name = 'ada') {
  return `${name}.${randomBytes(6).toString('hex')}@example.com`
}

/** A new account, signed in at the dashboard; without the form, which has tests of its own. */
export async function signUp(page: Page, email = someone(), letterTo?: (email: string) => Promise<Letter>) {
  await beSignedIn(page, email, letterTo)
  await page.goto('/')
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  return email
}

/** The same, at no page yet. Where messages are sent, the code of one confirms the email. */
export async function beSignedIn(page: Page, email = someone(), letterTo?: (email: string) => Promise<Letter>) {
  const ask = await asking(page)
  let session = await ask('signup', { email, password })
  if (letterTo !== undefined) session = await ask('verify', { type: 'signup', email, token: codeIn(await letterTo(email)) })
  await hold(page, session)
  return email
}

/** An account that nobody is signed in to here. */
export async function haveAccount(page: Page, email = someone()) {
  await (await asking(page))('signup', { email, password })
  return email
}

async function asking(page: Page) {
  const { publishable_key: apikey } = await (await page.request.get('/api/config')).json() as { publishable_key: string }
  return async (path: string, data: object) => await (await page.request.post(`/auth/v1/${path}`, { headers: { apikey }, data })).text()
}

async function hold(page: Page, session: string) {
  if (!session.includes('access_token')) throw new Error(`No session: ${session}`)
  await page.route('**/empty', (route) => route.fulfill({ contentType: 'text/html', body: '<link rel="icon" href="data:,">' }), { times: 1 })
  await page.goto('/empty') // of the same origin, and nothing runs there
  await page.evaluate((kept) => { localStorage.setItem('tidemark.session', kept) }, session)
}

export async function signIn(page: Page, email: string, secret = password) {
  await page.goto('/sign-in')
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(secret)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** A demo, at its dashboard; without the button, which has tests of its own. */
export async function startDemo(page: Page) {
  await beInDemo(page)
  await page.goto('/')
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
}

/** The same, at no page yet. */
export async function beInDemo(page: Page) {
  await hold(page, await (await asking(page))('signup', {}))
}

export async function signOut(page: Page) {
  await page.getByRole('button', { name: /^Account:/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

/** Until the server has kept a preference that was chosen. */
export async function savedBy(page: Page, choose: () => Promise<void>) {
  const saved = page.waitForResponse((response) => response.request().method() === 'PATCH' && response.ok())
  await choose()
  await saved
}

export interface Letter { Text: string }

/** The newest message to somebody, as Mailpit's API tells it. */
export async function letterTo(email: string): Promise<Letter> {
  const mailbox = process.env.MAILPIT_URL ?? ''
  const deadline = Date.now() + patience
  while (Date.now() < deadline) {
    const found = await fetch(`${mailbox}/api/v1/search?query=${encodeURIComponent(`to:${email}`)}`)
    const { messages } = await found.json() as { messages: { ID: string }[] }
    const newest = messages[0]
    if (newest !== undefined) return await (await fetch(`${mailbox}/api/v1/message/${newest.ID}`)).json() as Letter
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`No message to ${email} within ${patience / 1_000} s`)
}

export function codeIn({ Text }: Letter) {
  const code = /\b\d{6}\b/.exec(Text)?.[0]
  if (code === undefined) throw new Error(`No code in: ${Text}`)
  return code
}

export function linkIn({ Text }: Letter) {
  const link = /https?:\/\/\S+\/auth\/v1\/verify\S+/.exec(Text)?.[0]
  if (link === undefined) throw new Error(`No link in: ${Text}`)
  return link
}
