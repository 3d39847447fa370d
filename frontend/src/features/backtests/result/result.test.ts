/** What a result reckons by itself: trades as columns, days, costs, differences, and its words. */
import { describe, expect, it } from 'vitest'
import configSource from '../../../../../backend/domain/config.py?raw'
import wordingSource from '../../../../../backend/backtesting/wording.py?raw'
import { manifest, result, runConfig, tradesTable } from '@/testing/results'
import { emptyView } from '@/shared/table'
import { costBand, costsOf } from './costParts'
import { factsOf } from './configDiff'
import { daysOf, drawdownsOf, periodsAYear, rollingOf } from './daily'
import { groupRows, yearsOf } from './periods'
import { replayVerdict } from './replay'
import { lineOf, linesByGroup, statisticGroups } from './statistics'
import { judgementOf, studyOf } from './study'
import { tidied, TradeStore } from './tradeStore'
import { tradeColumns } from './tradeColumns'
import { fillsOf } from './tradeStory'
import { rangeWords } from './words'

const day = 86_400_000
const view = emptyView()

function storeOf(pnl: (number | null)[]) {
  const store = new TradeStore(pnl.length)
  store.append(tradesTable(pnl))
  return store
}

describe('trades as columns', () => {
  const store = storeOf([5, -3, null, 9, -3])

  it('stand in the order of their exits until they are sorted, missing ones last both ways', () => {
    expect([...store.order(view)]).toEqual([0, 1, 2, 3, 4])
    expect([...store.order({ ...view, sort: { id: 'pnl', desc: true } })]).toEqual([3, 0, 1, 4, 2])
    expect([...store.order({ ...view, sort: { id: 'pnl', desc: false } })]).toEqual([1, 4, 0, 3, 2])
    expect([...store.order({ ...view, sort: { id: 'symbol', desc: true } })]).toEqual([1, 3, 0, 2, 4])
    expect([...store.order({ ...view, sort: { id: 'number', desc: true } })]).toEqual([4, 3, 2, 1, 0])
  })

  it('are filtered by text, choice, number and day, and searched', () => {
    expect([...store.order({ ...view, filters: { pnl: { min: '0' } } })]).toEqual([0, 3])
    expect([...store.order({ ...view, filters: { symbol: 'ETH/USDT', pnl: { max: '0' } } })]).toEqual([1])
    expect([...store.order({ ...view, filters: { entry_time: { min: '2023-01-02', max: '2023-01-02' } } })]).toEqual([3, 4])
    expect([...store.order({ ...view, filters: { entry_reason: 'ABOVE' } })]).toHaveLength(5)
    expect([...store.order({ ...view, search: 'stop' })]).toEqual([0])
    expect([...store.order({ ...view, search: '2023-01-01t10' })]).toEqual([1])
    expect([...store.order({ ...view, search: 'nothing like it' })]).toEqual([])
  })

  it('add up costs and what was traded', () => {
    expect(store.value('costs', 0)).toBe(1.5)
    expect(store.value('pnl', 2)).toBeNull()
    expect(store.value('seconds_held', 0)).toBe(5 * 3_600)
    expect(store.traded()).toBe(5 * 2 * 210)
  })

  it('have no digits of prices that only a double knows', () => {
    expect([tidied(39_705.090000000004), tidied(0.1 + 0.2), tidied(0.00001234)]).toEqual([39_705.09, 0.3, 0.00001234])
    const ids = (isOneSymbol: boolean) => tradeColumns(store, isOneSymbol).filter(({ optional }) => !optional)
    expect(ids(true).map(({ id }) => id)).not.toContain('symbol')
    for (const isOneSymbol of [true, false]) {
      const width = ids(isOneSymbol).reduce((sum, column) => sum + (column.width ?? 120), 0)
      expect(width, 'what a window of 1440 has room for').toBeLessThanOrEqual(1_150)
    }
  })

  it('come in pieces, each where the last one ended', () => {
    const grown = new TradeStore(4)
    grown.append(tradesTable([1, 2], { total: 4 }))
    expect(() => { grown.append(tradesTable([3], { total: 4, first: 3 })) }).toThrow('Row 2 was due')
    grown.append(tradesTable([3, 4, 5], { total: 4, first: 2 }))
    expect([...grown.order({ ...view, sort: { id: 'pnl', desc: true } })]).toEqual([3, 2, 1, 0])
  })

  it('sorts as a comparing sort would', () => {
    let seed = 7
    const random = () => (seed = seed * 16_807 % 2_147_483_647)
    const pnl = Array.from({ length: 3_000 }, () => (random() % 9 === 0 ? null : random() % 400 - 200))
    const expected = pnl.map((value, at) => ({ value, at })).sort((one, two) => {
      if (one.value === null || two.value === null) return one.value === two.value ? one.at - two.at : one.value === null ? 1 : -1
      return two.value - one.value || one.at - two.at
    })
    expect([...storeOf(pnl).order({ ...view, sort: { id: 'pnl', desc: true } })]).toEqual(expected.map(({ at }) => at))
  })
})

describe('days', () => {
  const ts = [0, 12, 24, 36, 48, 72].map((hour) => hour * 3_600_000)
  const rows = { ts, equity: [100, 110, 99, 104.5, 121, 90], benchmark: [], exposure: [] }
  const days = daysOf(rows, 100)

  it('end where the next one begins', () => {
    expect(days.day).toEqual([0, day, 2 * day, 3 * day])
    expect(days.equity).toEqual([110, 104.5, 121, 90])
    expect(days.returns.map((value) => Math.round(value * 1_000))).toEqual([100, -50, 158, -256])
  })

  it('fall below peaks and recover, the deepest first', () => {
    const found = drawdownsOf(days, 100)
    expect(found.map(({ peak, trough, recovered, days: length }) => ({ peak, trough, recovered, length }))).toEqual([
      { peak: 2 * day, trough: 3 * day, recovered: null, length: 1 },
      { peak: 0, trough: day, recovered: 2 * day, length: 2 },
    ])
    expect(found.map(({ depth }) => Math.round(depth * 1_000))).toEqual([-256, -50])
  })

  it('that never fall have no drawdown, and a start that was never reached again is a peak', () => {
    expect(drawdownsOf({ day: [0, day], equity: [101, 102] }, 100)).toEqual([])
    expect(drawdownsOf({ day: [0, day], equity: [90, 95] }, 100)[0]).toMatchObject({ peak: -day, trough: 0, recovered: null })
  })

  it('have rolling figures once the window is full', () => {
    const rolling = rollingOf(days, 3, 100)
    expect(rolling.change.map((value) => (value === null ? null : Math.round(value * 1_000)))).toEqual([null, null, 210, -182])
    expect(rolling.sharpe.slice(0, 2)).toEqual([null, null])
    const squares = (0.1 - 0.0693) ** 2 + (-0.05 - 0.0693) ** 2 + (0.1579 - 0.0693) ** 2
    expect(rolling.volatility[2]).toBeCloseTo(Math.sqrt(squares / 2) * Math.sqrt(365), 2)
  })

  it('trade at weekends or not', () => {
    expect(periodsAYear([0, day, 2 * day])).toBe(365) // Thursday to Saturday
    expect(periodsAYear([0, day])).toBe(252)
  })
})

describe('costs', () => {
  it('are money, bps of what was traded, and a share of the profit before them', () => {
    const { figures, config } = result()
    if (figures === null) throw new Error('There are figures')
    const costs = costsOf(figures, config, 30_000, 'USDT')
    expect(costs.parts.map(({ money, bps }) => [money, bps])).toEqual([[30, 10], [15, 5], [0, 0]])
    expect(costs.total).toMatchObject({ money: 45, bps: 15 })
    expect(costs.total.share).toBeCloseTo(45 / 1_285, 12)
  })

  it('end at what the account gained, and tell closed trades from open ones', () => {
    const { figures, config } = result()
    if (figures === null) throw new Error('There are figures')
    expect(costsOf(figures, config, null, 'USDT')).toMatchObject({ gross: 1_285, gain: 1_240, closed: 955, open: 285 })
    const all = { ...figures, statistics: { ...figures.statistics, open_trades: 0 } }
    expect(costsOf(all, config, null, 'USDT')).toMatchObject({ gain: 1_240, closed: null, open: null })
  })

  it('add up as they are shown', () => {
    const { figures, config } = result()
    if (figures === null) throw new Error('There are figures')
    const odd = { ...figures, statistics: { ...figures.statistics, fees: 1_706.167, slippage: 853.346, financing: 0 } }
    const { parts, total, gross, gain } = costsOf(odd, config, null, 'USDT')
    expect(parts.map(({ money }) => money)).toEqual([1_706.17, 853.35, 0])
    expect(total.money).toBe(2_559.52)
    expect(gross).toBe(3_799.52)
    expect(gain).toBe(1_240)
  })

  it('are no share of a loss', () => {
    const { figures, config } = result()
    if (figures === null) throw new Error('There are figures')
    const lost = { ...figures, statistics: { ...figures.statistics, end_equity: 9_900 } }
    expect(costsOf(lost, config, null, 'USDT').total).toMatchObject({ money: 45, bps: null, share: null })
  })

  it('have a band of their own, apart from how prices fill', () => {
    const band = [...result().trust?.band ?? []]
    expect(costBand(band, 'pessimistic').map(({ cost_times: times }) => times)).toEqual([1, 2])
  })
})

describe('periods', () => {
  it('compound months to years and measure groups by the largest', () => {
    expect(yearsOf([{ month: '2022-12', value: 0.5 }, { month: '2023-01', value: 0.1 }, { month: '2023-02', value: 0.1 }]).map(({ year, value }) => [year, Math.round(value * 100)]))
      .toEqual([['2022', 50], ['2023', 21]])
    const rows = groupRows([{ key: 'a', count: 4, won: 1, pnl: -200, mean_return: 0 }, { key: 'b', count: 0, won: 0, pnl: 100, mean_return: 0 }])
    expect(rows.map(({ winRate, share }) => [winRate, share])).toEqual([[0.25, -1], [null, 0.5]])
  })
})

describe('a configuration', () => {
  it('says what is not the default', () => {
    const facts = factsOf(runConfig())
    expect(facts.filter(({ usual }) => usual !== undefined).map(({ name, text, usual }) => [name, text, usual])).toEqual([
      ['Start money', '10,000', '100,000'], ['Slippage', '5 bps', '0 bps'],
    ])
    expect(facts.find(({ path }) => path === 'strategy')?.text).toBe('sma_cross')
  })

  it('has its defaults from the engine', () => {
    const found = configSource.matchAll(/^ {4}(\w+): [^=\n]+= (?:Field\(\s*default=)?(\d[\d_.]*)/gm)
    const defaults = Object.fromEntries([...found].map(([, name, value]) => [name, Number(value?.replaceAll('_', ''))]))
    const odd = runConfig()
    const other = Object.fromEntries(Object.keys(odd.trading.costs).map((name) => [name, 4_321]))
    const facts = factsOf({ ...odd, trading: { ...odd.trading, cash: 1, costs: other } })
    for (const name of ['cash', ...Object.keys(other)]) {
      const usual = facts.find(({ path }) => path.endsWith(`/${name}`))?.usual?.replaceAll(/[^\d.]/g, '')
      expect([name, Number(usual)]).toEqual([name, defaults[name]])
    }
  })

  it('ends the day before a midnight', () => {
    expect(rangeWords({ config: runConfig() })).toBe('2023-01-01 to 2023-12-31')
  })
})

describe('a replay', () => {
  it('is the same by content', () => {
    expect(replayVerdict(manifest(), manifest())).toMatchObject({ isSame: true, changes: [], sentence: 'The same to the last bit: 92 trades and the equity of every bar.' })
  })

  it('names what changed', () => {
    const [bars] = manifest().data
    if (bars === undefined) throw new Error('There are bars')
    const now = manifest({
      data: [{ ...bars, content_hash: 'd'.repeat(64), bars: 8761 }], seed: 4, parameters: { fast: 21, slow: 50 },
      outcome: { trades: 90, trades_hash: 'x', equity_hash: 'y' },
    })
    const verdict = replayVerdict(manifest(), now)
    expect(verdict.isSame).toBe(false)
    expect(verdict.sentence).toBe('Another result: 92 trades then, 90 now.')
    expect(verdict.changes).toEqual([
      'The bars of BTC/USDT changed: 8,760 then (cccccccccccc), 8,761 now (dddddddddddd).',
      'The parameter fast changed: 20 then, 21 now.',
      'The seed changed: 0 then, 4 now.',
    ])
  })

  it('with the same inputs and another result blames the strategy', () => {
    const verdict = replayVerdict(manifest(), manifest({ outcome: { trades: 92, trades_hash: 'x', equity_hash: 'y' } }))
    expect(verdict.sentence).toContain('may not answer the same twice')
  })
})

describe('statistics', () => {
  it('have the words of the report', () => {
    const theirs = [...wordingSource.matchAll(/^ {8}"(\w+)": \("([^"]+)", "([^"]+)"\),$/gm)].map(([, name, label, kind]) => [name, label, kind])
    const ours = Object.values(statisticGroups).flatMap((group) => Object.entries(group).map(([name, how]) => [name, ...how]))
    expect(ours.length).toBeGreaterThan(50)
    expect(ours).toEqual(theirs)
  })

  it('say why one is missing, and keep those that have no name yet', () => {
    const { figures } = result()
    if (figures === null) throw new Error('There are figures')
    expect(lineOf(figures, 'omega', 'USDT')).toMatchObject({ text: '—', reason: 'No day lost money, so there is nothing to divide by.' })
    expect(lineOf(figures, 'fees', 'USDT').text).toBe('30.00 USDT')
    const more = linesByGroup({ ...figures, statistics: { ...figures.statistics, new_figure: 1.5 } }, 'USDT').at(-1)
    expect(more).toMatchObject({ title: 'More', lines: [{ label: 'New figure', text: '1.5000' }] })
  })
})

describe('the story of a trade', () => {
  it('tells both fills with their rules', () => {
    const fills = fillsOf(storeOf([5]).trade(0), runConfig())
    expect(fills.map(({ what, price, value }) => [what, price, value])).toEqual([['Bought', 100, 200], ['Sold', 110, 220]])
    expect(fills[0]?.rule).toBe('A signal acts at the open of the next bar, as a market order, worse by 5 bps.')
    expect(fills[1]).toMatchObject({ reason: 'Stop.' })
    expect(fills[1]?.rule).toContain('the worse came first')
  })
})

describe('a study', () => {
  it('judges by its objective and says what is missing', () => {
    const study = studyOf({
      kind: 'sweep', objective: { name: 'max_drawdown', more_is_better: true, least_trades: 0 },
      judgement: { values: { trials: 12, winner: -0.1, overfitting: 0.25 }, missing: { deflated_sharpe: 'Too few days.' } },
    })
    if (study === null) throw new Error('It is a study')
    expect(judgementOf(study).map(({ label, text, reason }) => [label, text, reason])).toEqual([
      ['Trials', '12', ''], ['Best', '−10.00%', ''], ['Probability of overfitting (PBO)', '25.00%', ''], ['Deflated Sharpe: more than luck', '—', 'Too few days.'],
    ])
    expect(studyOf({ kind: 'other' })).toBeNull()
  })
})
