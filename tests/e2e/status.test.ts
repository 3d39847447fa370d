/** The status centre over tasks that really run: live, cancelled, run again, over tabs, and over the death of the server. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { desktop, launch, leave, longPatience, openPage, phone, type Visit, visit } from './browser'
import { expectToLookWell } from './looks'
import { type NewTask, OwnInstance } from './own-instance'
import { beSignedIn } from './people'

const count = (steps: number, pause: number, until?: string): NewTask => ({ kind: 'backtest', payload: { steps, pause, until, strategy: 'sma_cross' } })
const longTask = count(3_000, 0.1)
const failing: NewTask = { kind: 'export', payload: { divisor: 0 } }
const deaf: NewTask = { kind: 'optimize', payload: {} } // it hears neither the flag nor SIGTERM

let browser: Browser
let tidemark: OwnInstance | undefined
let it_: Visit
let email: string

beforeAll(async () => {
  browser = await launch()
  tidemark = await OwnInstance.startWithWorks()
})
afterAll(async () => {
  await leave(browser)
  await tidemark?.end()
})
beforeEach(async () => {
  it_ = await visit(browser, { url: instance().url })
  email = await beSignedIn(it_.page)
})
afterEach(async () => { await it_.close() })

function instance() {
  if (tidemark === undefined) throw new Error('No instance was started')
  return tidemark
}

const add = (...tasks: NewTask[]) => instance().addTasks(email, ...tasks)

async function openStatus(page: Page, search = '') {
  await page.goto(`/status${search}`)
  await isLive(page)
}

// Not by their roles: an open drawer hides the rest of the page from everybody but the eye.
async function isLive(page: Page) {
  await page.locator('h1').filter({ hasText: 'Status centre' }).waitFor()
  await page.locator('[data-testid=live-dot][aria-label^="Updates: live since"]').waitFor()
}

function rowOf(page: Page, id: string) {
  return page.getByRole('row').filter({ hasText: id.slice(0, 8) })
}

/** The ids of the events that the page has shown, in the order of their coming. */
async function eventsOn(page: Page) {
  const ids = await page.locator('[data-event]').evaluateAll((items) => items.map((item) => Number(item.getAttribute('data-event'))))
  return ids.reverse()
}

const numbersTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

describe('tasks', () => {
  it('are followed from the queue to the end without asking', async () => {
    const { page, complaints } = it_
    await openStatus(page)
    await page.getByText('No tasks yet').waitFor()
    const gate = instance().newGate()
    const [id = ''] = await add(count(30, 0.05, gate.until))
    const row = rowOf(page, id)
    await row.getByText('Running').waitFor()
    await row.getByText(/^[1-9]\d?%$/).waitFor()
    gate.open()
    await row.getByText('Completed').waitFor()
    await expect.poll(() => eventsOn(page)).toEqual([1, 2, 3])
    await page.getByText(/completed in \d/).waitFor()
    await row.click()
    const drawer = page.getByRole('dialog', { name: `Backtest ${id.slice(0, 8)}` })
    await drawer.getByRole('region', { name: 'Result' }).getByText('"counted": 30').waitFor()
    await expect.poll(() => new URL(page.url()).searchParams.get('task')).toBe(id)
    await page.goBack()
    await drawer.waitFor({ state: 'hidden' })
    expect(complaints).toEqual([])
  })

  it('that fail say why, what to do and the command that runs them again, and do run again', async () => {
    const { page, context } = it_
    const [id = ''] = await add(failing)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await openStatus(page, `?task=${id}`)
    const drawer = page.getByRole('dialog')
    await drawer.getByText('Failed', { exact: true }).waitFor()
    await drawer.getByText(/ZeroDivisionError/).first().waitFor()
    await drawer.getByRole('region', { name: 'Log' }).getByText('about to divide').waitFor()
    await drawer.getByRole('button', { name: 'Copy command' }).click()
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(`tidemark tasks retry ${id.slice(0, 8)}`)
    await drawer.getByRole('button', { name: 'Run again', exact: true }).click()
    await page.getByText('Queued again.').waitFor()
    await drawer.getByText('2 of 4').waitFor()
    await drawer.getByText('Failed', { exact: true }).waitFor()
  })

  it('are cancelled at the touch of a button, are said to stop, and keep what they had', async () => {
    const { page } = it_
    const [id = ''] = await add(longTask)
    await openStatus(page)
    await rowOf(page, id).getByText('Running').waitFor()
    await rowOf(page, id).getByText(/^\d+%$/).waitFor()
    await rowOf(page, id).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: 'Cancel task', exact: true }).click()
    await drawer.getByText(/Stopping|Partial/).first().waitFor()
    await drawer.getByText('PARTIAL', { exact: true }).waitFor()
    await drawer.getByRole('region', { name: 'Result' }).getByText('"counted"').waitFor()
    await drawer.getByRole('button', { name: 'Run again', exact: true }).waitFor()
  })

  it('are cancelled and run again by the keyboard alone', async () => {
    const { page } = it_
    await page.goto('/')
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('t')
    await isLive(page)
    const ids = await add(deaf, deaf, count(1, 0.1), count(1, 0.1))
    const [first = '', second = ''] = ids
    await page.getByText('4 tasks').waitFor()
    await rowOf(page, first).getByText('Running').waitFor()
    await page.getByRole('grid', { name: 'tasks' }).focus()
    await page.keyboard.press('End')
    await page.keyboard.press('c')
    await rowOf(page, first).getByText('Stopping').waitFor()
    await page.keyboard.press('k')
    await page.keyboard.press('x')
    await page.getByRole('button', { name: 'Cancel 1 task', exact: true }).click()
    await page.getByRole('button', { name: 'Cancel tasks' }).click()
    await page.getByText('Cancelled 1 of 1 tasks.').waitFor()
    await rowOf(page, first).getByText('Cancelled').waitFor()
    await rowOf(page, second).getByText('Cancelled').waitFor()
    for (const id of ids.slice(2)) await rowOf(page, id).getByText('Completed').waitFor()
  })

  it('are filtered in the address, to nothing and back', async () => {
    const { page } = it_
    const [good = '', bad = ''] = await add(count(1, 0), failing)
    await openStatus(page)
    await rowOf(page, good).getByText('Completed').waitFor()
    await rowOf(page, bad).getByText('Failed', { exact: true }).waitFor()
    await page.getByText('Failed', { exact: true }).first().click()
    await rowOf(page, good).waitFor({ state: 'detached' })
    await expect.poll(() => new URL(page.url()).search).toBe('?state=failed')
    await page.getByLabel('Kind').selectOption('train')
    await page.getByText('No tasks match').waitFor()
    await page.goBack()
    await rowOf(page, bad).waitFor()
    await page.reload()
    await rowOf(page, bad).waitFor()
    expect(await rowOf(page, good).count()).toBe(0)
    await page.goto('/status?state=failed&kind=train')
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await rowOf(page, good).waitFor()
    await expect.poll(() => new URL(page.url()).search).toBe('')
  })
})

describe('one stream for all tabs', () => {
  function countStreams(page: Page) {
    const asked: (string | undefined)[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/api/system/task-events')) asked.push(request.headers()['last-event-id'])
    })
    return asked
  }

  it('is led by one tab, heard by the other, and taken over when the first is closed', async () => {
    const { page, context } = it_
    await page.goto('about:blank') // what the page before asks for at the last moment is not counted
    const leaderAsked = countStreams(page)
    await openStatus(page)
    const second = await openPage(context)
    const secondAsked = countStreams(second.page)
    await openStatus(second.page)
    const [first = ''] = await add(count(2, 0.1))
    for (const tab of [page, second.page]) {
      await rowOf(tab, first).getByText('Completed').waitFor()
      await expect.poll(() => eventsOn(tab)).toEqual([1, 2, 3])
    }
    expect(leaderAsked).toHaveLength(1)
    expect(secondAsked).toEqual([])

    await page.close()
    await expect.poll(() => secondAsked).toEqual(['3'])
    const [next = ''] = await add(count(2, 0.1))
    await rowOf(second.page, next).getByText('Completed').waitFor()
    await expect.poll(() => eventsOn(second.page)).toEqual(numbersTo(6))
    expect(second.complaints).toEqual([])
  })

  it('ends with the sign-out, in every tab', async () => {
    const { page, context } = it_
    await openStatus(page)
    const second = await openPage(context)
    await openStatus(second.page)
    await page.getByRole('button', { name: /^Account:/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await second.page.getByRole('heading', { name: 'Sign in' }).waitFor()
    const asked = countStreams(second.page)
    await second.page.waitForTimeout(1_500)
    expect(asked).toEqual([])
  })
})

it.each([['desk', desktop], ['phone', phone]] as const)('%s: nothing for axe to find, nothing that scrolls sideways', async (size, viewport) => {
  const ids = await add(count(1, 0), failing, deaf, longTask, count(1, 0), count(1, 0))
  const [, failed = '', , running = ''] = ids
  const context: BrowserContext = await browser.newContext({
    baseURL: instance().url, viewport, colorScheme: 'light', hasTouch: size === 'phone', reducedMotion: 'reduce', storageState: await it_.context.storageState(),
  })
  const { page, complaints } = await openPage(context)
  await openStatus(page)
  await page.locator('tr.row').nth(5).waitFor()
  await page.getByText('%', { exact: false }).first().waitFor()

  const inspect = (name: string) => expectToLookWell(page, `status, ${name}, ${size}`)

  await inspect('loaded')
  for (const [name, id] of [['failed', failed], ['running', running]] as const) {
    await openStatus(page, `?task=${id}`)
    await page.getByRole('dialog').getByText('What was asked for').waitFor()
    await inspect(name)
  }
  expect(complaints).toEqual([])
  await page.goto('/status')
  await page.getByLabel('Select all shown rows').click()
  await page.getByRole('button', { name: /^Cancel \d/ }).click()
  await page.getByRole('alertdialog').waitFor()
  await inspect('asking')
  await page.getByRole('button', { name: 'Cancel tasks' }).click()
  await page.getByText(/^Cancelled \d of \d tasks\.$/).waitFor()
  await context.close()
})

describe('when the server is killed', () => {
  it('a banner says so, and every event is there once after it is back', async () => {
    const { page, context } = it_
    await openStatus(page)
    const second = await openPage(context)
    await openStatus(second.page)
    const gate = instance().newGate()
    const [id = ''] = await add(count(10, 0.1, gate.until))
    await rowOf(page, id).getByText('Running').waitFor()

    await instance().kill()
    const banners = [page, second.page].map((tab) => tab.getByText(/^Tidemark does not answer\. Showing data as of \d\d:\d\d:\d\d/).waitFor())
    await Promise.all(banners)
    await expect.poll(() => page.getByText('This may be out of date.').count()).toBe(0) // one banner says it all
    await page.getByText(/Reconnecting/).first().waitFor()
    await page.getByRole('button', { name: /^Updates: offline since \d\d:\d\d:\d\d/ }).waitFor()
    await rowOf(page, id).getByText('Running').waitFor() // the last that was known stays

    await instance().resume()
    gate.open()
    const [other = ''] = await add(count(2, 0.1)) // before the pages are back, if they are slow
    for (const tab of [page, second.page]) {
      await isLive(tab)
      await tab.getByText('Tidemark does not answer.').waitFor({ state: 'detached' })
      await rowOf(tab, other).getByText('Completed').waitFor()
      // The server that starts anew takes it back from the dead one, and it runs again from its start.
      await rowOf(tab, id).getByText('Completed').waitFor({ timeout: longPatience })
      await rowOf(tab, id).click()
      await tab.getByRole('dialog').getByText('2 of 3').waitFor()
      // One task: queued, running, queued again, running, completed; the other: queued, running, completed.
      await expect.poll(() => eventsOn(tab)).toEqual(numbersTo(8))
    }
  })
})
