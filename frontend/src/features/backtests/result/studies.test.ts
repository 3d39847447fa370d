/** The page of a finished study: the tabs that it has results for, the same numbers in each part, and commands that make it again. */
import { screen } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import type { BacktestKind } from '@/api/backtests'
import { profile, server, useServer } from '@/testing/server'
import { renderPage } from '@/testing/render'
import { backtestId } from '@/testing/results'
import { sweep, sweepConfig, sweepDocument } from '@/testing/studies'
import { againCommands } from '../backtestCommands'
import BacktestPage from '../BacktestPage.vue'
import './ConfigTab.vue'
import './ReproduceTab.vue'
import './StudyTab.vue'
import { factsOf } from './configDiff'
import { tabsOf } from './resultTabs'
import { judgementOf, skippedWords } from './study'
import { fixedOf, triedWords } from './words'

useServer()

const asked: string[] = []
const text = () => document.body.textContent ?? ''

async function open(at: string, kind: BacktestKind = 'sweep') {
  asked.length = 0
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/system/installation', () => HttpResponse.json({})),
    http.get(`/api/backtests/${backtestId}`, () => HttpResponse.json(sweep({ kind, notes: 'Why this range' }), { headers: { ETag: '"1"' } })),
    http.get(`/api/backtests/${backtestId}/:table`, ({ params }) => {
      asked.push(String(params.table))
      return HttpResponse.json({ total: 0, first: 0, columns: {} })
    }),
  )
  return await renderPage(BacktestPage, { at, props: { id: backtestId } })
}

describe('a finished study', () => {
  it.each([['sweep', 'overview'], ['optimize', 'risk'], ['walk_forward', 'trades']] as const)('has no tab of an account, whichever is asked for: %s, %s', async (kind, tab) => {
    await open(`/backtests/${backtestId}?tab=${tab}`, kind)
    const found = await screen.findAllByRole('tab')
    expect(found.map(({ textContent }) => textContent.trim())).toEqual(['Study', 'Config', 'Reproduce'])
    expect(found[0]?.getAttribute('aria-selected')).toBe('true')
    await screen.findByText('Judgement')
    expect(asked).toEqual([])
  })

  it('keeps its notes, and opens its other tabs', async () => {
    const { router } = await open(`/backtests/${backtestId}`)
    await screen.findByText('Why this range')
    await userEvent.click(screen.getByRole('tab', { name: 'Reproduce' }))
    await screen.findByText('Run it again')
    expect(router.currentRoute.value.query.tab).toBe('reproduce')
    expect(text()).toContain('tidemark backtest sweep --strategy sma_cross -p at_once=false -p fast=auto -p slow=25:100:13')
    expect(text()).not.toContain('backtest run')
    expect(text()).toContain('A study keeps none for each of its trials.')
  })

  it('names what was tried apart from what was fixed, and one median on the whole page', async () => {
    await open(`/backtests/${backtestId}`)
    await screen.findByText('Judgement')
    expect(text()).toContain('sma_cross, at_once false; tried: fast within its bounds; slow 25 to 100 in steps of 13; BTC/USDT')
    await screen.findByText(/^Sharpe: median of all 0\.01, best 1\.33\.$/)
    await screen.findByText('The median of all is 0.01.')
    expect(judgementOf(sweepDocument())).toContainEqual({ name: 'median', label: 'Median of all trials', text: '0.01', reason: '' })
    expect(text()).not.toMatch(/edian[^.]*0\.00/)
  })
})

describe('the words of a study', () => {
  it('say that one trial speaks for those that were not taken', () => {
    const why = 'fast is 32 and slow is 25; fast has to be less than slow.'
    expect(skippedWords({ skipped: 28, skipped_why: why })).toBe(`28 were not taken by the strategy; of the first it says: ${why}`)
    expect(skippedWords({ skipped: 1, skipped_why: why })).toBe(`1 was not taken by the strategy; it says: ${why}`)
    expect(skippedWords({ skipped: 2, skipped_why: null })).toBe('2 were not taken by the strategy.')
  })

  it('list values as they are read', () => {
    expect(triedWords({ fast: [5, 10, 20], slow: [50], side: ['long', 'both'] })).toBe('fast 5, 10 or 20; slow 50; side long or both')
    expect(fixedOf(sweep())).toEqual({ at_once: false })
  })

  it('stand in its configuration in the place of values that were swept', () => {
    const facts = factsOf(sweepConfig()).map(({ group, name, text: said }) => [group, name, said])
    expect(facts.slice(1, 6)).toEqual([
      ['Parameters', 'at_once', 'No'], ['Tried out', 'fast', 'within its bounds'], ['Tried out', 'slow', '25 to 100 in steps of 13'],
      ['Trials', 'Ranked by', 'Sharpe'], ['Trials', 'Ranked from so many trades', '10'],
    ])
  })

  it('are no words of a run', () => {
    expect(tabsOf({ kind: 'backtest' })).not.toContain('study')
    expect(tabsOf({ kind: 'backtest' })[0]).toBe('overview')
  })
})

describe('a study made again', () => {
  it('tries all that it tried, on the same bars', () => {
    const { cli, python, curl } = againCommands('sweep', sweepConfig())
    expect(cli).toMatch(/^tidemark backtest sweep .*-p fast=auto -p slow=25:100:13 .*--start 2023-01-01 --end 2024-01-01 .*--objective sharpe --least-trades 10$/)
    expect(python).toContain('result = sweep("sma_cross", bars, {"fast": "auto", "slow": {"from": 25, "to": 100, "step": 13}}, at_once=False')
    expect(curl).toContain('/api/backtests/sweep')
    expect(curl).not.toContain('"study"')
  })

  it('walks forward over windows of bars where folds were not what was asked', () => {
    const config = sweepConfig()
    const space = { fast: [5, 10] }
    const plan = { objective: 'sharpe', least_trades: 0, trials: null, folds: 5, train: 400, test: 200, purge: 0, anchored: true }
    const { cli } = againCommands('walk_forward', { ...config, study: { space, plan } })
    expect(cli).toContain('tidemark backtest walk-forward')
    expect(cli).toMatch(/--train 400 --test 200 --anchored$/)
    expect(cli).not.toContain('--folds')
  })
})
