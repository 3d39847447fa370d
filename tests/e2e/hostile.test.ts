/** Names, notes, tags and titles that are scripts: every page shows them as the text that they are, and nothing runs. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { base, launch, leave, longPatience, type Visit, visit, withoutRefusals } from './browser'
import { signUp } from './people'

const hostile = '"><img src=x onerror=ran=1>{{ran=1}}'

let browser: Browser
let it_: Visit
let page: Page
let bearer = ''
let run = ''
let strategy = ''
let link = ''
let model = ''

beforeAll(async () => {
  browser = await launch()
  it_ = await visit(browser)
  page = it_.page
  const asked = page.waitForRequest((request) => request.url().includes('/api/me') && request.headers().authorization !== undefined)
  await signUp(page)
  bearer = (await asked).headers().authorization ?? ''
  await ask('PATCH', '/me', { display_name: hostile })
  run = (await ask<{ id: string }>('POST', '/backtests/run', {
    name: hostile, strategy: 'sma_cross', parameters: { fast: 20, slow: 50 },
    series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1d' }], start: '2023-01-01T00:00:00Z', end: '2024-01-01T00:00:00Z',
  })).id
  await vi.waitUntil(async () => (await ask<{ state: string }>('GET', `/backtests/${run}`)).state === 'completed', { timeout: longPatience, interval: 250 })
  await ask('PATCH', `/backtests/${run}`, { notes: hostile, tags: [hostile.slice(0, 30)] })
  await ask('POST', '/backtests/presets', { name: hostile, form: {} })
  strategy = (await ask<{ name: string }>('POST', '/strategies', { name: hostile, about: hostile, rules: await exampleRules(), note: hostile })).name
  await ask('POST', '/me/tokens', { name: hostile, scopes: ['read'], expires_in_days: 1 })
  link = (await ask<{ token: string }>('POST', '/shares', { backtest_id: run, title: hostile, expires_in_days: 1 })).token
  model = (await ask<{ id: string }>('POST', '/models/train', {
    name: hostile, series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1d' }, start: '2021-01-01T00:00:00Z',
    spec: { horizon: 10, folds: 2, rounds: 10, patience: 5, least_in_leaf: 20 },
  })).id
})
afterAll(async () => { await leave(browser) })

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const headers = { 'Authorization': bearer, 'Content-Type': 'application/json', 'If-Match': '*' }
  const answer = await fetch(`${base}/api${path}`, { method, headers, body: body && JSON.stringify(body) })
  expect(answer.ok, `${method} ${path}: ${await answer.clone().text()}`).toBe(true)
  return await answer.json() as Answer
}

/** Those that the document of the API shows. */
async function exampleRules() {
  const document = await ask<{ paths: Record<string, { post: { requestBody: { content: Record<string, { example: { rules: object } }> } } }> }>('GET', '/openapi.json')
  return document.paths['/api/strategies']?.post.requestBody.content['application/json']?.example.rules
}

/** The hostile text is on the page as text, and made nothing else of it. */
async function expectOnlyText(shown: Page, name: string, text = hostile) {
  await shown.getByText(text).or(shown.locator('input, textarea')).first().waitFor()
  await expect.poll(async () => await shown.evaluate(() => {
    const fields = [...document.querySelectorAll('input, textarea')].map((field) => (field as HTMLInputElement).value)
    return [document.body.textContent, ...fields].some((seen) => seen?.includes('onerror=ran=1'))
  }), { message: `${name} shows the text` }).toBe(true)
  expect(await shown.evaluate(() => [document.querySelectorAll('img[src="x"]').length, 'ran' in window]), name).toEqual([0, false])
}

describe('a name that is a script', () => {
  it.each([
    ['the dashboard', () => '/'],
    ['the list of backtests', () => '/backtests'],
    ['a result', () => `/backtests/${run}`],
    ['the configuration of a result', () => `/backtests/${run}?tab=config`],
    ['the gallery of strategies', () => '/strategies'],
    ['a strategy', () => `/strategies/${strategy}`],
    ['the rule builder', () => `/strategies/${strategy}/edit`],
    ['the list of models', () => '/predictions/models'],
    ['a model', () => `/predictions/models/${model}`],
    ['the profile', () => '/settings/profile'],
    ['tokens and links', () => '/settings/security'],
    ['a shared result', () => `/shared/${link}`],
  ])('is text on %s', async (name, path) => {
    await page.goto(path())
    await expectOnlyText(page, name)
    expect(withoutRefusals(it_.complaints, 404)).toEqual([])
  })

  it('is text in the report that is taken elsewhere', async () => {
    const answer = await fetch(`${base}/api/backtests/${run}/export?format=html`, { headers: { Authorization: bearer } })
    const report = await browser.newPage()
    await report.setContent(await answer.text())
    expect(await report.locator('body').textContent()).toContain('BTC/USDT')
    expect(await report.evaluate(() => [document.querySelectorAll('img[src="x"], script').length, 'ran' in window])).toEqual([0, false])
    await report.close()
  })

  it('is text beside a file that is uploaded', async () => {
    await page.goto('/data')
    await page.goto('/data/upload')
    const days = Array.from({ length: 10 }, (_, day) => `2025-01-${String(day + 10)},1,2,0.5,1.5,10`).join('\n')
    await page.locator('input[type=file]').setInputFiles({ name: `${hostile.replaceAll('/', '')}.csv`, mimeType: 'text/csv', buffer: Buffer.from(`Date,Open,High,Low,Close,${hostile}\n${days}\n`) })
    await expectOnlyText(page, 'the preview of a file')
    expect(withoutRefusals(it_.complaints, 404)).toEqual([])
  })
})
