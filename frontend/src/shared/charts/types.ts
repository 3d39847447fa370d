/**
 * What the charts are given. They know no feature and fetch nothing: a page maps its answers to these shapes.
 *
 * Columns, not rows: 50,000 bars are six arrays. Times are milliseconds since 1970, ascending, one entry a bar; whatever
 * is no number (null, NaN) is missing and leaves a hole, it is never drawn as 0. Arrays are read, never changed. New data
 * is a new object: a chart compares it with the last one and, where only the end has grown, adds to what it shows.
 *
 *     <PriceChart label="BTC/USDT, 1 hour" :bars :indicators :marks v-model:trade="chosen" view-key="run-7" />
 *     <EquityChart label="Equity" :curves drawdown />
 *     <HeatMap label="Sharpe ratio" :grid v-model:selected="cell" />
 */

export type Column = ArrayLike<number | null>

export interface Bars {
  /** When each bar opens. */
  ts: readonly number[]
  open: Column
  high: Column
  low: Column
  close: Column
  volume?: Column
}

export type LineStyle = 'line' | 'dashed' | 'dotted' | 'steps' | 'points' | 'histogram'

export interface IndicatorLine {
  name: string
  /** As long as the bars. */
  values: Column
  style?: LineStyle
}

export interface Indicator {
  name: string
  /** `price`: over the candles. `volume`: over the volume. Any other word names a pane beneath; the same word shares it. */
  pane: string
  lines: readonly IndicatorLine[]
  /** Where its values mean something: 30 and 70 for an RSI. */
  levels?: readonly number[]
  /** Where all values lie, when they have bounds. */
  scale?: readonly [number, number]
  decimals?: number
}

export interface Mark {
  time: number
  price: number
  kind: 'entry' | 'exit' | 'stop' | 'target'
  side: 'long' | 'short'
  /** One trade's marks carry the same number; a line joins its entry and its exit. */
  tradeIndex: number
  /** Written beside it where there is room: `+$120.50`. */
  label?: string
  /** What the trade made, on its exit: its sign decides colour and stroke. */
  profit?: number | null
}

export type Scale = 'linear' | 'log' | 'percent'

/** What is looked at, small enough for an address. It holds times and not positions, so more data does not move it. */
export interface ChartView {
  from: number
  to: number
  scale: Scale
  /** The newest bar is in view, and stays there when others follow. */
  follows: boolean
}

/** Bars outside of what is loaded: older than `time`, or around it when a date was asked for. */
export interface MoreWanted {
  side: 'before' | 'after'
  /** The edge of what is loaded. */
  edge: number
  /** The date that somebody wants to see, if that is why. */
  time?: number
}

export interface Curve {
  id: string
  name: string
  ts: readonly number[]
  values: Column
  /** Where somebody knows them better than these points tell: a thinned curve has lost peaks. */
  drawdowns?: Column
  /** Something to compare with, not a result: drawn muted and dotted. */
  isBenchmark?: boolean
}

export type ValueKind = 'money' | 'ratio' | 'percent' | 'number'

export interface Bar {
  name: string
  value: number | null
}

export interface Bin {
  from: number
  to: number
  count: number
}

export interface Reference {
  name: string
  value: number
}

/** A month's return as a fraction; null where nothing was traded. */
export interface MonthReturn {
  year: number
  /** 1 to 12. */
  month: number
  value: number | null
}

export interface Grid {
  x: { name: string, values: readonly (number | string)[] }
  y: { name: string, values: readonly (number | string)[] }
  /** Row by row: `values[y][x]`. */
  values: readonly (readonly (number | null)[])[]
}

export interface GridCell {
  x: number
  y: number
}
