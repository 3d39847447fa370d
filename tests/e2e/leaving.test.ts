/** Taking everything along, and leaving for good. */
import { readFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { base, launch, leave, phone, visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { beInDemo, beSignedIn, password, signIn, startDemo } from './people'

let browser: Browser

beforeAll(async () => { browser = await launch() })
afterAll(async () => { await leave(browser) })

it('takes everything along, and deletes the account', async () => {
  const { page, complaints, close } = await visit(browser)
  const email = await beSignedIn(page)
  await page.goto('/settings/security')
  await page.getByRole('tab', { name: 'Your data' }).click()
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download everything' }).click(),
  ])
  expect(file.suggestedFilename()).toMatch(/^tidemark-\d{4}-\d\d-\d\d\.zip$/)
  const archive = readFileSync(await file.path())
  expect(archive.subarray(0, 2).toString()).toBe('PK')
  expect(archive.includes('manifest.json')).toBe(true)

  await page.getByRole('button', { name: 'Delete account…' }).click()
  await page.getByLabel(/to confirm/).fill('delete my account')
  await page.getByLabel('Your password', { exact: true }).fill('not the password')
  await page.getByRole('button', { name: 'Delete my account' }).click()
  await page.getByText('This is not your password. Nothing was deleted.').waitFor()
  await expectToLookWell(page, 'deleting an account')
  await page.getByLabel('Your password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Delete my account' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByText('Your account is deleted.').waitFor()
  await signIn(page, email)
  await page.getByText('Email or password is wrong. Check both, or reset the password.').waitFor()
  expect(withoutRefusals(complaints, 400, 401, 403)).toEqual([])
  await close()
})

it('lets a demo leave on a phone, without a password', async () => {
  const { page, complaints, close } = await visit(browser, { viewport: phone })
  await beInDemo(page)
  await page.goto('/settings/data')
  await page.getByText('Files on the server').waitFor()
  await expectToLookWell(page, 'one’s own data on a phone')
  await page.getByRole('button', { name: 'Delete account…' }).click()
  await page.getByLabel(/to confirm/).fill('delete my account')
  await expectToLookWell(page, 'deleting a demo on a phone')
  await page.getByRole('button', { name: 'Delete my account' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(withoutRefusals(complaints, 401, 403)).toEqual([])
  await close()
})

it('deletes a demo that is left by the menu', async () => {
  const { page, complaints, close } = await visit(browser)
  await startDemo(page)
  const asked = page.waitForRequest((request) => request.url().includes('/api/') && 'authorization' in request.headers())
  await page.reload()
  const { authorization = '' } = (await asked).headers()
  await page.getByRole('button', { name: /^Account:/ }).click()
  await page.getByRole('menuitem', { name: 'Leave demo…' }).click()
  await page.getByText('Tasks that run are stopped', { exact: false }).waitFor()
  await expectToLookWell(page, 'leaving a demo')
  await page.getByRole('button', { name: 'Leave demo' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByText('The demo and its data are deleted.').waitFor()
  expect((await fetch(`${base}/api/me`, { headers: { authorization } })).status).toBe(403)
  expect(withoutRefusals(complaints, 401, 403)).toEqual([])
  await close()
})
