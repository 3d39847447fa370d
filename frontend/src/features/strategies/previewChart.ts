/** A preview in the shapes of the chart and of the table of signals. */
import type { StrategyPreview } from '@/api/strategies'

export interface SignalRow {
  ts: number
  side: 'long' | 'short' | 'flat'
  close: number
  reason: string
  stops: string
}

export interface SignalMark {
  time: number
  price: number
  kind: 'entry' | 'exit'
  side: 'long' | 'short'
  tradeIndex: number
}

const stopNames = { stop_percent: 'stop', target_percent: 'target', trail_percent: 'trailing stop' } as const

export function signalRows({ signals, reasons }: StrategyPreview): SignalRow[] {
  return signals.ts.map((ts, row) => {
    const code = signals.reason[row]
    const stops = Object.entries(stopNames).flatMap(([name, word]) => {
      const percent = signals[name as keyof typeof stopNames]?.[row]
      return typeof percent === 'number' ? [`${word} ${percent} %`] : []
    })
    return {
      ts, side: signals.side[row] as SignalRow['side'], close: signals.close[row] ?? 0,
      reason: typeof code === 'number' ? reasons[code] ?? '' : '', stops: stops.join(', '),
    }
  })
}

/** Where a position begins and ends by the signals alone: stops and targets may end it sooner. */
export function signalMarks(rows: readonly SignalRow[]): SignalMark[] {
  const marks: SignalMark[] = []
  let held: 'long' | 'short' | null = null
  let trade = -1
  for (const { ts: time, close: price, side } of rows) {
    if (side === held) continue
    if (held !== null) marks.push({ time, price, kind: 'exit', side: held, tradeIndex: trade })
    if (side !== 'flat') {
      trade += 1
      marks.push({ time, price, kind: 'entry', side, tradeIndex: trade })
    }
    held = side === 'flat' ? null : side
  }
  return marks
}

/** The lines of one indicator together, as it was declared. */
export function chartIndicators({ lines }: StrategyPreview) {
  const gathered = new Map<string, { name: string, pane: string, levels: number[], lines: { name: string, values: (number | null)[] }[] }>()
  for (const { indicator, parameters, pane, levels, output, values } of lines) {
    const name = [indicator.toUpperCase().replaceAll('_', ' '), ...(Object.keys(parameters).length > 0 ? [`(${Object.values(parameters).join(', ')})`] : [])].join(' ')
    const known = gathered.get(name) ?? { name, pane: pane === 'own' ? name : pane, levels, lines: [] }
    known.lines.push({ name: output === indicator ? name : `${name} ${output.replaceAll('_', ' ')}`, values })
    gathered.set(name, known)
  }
  return [...gathered.values()]
}

export function signalCounts(rows: readonly SignalRow[]) {
  const count = (side: SignalRow['side']) => rows.filter((row) => row.side === side).length
  return { long: count('long'), short: count('short'), flat: count('flat') }
}
