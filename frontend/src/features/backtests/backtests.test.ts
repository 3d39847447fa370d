/** What the form of a run sends, how it is filled again, and the words of the list: without a page. */
import { describe, expect, it } from 'vitest'
import type { RunWanted } from '@/api/backtests'
import { backtestsAddress } from '@/api/backtests'
import { ApiError } from '@/api/client'
import { fieldsOf, type JsonSchema } from '@/shared/jsonSchema'
import { missingBars } from '@/shared/missingBars'
import { anyBacktest, runConfig, strategy } from '@/testing/backtests'
import { series } from '@/testing/market'
import { model, spec } from '@/testing/models'
import { columns, fewerColumns } from './columns'
import { costSentence, roundTripBps } from './costWords'
import { shapeOf } from '@/shared/charts/curveShape'
import { draftOf, dropDraft, keepDraft } from './draft'
import { withFilter } from '@/shared/table'
import { filterOf, tagsIn, tagsText } from './listFilter'
import { runFormOf } from './modelRun'
import { runCommands, studyCommands } from '@/shared/runCommands'
import { formFrom, formOn, formProblems, newForm, tagProblem, typedTags, wantedOf } from './runForm'
import { cloneOf } from './runWords'
import { listProblem, newStudy, studyFrom, studyOf, usualRange } from './studyForm'

const now = new Date('2026-11-27T12:00:00Z')

it.each([
  ['all columns at 1,440 px', columns, 1440], ['fewer at 1,280 px', fewerColumns, 1280],
])('the list has room for %s beside the navigation, two scroll bars and the boxes to tick', (_what, some, width) => {
  const taken = some.filter(({ optional }) => optional !== true).reduce((sum, column) => sum + (column.width ?? 120), 40)
  expect(taken).toBeLessThanOrEqual(width - 224 - 2 * 24 - 2 - 2 * 15)
})

describe('the form of a run', () => {
  it('filled from an earlier run asks for the same run again', () => {
    const form = formFrom(runConfig, now)
    expect(form).toMatchObject({ from: '2023-01-01', to: '2023-07-01', sizing: 'risk', sides: 'both', seed: '7' })
    const wanted = wantedOf(form, { strategy: 'sma_cross', parameters: form.parameters })
    const {
      detail, limit_life_bars, target_percent, trail_percent, volume_percent, most_positions, ...execution
    } = runConfig.trading.execution
    expect([detail, limit_life_bars, target_percent, trail_percent, volume_percent, most_positions]).toEqual(Array(6).fill(null))
    const { amount, ...sizing } = runConfig.trading.sizing
    expect(amount).toBeNull()
    expect(wanted).toEqual({ ...runConfig, trading: { ...runConfig.trading, sizing, execution } })
  })

  it('means whole days once another day is chosen', () => {
    const form = { ...formFrom(runConfig, now), to: '2023-06-30' }
    expect(wantedOf(form, form)).toMatchObject({ start: '2023-01-01T00:00:00Z', end: '2023-07-01T00:00:00Z' })
  })

  it('left open at both ends asks for all that is stored', () => {
    const form = { ...newForm(now), from: '', to: '' }
    expect(wantedOf(form, form)).toMatchObject({ start: null, end: null })
    expect(wantedOf({ ...form, to: '2026-01-31' }, form)).toMatchObject({ start: null, end: '2026-02-01T00:00:00Z' })
  })

  it('sends of sizing only what its method asks for', () => {
    const form = { ...newForm(now), sizing: 'notional' as const }
    form.numbers = { ...form.numbers, 'sizing/percent': '5', 'sizing/amount': '1000' }
    expect(wantedOf(form, form).trading.sizing).toEqual({ method: 'notional', amount: 1000, volatility_bars: 20 })
  })

  it('says what is missing, and which day cannot be', () => {
    expect(formProblems(newForm(now), now)).toEqual({ strategy: 'Choose a strategy.', symbols: 'Choose at least one symbol.' })
    const filled = { ...newForm(now), strategy: 'sma_cross', symbols: ['BTC/USDT'] }
    expect(formProblems({ ...filled, from: '2027-01-01' }, now)).toEqual({ from: 'It lies in the future: today is 2026-11-27.' })
    expect(formProblems({ ...filled, from: '2026-02-01', to: '2026-01-01' }, now)).toEqual({ to: 'It lies before the first day, 2026-02-01.' })
  })

  it('is kept as a draft for one person, and forgotten', () => {
    const form = { ...newForm(now), symbols: ['ETH/USDT'] }
    const study = { ...newStudy(), tried: { fast: { how: 'list' as const, from: null, to: null, step: null, list: '5, 10' } } }
    keepDraft('ada', 'strategy=x', { form, study })
    expect(draftOf('ada', '', now)).toEqual({ form, study })
    expect(draftOf('ada', 'strategy=x', now)).toEqual({ form, study })
    expect(draftOf('ada', 'from=1', now)).toBeNull()
    expect(draftOf('bob', '', now)).toBeNull()
    sessionStorage.setItem('tidemark.backtest-draft.bob', '{"half":')
    expect(draftOf('bob', '', now)).toBeNull()
    dropDraft('ada')
    expect(draftOf('ada', '', now)).toBeNull()
  })
})

describe('a form on bars', () => {
  it('covers all that was uploaded, and the usual days of what can be fetched', () => {
    const own = series({ provider: 'import', symbol: 'MY-FUND', timeframe: '1d', is_own: true })
    expect(formOn(own, now)).toMatchObject({
      provider: 'import', symbols: ['MY-FUND'], timeframe: '1d', from: own.stored?.first?.slice(0, 10), to: own.stored?.last?.slice(0, 10),
    })
    const { from, to } = newForm(now)
    expect(formOn(series({ is_own: false }), now)).toMatchObject({ from, to })
  })
})

describe('tags', () => {
  it('are told what is too long, and too many', () => {
    expect(typedTags(' one, two ,,one')).toEqual(['one', 'two'])
    expect(tagProblem(['one'])).toBeUndefined()
    expect(tagProblem(['one', 'x'.repeat(41)])).toBe('A tag has at most 40 characters; “xxxxxxxxxxxx…” has 41.')
    expect(tagProblem(Array.from({ length: 21 }, (_, at) => `tag ${at}`))).toBe('A backtest has at most 20 tags; these are 21.')
  })
})

describe('costs in words', () => {
  it('count both ways, and half of the spread each way', () => {
    expect(roundTripBps({ taker: 10, slippage: 5, spread: 4 })).toBe(34)
    expect(costSentence({ taker: 10, slippage: 5, spread: 0 }, 10_000)).toBe(
      'In and out at the market costs 30 bps of what is traded: 30.00 on 10,000.00. 100 such trades with all of the account would cost 26% of it.',
    )
  })

  it('warn where there are none', () => {
    expect(costSentence({ taker: 0, slippage: 0, spread: 0 }, 10_000)).toMatch(/^Trading is free here/)
    expect(costSentence({ taker: -5, slippage: 5, spread: 0 }, 10_000)).toMatch(/^No cost lies below 0/)
  })
})

describe('commands', () => {
  const wanted = { ...runConfig, parameters: { fast: 10, kind: 'it\'s', flag: 'true', rules: { a: [1, null] } } } as unknown as RunWanted

  it('say for a shell what differs from what is usual', () => {
    expect(runCommands(wanted).cli).toBe(
      'tidemark backtest run --strategy sma_cross -p fast=10 -p \'kind=it\'\\\'\'s\' -p \'flag="true"\' -p \'rules={"a":[1,null]}\' '
      + '--provider demo --symbol BTC/USDT --timeframe 1h --start 2023-01-01 --end 2023-07-01T09:30:00Z --cash 5000 --maker-bps 2 '
      + '--taker-bps 4 --sizing risk --size-percent 1.5 --sides both --intrabar neutral --stop-percent 3 --leverage 2 --seed 7',
    )
  })

  it('say it for Python in its own words', () => {
    expect(runCommands(wanted).python).toContain('{"fast": 10, "kind": "it\'s", "flag": "true", "rules": {"a": [1, None]}}')
    expect(runCommands(wanted).python).toContain('    load_bars("demo", "BTC/USDT", "1h", start="2023-01-01", end="2023-07-01T09:30:00Z"),')
  })
})

describe('what is tried out', () => {
  const fields = fieldsOf(strategy().parameters as JsonSchema)
  const [fast, slow] = fields

  it('is nothing until a parameter is chosen, and not while its range is half', () => {
    const form = newStudy()
    expect(studyOf('sweep', form, fields)).toBeNull()
    form.tried = { fast: { how: 'range', from: '5', to: null, step: '5', list: null } }
    expect(studyOf('sweep', form, fields)).toBeNull()
  })

  it('begins from half to twice of what is usual, within the bounds', () => {
    expect(fast && usualRange(fast)).toEqual({ how: 'range', from: '10', to: '40', step: '5', list: null })
    expect(fast && usualRange({ ...fast, default: 2 })).toEqual({ how: 'range', from: '2', to: '4', step: '1', list: null })
    expect(slow && usualRange({ ...slow, kind: 'number', default: 0.5, min: 0 })).toEqual({ how: 'range', from: '0.25', to: '1', step: '0.13', list: null })
  })

  it('has windows in a walk forward alone, and says the same on the command line', () => {
    const form = { ...newStudy(), trials: '50', purge: '10', anchored: true }
    form.tried = { fast: { how: 'range', from: '5', to: '50', step: '5', list: null }, slow: { how: 'auto', from: null, to: null, step: null, list: null } }
    const study = studyOf('walk_forward', form, fields)
    const space = { fast: { from: 5, to: 50, step: 5 }, slow: 'auto' }
    expect(study).toEqual({ space, objective: 'sharpe', least_trades: 10, trials: 50, folds: 5, purge: 10, anchored: true })
    expect(studyOf('sweep', form, fields)).toEqual({ space, objective: 'sharpe', least_trades: 10, trials: 50 })
    const wanted = runConfig as unknown as RunWanted
    expect(study && studyCommands('walk_forward', wanted, study).cli).toMatch(
      /^tidemark backtest walk-forward --strategy sma_cross -p fast=5:50:5 -p slow=auto .* --objective sharpe --least-trades 10 --trials 50 --folds 5 --purge 10 --anchored$/,
    )
  })
})

describe('a study that is made again', () => {
  const fields = fieldsOf(strategy().parameters as JsonSchema)

  it('tries the same values in the same way', () => {
    const space = { fast: { from: 5, to: 50, step: 5 }, slow: [50, 100, 200] }
    const plan = { objective: 'sortino', least_trades: 3, trials: 40, folds: 8, purge: 12, anchored: true }
    expect(studyOf('walk_forward', studyFrom({ space, plan }), fields)).toEqual({ space, ...plan })
    const lengths = { ...plan, train: 2_000, test: 500 }
    expect(studyOf('walk_forward', studyFrom({ space, plan: lengths }), fields)).toEqual({ space, ...lengths })
    const sweep = { objective: 'sharpe', least_trades: 10, trials: null }
    expect(studyOf('sweep', studyFrom({ space: { fast: 'auto' }, plan: sweep }), fields)).toEqual({ space: { fast: 'auto' }, ...sweep })
  })

  it('opens its own form, and a run that of a run', () => {
    expect(cloneOf({ id: 'a', kind: 'optimize' }).query).toEqual({ from: 'a', mode: 'optimize' })
    expect(cloneOf({ id: 'a', kind: 'backtest' }).query).toEqual({ from: 'a' })
  })

  it('takes no value that is none', () => {
    const form = { ...newStudy(), tried: { fast: { how: 'list' as const, from: null, to: null, step: null, list: '5, x' } } }
    expect(studyOf('sweep', form, fields)).toBeNull()
    const problemsOf = (typed: string) => fields.filter(({ name }) => name === 'fast').map((fast) => listProblem(fast, typed))
    expect([problemsOf('5, x'), problemsOf('5, 10')]).toEqual([['“x” is no number.'], [undefined]])
    form.tried.fast.list = ' 5,10 '
    expect(studyOf('sweep', form, fields)?.space).toEqual({ fast: [5, 10] })
  })
})

describe('the backtest of a model', () => {
  it('has its question, range, folds and costs', () => {
    const form = runFormOf(model(), now)
    if (form === null) throw new Error('a trained model has a run')
    const wanted: RunWanted = wantedOf(form, form)
    expect(wanted).toMatchObject({
      strategy: 'ml_predictive', start: '2024-11-20T00:00:00.000Z', end: '2026-11-20T09:00:00.000Z',
      // 220 rows without features or label, 4,000 to learn from, 500 that stop it, and twice a gap of 24.
      parameters: { horizon: 12, label: 'direction', first_training_bars: 4_768, retrain_every: 1_600 },
      trading: { costs: { maker_bps: 10, taker_bps: 10, slippage_bps: 5 }, execution: { sides: 'both' } },
    })
  })

  it('splits cheap orders too, and is none before the training is done', () => {
    expect(runFormOf(model({ spec: { ...spec, cost_bps: 4.1 } }), now)?.numbers).toMatchObject({ 'costs/taker_bps': '4.1', 'costs/slippage_bps': '0' })
    expect(runFormOf(model({ card: null }), now)).toBeNull()
  })
})

describe('bars that are missing', () => {
  it('lead to a download with the form filled in', () => {
    const error = new ApiError({
      status: 422, code: 'bars_missing', title: 'Bars are missing', detail: '', errors: [{ pointer: '/series/0', detail: 'Not stored.' }],
    })
    expect(missingBars(error, runConfig as unknown as RunWanted)).toEqual([{
      symbol: 'BTC/USDT', detail: 'Not stored.',
      to: { name: 'data', params: { id: 'download' }, query: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw', from: '2023-01-01', to: '2023-07-01' } },
    }])
    expect(missingBars(new Error('other'), runConfig as unknown as RunWanted)).toEqual([])
  })
})

describe('the list', () => {
  it('is asked for what stands in the address', () => {
    const filter = filterOf({
      search: ' btc ', sort: { id: 'sharpe_ratio', desc: false },
      filters: { state: 'failed', kind: 'nonsense', tag: 'a%2Cb,c', starred: 'yes', show: 'archived' },
    })
    expect(filter).toMatchObject({ search: 'btc', states: ['failed'], kinds: [], tags: ['a,b', 'c'], isStarred: true, from: 'archived' })
    expect(backtestsAddress(filter, { limit: 200 })).toBe(
      '/api/backtests?search=btc&state=failed&tag=a%2Cb&tag=c&starred=true&archived=true&sort=sharpe_ratio&descending=false&limit=200',
    )
    expect(backtestsAddress(filterOf({ search: '', sort: { id: 'took', desc: true }, filters: {} }))).toBe('/api/backtests')
    expect(filterOf({ search: '', sort: null, filters: {} })).toEqual(anyBacktest)
  })

  it('keeps tags apart whatever is in them', () => {
    expect(tagsIn(tagsText(['a,b', '50%', 'ü']))).toEqual(['a,b', '50%', 'ü'])
    expect(tagsIn('50%')).toEqual(['50%'])
  })

  it('changes one filter and leaves the others', () => {
    const view = { search: 'x', sort: null, filters: { state: 'failed', tag: 'a' } }
    expect(withFilter(view, 'state', '')).toEqual({ ...view, filters: { tag: 'a' } })
  })
})

describe('a growing curve', () => {
  it('is drawn across the whole range of the run', () => {
    const shape = shapeOf([[0, 100], [50, 110]], { width: 200, height: 10, start: 0, end: 100 })
    expect(shape).toEqual({ line: 'M0 10L100 0', area: 'M0 10L100 0L100 10L0 10Z', low: 100, high: 110 })
  })

  it('that never moves lies in the middle, and one point is none', () => {
    expect(shapeOf([[0, 5], [10, 5]], { width: 10, height: 10 })?.line).toBe('M0 5L10 5')
    expect(shapeOf([[0, 5]], { width: 10, height: 10 })).toBeNull()
  })
})
