/** The bars of one symbol of a run, and what is drawn on them; long runs come in stretches from the end. */
import { computed, ref, shallowRef, watch } from 'vue'
import { ApiError } from '@/api/client'
import type { ChartPart, ResultSource } from '@/api/backtestResults'
import type { Bars, Indicator, Mark, MoreWanted } from '@/shared/charts'
import { money } from '@/shared/format'
import type { Trade, TradeStore } from './tradeStore'

const stretch = 5_000
const mostAtOnce = 50_000

interface Range { first: number, end: number, barSeconds: number }

/** `range` is when the run begins and ends, in milliseconds. */
export function useChartBars(source: () => ResultSource, symbol: () => string, range: () => Range) {
  const part = shallowRef<ChartPart | null>(null)
  const error = shallowRef<{ message: string, requestId?: string, final?: boolean } | null>(null)
  const loading = ref(false)
  let turn = 0

  watch([() => source().key, symbol], () => { void begin() }, { immediate: true })

  async function begin() {
    part.value = null
    const { end, barSeconds } = range()
    await bring(end - stretch * barSeconds * 1_000, end)
  }

  /** Loads from `start` on and joins it with what is there. */
  async function bring(start: number, end: number) {
    const mine = ++turn
    loading.value = true
    error.value = null
    try {
      const from = Math.max(start, range().first)
      const found = await source().chart({ symbol: symbol(), start: iso(from), end: iso(end), limit: mostAtOnce })
      if (mine === turn) part.value = part.value === null ? found : joined(found, part.value)
    } catch (problem) {
      if (mine !== turn) return
      error.value = problem instanceof ApiError
        ? { message: problem.explanation, requestId: problem.requestId }
        : { message: 'Something unexpected happened. Try again.' }
      throw problem
    } finally {
      if (mine === turn) loading.value = false
    }
  }

  async function loadMore({ side, edge, time }: MoreWanted) {
    if (side === 'after' || edge <= range().first) return
    const step = stretch * range().barSeconds * 1_000
    const start = Math.min(edge - step, (time ?? Infinity) - step / 10)
    await bring(Math.max(start, edge - mostAtOnce * range().barSeconds * 1_000), edge)
  }

  /** So that a trade can be seen. */
  async function reach(time: number) {
    while (part.value !== null && time < (part.value.bars.ts[0] ?? 0)) {
      const edge = part.value.bars.ts[0] ?? 0
      await loadMore({ side: 'before', edge, time })
      if ((part.value as ChartPart | null)?.bars.ts[0] === edge) return
    }
  }

  const bars = computed<Bars | null>(() => part.value?.bars ?? null)
  const indicators = computed(() => indicatorsOf(part.value))
  return { part, bars, indicators, loading, error, loadMore, reach, again: begin }
}

export function indicatorsOf(part: Pick<ChartPart, 'indicators'> | null): Indicator[] {
  return (part?.indicators ?? []).map(({ name, pane, levels, lines }) => {
    const named = Object.entries(lines)
    return {
      name, pane: pane === 'price' || pane === 'volume' ? pane : name, levels,
      lines: named.map(([line, values]) => ({ name: named.length === 1 ? name : `${name} ${line}`, values })),
    }
  })
}

/** Marks of the trades of a symbol, those within these times alone. */
export function marksOf(store: TradeStore, size: number, symbol: string, first: number, last: number, currency: string): Mark[] {
  const marks: Mark[] = []
  for (let row = 0; row < size; row += 1) {
    if (store.value('symbol', row) !== symbol) continue
    const trade = store.trade(row)
    if (Date.parse(trade.exitTime) < first || Date.parse(trade.entryTime) > last) continue
    marks.push(...marksOfTrade(trade, currency))
  }
  return marks
}

export function marksOfTrade(trade: Trade, currency: string): Mark[] {
  const common = { side: trade.side, tradeIndex: trade.number }
  const entry: Mark = { ...common, kind: 'entry', time: Date.parse(trade.entryTime), price: trade.entryPrice }
  if (trade.isOpen) return [entry]
  const exit: Mark = {
    ...common, kind: 'exit', time: Date.parse(trade.exitTime), price: trade.exitPrice, profit: trade.pnl,
    label: money(trade.pnl, currency, { signed: true }),
  }
  return [entry, exit]
}

function joined(older: ChartPart, newer: ChartPart): ChartPart {
  const edge = newer.bars.ts[0] ?? Infinity
  const kept = older.bars.ts.filter((ts) => ts < edge).length
  const join = <Value>(one: Value[], two: Value[]) => [...one.slice(0, kept), ...two]
  const names = ['ts', 'open', 'high', 'low', 'close', 'volume'] as const
  return {
    ...newer,
    bars: Object.fromEntries(names.map((name) => [name, join(older.bars[name], newer.bars[name])])) as ChartPart['bars'],
    indicators: newer.indicators.map((one, at) => ({
      ...one,
      lines: Object.fromEntries(Object.entries(one.lines).map(([name, values]) => {
        return [name, join(older.indicators[at]?.lines[name] ?? [], values)]
      })),
    })),
  }
}

function iso(milliseconds: number) {
  return new Date(milliseconds).toISOString()
}
