/** Made-up prices, indicators and trades for the charts on the component page; the same ones each time. */
import type { Bars, Indicator, Mark } from '../../shared/charts/types'

const hour = 3_600_000
const firstBar = Date.UTC(2024, 0, 2, 14)

/** A repeatable source of numbers from 0 up to 1. */
export function chance(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) / 0x800000
  }
}

/** A market with trends, quiet and wild stretches; in sessions it closes overnight and at weekends. */
export function sampleBars(count: number, { inSessions = false, seed = 20_261_127, step = hour } = {}): Required<Bars> {
  const next = chance(seed)
  const none = (): number[] => []
  const bars = { ts: none(), open: none(), high: none(), low: none(), close: none(), volume: none() }
  let [time, price, wildness] = [firstBar, 42_000, 0.004]
  for (let at = 0; at < count; at += 1) {
    wildness = Math.min(0.012, Math.max(0.002, wildness * (0.97 + next() * 0.06)))
    const drift = Math.sin(at / 260) * 0.0006 + 0.00004
    const open = price
    price = Math.max(50, price * (1 + drift + (next() + next() + next() - 1.5) * wildness))
    const [top, bottom] = [Math.max(open, price), Math.min(open, price)]
    const reach = price * wildness * 0.5
    bars.open.push(tenths(open))
    bars.high.push(tenths(top + next() * reach))
    bars.low.push(tenths(bottom - next() * reach))
    bars.close.push(tenths(price))
    bars.volume.push(Math.round(400 * (0.4 + next()) * (1 + Math.abs(price / open - 1) * 160)))
    bars.ts.push(time)
    time += step
    while (inSessions && isClosed(time)) time += step
  }
  return bars
}

const tenths = (value: number) => Math.round(value * 10) / 10

function isClosed(time: number) {
  const at = new Date(time)
  return at.getUTCHours() < 14 || at.getUTCHours() > 20 || at.getUTCDay() % 6 === 0
}

export function sampleIndicators({ close }: Required<Bars>): Indicator[] {
  const values = Array.from(close, (value) => value ?? Number.NaN)
  const [fast, slow] = [averageOf(values, 20), averageOf(values, 50)]
  const moves = values.map((value, at) => Math.abs(value - (values[at - 1] ?? value)))
  const spread = fast.map((value, at) => value - (slow[at] ?? Number.NaN))
  return [
    { name: 'Moving averages', pane: 'price', lines: [{ name: 'SMA 20', values: fast }, { name: 'SMA 50', values: slow }] },
    { name: 'RSI', pane: 'rsi', levels: [30, 70], scale: [0, 100], decimals: 1, lines: [{ name: 'RSI 14', values: strengthOf(values, 14) }] },
    { name: 'Spread', pane: 'spread', decimals: 1, lines: [
      { name: 'SMA 20 − SMA 50', values: spread, style: 'histogram' }, { name: 'Signal', values: averageOf(spread, 9) },
    ] },
    { name: 'Moves', pane: 'moves', decimals: 1, lines: [{ name: 'Mean move 14', values: averageOf(moves, 14) }] },
  ]
}

export function averageOf(values: readonly number[], length: number): number[] {
  let sum = 0
  let known = 0
  return values.map((value, at) => {
    if (Number.isFinite(value)) { sum += value; known += 1 }
    const gone = values[at - length]
    if (gone !== undefined && Number.isFinite(gone)) { sum -= gone; known -= 1 }
    return known < length ? Number.NaN : sum / length
  })
}

function strengthOf(values: readonly number[], length: number) {
  let [gain, loss] = [0, 0]
  return values.map((value, at) => {
    const move = value - (values[at - 1] ?? value)
    gain += (Math.max(0, move) - gain) / length
    loss += (Math.max(0, -move) - loss) / length
    return at < length || gain + loss === 0 ? Number.NaN : 100 * gain / (gain + loss)
  })
}

/** So many trades, one after the other, each with its stop. */
export function sampleMarks({ ts, close }: Required<Bars>, trades: number, seed = 7): Mark[] {
  const next = chance(seed)
  const room = ts.length / trades
  return Array.from({ length: trades }, (_, tradeIndex) => {
    const start = Math.floor((tradeIndex + 0.1) * room)
    const end = Math.min(ts.length - 1, Math.floor((tradeIndex + 0.3 + next() * 0.6) * room))
    const side = next() < 0.6 ? 'long' as const : 'short' as const
    const [entry, exit] = [close[start] ?? 0, close[end] ?? 0]
    const profit = Math.round((exit - entry) * (side === 'long' ? 1 : -1) * 10) / 100
    const common = { side, tradeIndex }
    const marks: Mark[] = [
      { ...common, kind: 'entry', time: ts[start] ?? 0, price: entry },
      { ...common, kind: 'exit', time: ts[end] ?? 0, price: exit, profit, label: `${profit < 0 ? '−' : '+'}$${Math.abs(Math.round(profit))}` },
    ]
    if (tradeIndex % 4 === 0) marks.push({ ...common, kind: 'stop', time: ts[start] ?? 0, price: entry * (side === 'long' ? 0.985 : 1.015) })
    return marks
  }).flat()
}
