/** The pages for administrators over real accounts: somebody is suspended, restored and given a plan, and the log tells so. */
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { desktop, launch, leave, longPatience, openPage, phone, visit, type Visit, withoutRefusals } from './browser'
import { expectToLookWell } from './looks'
import { type NewTask, OwnInstance } from './own-instance'
import { beSignedIn, signIn, someone } from './people'

const longTask: NewTask = { kind: 'backtest', payload: { steps: 3_000, pause: 0.1, strategy: 'sma_cross' } }
const failing: NewTask = { kind: 'export', payload: { divisor: 0 } }

let browser: Browser
let tidemark: OwnInstance
let admin: Visit
const adminEmail = someone('grace')

beforeAll(async () => {
  browser = await launch()
  tidemark = await OwnInstance.startWithWorks()
  admin = await visit(browser, { url: tidemark.url, acceptDownloads: true })
  await beSignedIn(admin.page, adminEmail)
})
afterAll(async () => {
  await leave(browser)
  await tidemark.end()
})

async function confirm(page: Page, button: string, reason: string) {
  const dialog = page.getByRole('alertdialog')
  await dialog.getByLabel('Reason').fill(reason)
  await dialog.getByRole('button', { name: button, exact: true }).click()
  await dialog.waitFor({ state: 'hidden' })
}

/** The export as a text, once it is saved. */
async function exported(page: Page, format: string) {
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export', exact: true }).click()
  await page.getByRole('menuitem', { name: format }).click()
  const file = await saved
  return { name: file.suggestedFilename(), content: readFileSync(await file.path()) }
}

it('are closed to whoever is no administrator, and open to who has become one', async () => {
  const { page } = admin
  await page.goto('/admin')
  await page.getByRole('heading', { name: 'For administrators' }).waitFor()
  expect(await page.getByRole('link', { name: 'Administration' }).count()).toBe(0)
  await tidemark.promote(adminEmail)
  await page.getByRole('button', { name: 'Look again' }).click()
  await page.getByRole('link', { name: 'Administration' }).waitFor()
  await page.getByRole('grid', { name: 'users' }).getByText(adminEmail).waitFor()
  await expect.poll(() => new URL(page.url()).pathname).toBe('/admin')
})

describe('somebody', () => {
  let their: Visit
  const email = someone('ada')

  beforeAll(async () => {
    their = await visit(browser, { url: tidemark.url })
    await beSignedIn(their.page, email)
  })
  afterAll(async () => { await their.close() })

  async function openThem(page: Page) {
    await page.goto(`/admin/users?q=${email}`)
    await page.getByRole('link', { name: email }).click()
    await page.getByRole('heading', { name: email }).waitFor()
  }

  it('is suspended: the open page and its stream end, and so do the tasks', async () => {
    const { page } = admin
    await tidemark.addTasks(email, longTask)
    await their.page.goto('/status')
    await their.page.locator('[data-testid=live-dot][aria-label^="Updates: live since"]').waitFor()
    await their.page.getByText('Running').first().waitFor()

    await openThem(page)
    await page.getByRole('button', { name: 'Suspend', exact: true }).click()
    const dialog = page.getByRole('alertdialog')
    await dialog.getByText('1 task ends', { exact: false }).waitFor()
    await dialog.getByRole('button', { name: 'Suspend', exact: true }).click()
    await dialog.getByText('Say why. It is kept in the audit log.').waitFor()
    const answered = page.waitForResponse((response) => response.url().endsWith('/suspend'))
    await confirm(page, 'Suspend', 'Floods the queue.')
    expect((await answered).status()).toBe(200)
    await page.getByText(`Suspended ${email}.`).waitFor()
    await page.getByText(/Nobody gets in until \d{4}-/).waitFor()

    await their.page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await signIn(their.page, email)
    await their.page.getByText(/suspended/i).first().waitFor()
    await page.getByRole('link', { name: 'Tasks', exact: true }).click()
    await page.locator('tr.row').getByText(/Cancelled|Partial/).waitFor()
  })

  it('is restored and given another plan', async () => {
    const { page } = admin
    await openThem(page)
    await page.getByRole('button', { name: 'Restore' }).click()
    await confirm(page, 'Restore', 'Promised to be gentle.')
    await page.getByText('Active', { exact: true }).first().waitFor()
    await signIn(their.page, email)
    await their.page.getByRole('heading', { name: 'Dashboard' }).waitFor()

    await page.getByRole('button', { name: 'Change plan' }).click()
    await page.getByRole('alertdialog').getByLabel('New plan').selectOption('large')
    await confirm(page, 'Change plan', 'Bought it.')
    await page.getByText('Against the quotas of the plan large.').waitFor()
  })

  it('is found in the audit log, which is exported as it is filtered', async () => {
    const { page } = admin
    await openThem(page)
    await page.getByRole('link', { name: 'Log about them' }).click()
    for (const words of ['Suspended a user', 'Restored a user', 'Changed the plan of a user']) await page.getByRole('grid', { name: 'lines' }).getByText(words).waitFor()
    await page.getByLabel('What was done').selectOption('user.plan')
    await page.getByText('1 of 1 lines').waitFor()
    const { searchParams } = new URL(page.url())
    expect(searchParams.get('action')).toBe('user.plan')
    await page.locator('tr.row').click()
    const drawer = page.getByRole('dialog', { name: 'Changed the plan of a user' })
    await drawer.getByText('Bought it.').waitFor()
    await drawer.getByText('large').first().waitFor()
    await page.goBack()
    await drawer.waitFor({ state: 'hidden' })

    const csv = await exported(page, 'CSV')
    expect(csv.name).toBe('audit-log.csv')
    const [head = '', ...lines] = csv.content.toString().trim().split(/\r?\n/)
    expect(head).toContain('action')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('Bought it.')
    const json = JSON.parse((await exported(page, 'JSON')).content.toString()) as { action: string, subject_email: string }[]
    expect(json.map(({ action, subject_email: about }) => [action, about])).toEqual([['user.plan', email]])
    expect((await exported(page, 'Parquet')).content.subarray(0, 4).toString()).toBe('PAR1')
  })

  it('has a task that is cancelled for a reason', async () => {
    const { page } = admin
    const [id = ''] = await tidemark.addTasks(email, longTask)
    await page.goto('/admin/tasks?state=running')
    const row = page.locator('tr.row').filter({ hasText: id.slice(0, 8) })
    await row.getByText(email).waitFor()
    await row.getByText('Running').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel task' }).click()
    await confirm(page, 'Cancel task', 'Takes all of the machine.')
    await page.getByText(`Cancelled Backtest ${id.slice(0, 8)}.`).waitFor()
    await page.getByRole('dialog').getByText(/Stopping|Partial|Cancelled/).first().waitFor()
  })
})

it('a plan is made, changed and deleted, and nobody can delete the one of everybody', async () => {
  const { page } = admin
  await page.goto('/admin/plans')
  await page.getByRole('link', { name: 'New plan' }).click()
  const form = page.getByRole('dialog', { name: 'New plan' })
  await form.getByLabel('Name').fill('team-a')
  await form.getByRole('spinbutton', { name: 'Models kept' }).fill('7')
  await form.getByRole('button', { name: 'Create plan' }).click()
  await confirm(page, 'Create plan', 'For the team.')
  await page.locator('tr.row').filter({ hasText: 'team-a' }).click()
  const plan = page.getByRole('dialog', { name: 'Plan team-a' })
  await expect.poll(() => plan.getByRole('spinbutton', { name: 'Models kept' }).inputValue()).toBe('7')
  await plan.getByRole('spinbutton', { name: 'Models kept' }).fill('9')
  await plan.getByRole('button', { name: 'Change plan' }).click()
  await page.getByText('Models kept: 9 in place of 7.').waitFor()
  await confirm(page, 'Change plan', 'They grew.')
  await page.goto('/admin/plans/team-a')
  await plan.getByRole('button', { name: 'Delete' }).click()
  await confirm(page, 'Delete plan', 'They left.')
  await page.getByText('3 plans').waitFor()
  await page.goto('/admin/plans/standard')
  await page.getByRole('dialog').getByText('so it cannot be deleted', { exact: false }).waitFor()
  expect(await page.getByRole('button', { name: 'Delete' }).count()).toBe(0)
})

describe('nothing for axe to find, nothing that scrolls sideways', () => {
  const email = someone('joan')
  let joan = ''
  let failed = ''

  beforeAll(async () => {
    const person = await visit(browser, { url: tidemark.url })
    await beSignedIn(person.page, email)
    await person.close();
    [failed = ''] = await tidemark.addTasks(email, failing, longTask)
    joan = await idOf(email)
    await admin.page.goto(`/admin/tasks/${failed}`)
    await admin.page.getByRole('dialog').getByText(/ZeroDivisionError/).first().waitFor({ timeout: longPatience }) // the first task of all may wait for its child to load
  })

  async function visitAs(size: string, viewport: typeof desktop) {
    const context = await browser.newContext({
      baseURL: tidemark.url, viewport, colorScheme: 'light', hasTouch: size === 'phone', reducedMotion: 'reduce',
      storageState: await admin.context.storageState(),
    })
    const { page, complaints } = await openPage(context)
    const look = async (name: string, address: string, until: string) => {
      await page.goto(`/admin/${address}`)
      await page.getByText(until).filter({ visible: true }).first().waitFor()
      await expectToLookWell(page, `admin, ${name}, ${size}`)
    }
    return { page, complaints, look, leave: () => context.close() }
  }

  it.each([['desk', desktop], ['phone', phone]] as const)('%s: users and tasks', async (size, viewport) => {
    const { page, complaints, look, leave } = await visitAs(size, viewport)
    await look('users', '', email)
    await look('users to nothing', 'users?q=nobody-at-all', 'No users match')
    await look('user', `users/${joan}`, 'Against the quotas')
    await page.getByRole('button', { name: 'Suspend', exact: true }).click()
    await page.getByRole('alertdialog').waitFor()
    await expectToLookWell(page, `admin, suspending, ${size}`)
    await look('tasks', 'tasks', 'Failed')
    await look('task', `tasks/${failed}`, 'What was asked for')
    expect(complaints).toEqual([])
    await leave()
  })

  it.each([['desk', desktop], ['phone', phone]] as const)('%s: log, plans and limits', async (size, viewport) => {
    const { page, complaints, look, leave } = await visitAs(size, viewport)
    await look('log', 'audit', 'Looked at a task')
    await page.goto('/admin/audit?action=user.promote')
    await page.locator('tr.row').first().click()
    await page.getByRole('dialog').waitFor()
    await expectToLookWell(page, `admin, line, ${size}`)
    await look('plans', 'plans', 'standard')
    await look('plan', 'plans/large', 'Tasks that may wait')
    await look('limits', 'limits', 'The machine')
    expect(complaints).toEqual([])
    await page.route('**/api/admin/**', (route) => route.fulfill({ status: 409, json: { title: 'It cannot be now', detail: 'Try again.', code: 'conflict' } }))
    await look('users failed', 'users', 'could not be loaded')
    expect(withoutRefusals(complaints, 409)).toEqual([])
    await leave()
  })
})

async function idOf(email: string) {
  const { page } = admin
  await page.goto(`/admin/users?q=${email}`)
  await page.getByRole('link', { name: email }).click()
  await page.getByRole('heading', { name: email }).waitFor()
  return new URL(page.url()).pathname.split('/').at(-1) ?? ''
}
