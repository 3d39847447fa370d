/** Candles and volume as the chart library wants them: hollow up and filled down, holes where something is missing. */
import type { CandlestickData, CandlestickStyleOptions, DeepPartial, HistogramData, LineData, UTCTimestamp, WhitespaceData } from 'lightweight-charts'
import { isNumber, isWhole } from './bars'
import { sheer, type Colours } from './colours'
import type { Bars, Column } from './types'

type Candle = CandlestickData<UTCTimestamp> | WhitespaceData<UTCTimestamp>
type Volume = HistogramData<UTCTimestamp> | WhitespaceData<UTCTimestamp>
type Value = LineData<UTCTimestamp> | WhitespaceData<UTCTimestamp>

export const secondsAt = (ts: readonly number[], at: number) => (ts[at] ?? 0) / 1_000 as UTCTimestamp

export function candleAt(bars: Bars, at: number): Candle {
  const time = secondsAt(bars.ts, at)
  if (!isWhole(bars, at)) return { time }
  const prices = [bars.open, bars.high, bars.low, bars.close].map((column) => column[at])
  const [open, high, low, close] = prices as [number, number, number, number]
  return { time, open, high, low, close }
}

/** Made once for all rows: there are tens of thousands of them. */
export function volumeRows(bars: Bars, colours: Colours): (at: number) => Volume {
  const [rising, falling] = [sheer(colours.gain, 0.28), sheer(colours.loss, 0.5)]
  return (at) => {
    const [time, value] = [secondsAt(bars.ts, at), bars.volume?.[at]]
    return isNumber(value) ? { time, value, color: isRising(bars, at) ? rising : falling } : { time }
  }
}

export function valueAt(ts: readonly number[], values: Column, at: number): Value {
  const [time, value] = [secondsAt(ts, at), values[at]]
  return isNumber(value) ? { time, value } : { time }
}

export function signedRows(ts: readonly number[], values: Column, colours: Colours): (at: number) => Value {
  const [above, below] = [sheer(colours.gain, 0.6), sheer(colours.loss, 0.9)]
  return (at) => {
    const row = valueAt(ts, values, at)
    return 'value' in row ? { ...row, color: row.value < 0 ? below : above } : row
  }
}

/** All rows from one on. */
export function rowsFrom<Row>(from: number, count: number, row: (at: number) => Row): Row[] {
  const rows: Row[] = []
  for (let at = from; at < count; at += 1) rows.push(row(at))
  return rows
}

function isRising({ open, close }: Bars, at: number) {
  return (close[at] ?? 0) >= (open[at] ?? 0)
}

export function candleLook({ surface, gain, loss }: Colours): DeepPartial<CandlestickStyleOptions> {
  return {
    upColor: surface, borderUpColor: gain, wickUpColor: gain, downColor: loss, borderDownColor: loss, wickDownColor: loss,
  }
}
