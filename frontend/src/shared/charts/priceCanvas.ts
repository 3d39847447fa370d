/** The price chart on its canvas: candles, volume, indicators in panes, marks and breaks. It draws; what is drawn is decided outside. */
import {
  CandlestickSeries, HistogramSeries, LineSeries,
  type IPriceLine, type ISeriesApi, type LogicalRange, type MouseEventParams, type SeriesType,
} from 'lightweight-charts'
import { compact, price } from '../format'
import { breaksOf, lastWhole, takenBy, type OrderedBars } from './bars'
import { newChart, paint, type Setting, type TimeChart } from './chartOptions'
import { sheer, type Colours } from './colours'
import { shapeOf, valueText, type Arrangement, type PlacedLine } from './indicatorPanes'
import type { MarkBook } from './marks'
import { candleAt, candleLook, rowsFrom, secondsAt, signedRows, valueAt, volumeRows } from './priceSeries'
import type { Positions } from './range'
import { SessionBreaks } from './sessionBreaks'
import { TradeMarks } from './tradeMarks'
import type { Scale } from './types'

const scaleModes: Record<Scale, number> = { linear: 0, log: 1, percent: 2 }
const volumeShare = 0.18
const quiet = { lastValueVisible: false, priceLineVisible: false }

export class PriceCanvas {
  readonly chart: TimeChart
  private readonly candles: ISeriesApi<'Candlestick'>
  private readonly marks: TradeMarks
  private readonly breaks = new SessionBreaks()
  private latest: IPriceLine | null = null
  private volume: ISeriesApi<'Histogram'> | null = null
  private lines: ISeriesApi<SeriesType>[] = []
  private shape = ''
  private pending: Positions | null = null

  constructor(host: HTMLElement, private colours: Colours, private readonly setting: Setting, tick: number | undefined) {
    this.chart = newChart(host, colours, setting)
    const priceFormat = { type: 'custom' as const, minMove: tick ?? 0.01, formatter: (value: number) => price(value, tick) }
    this.candles = this.chart.addSeries(CandlestickSeries, { ...candleLook(colours), ...quiet, priceFormat })
    this.marks = new TradeMarks(colours)
    this.candles.attachPrimitive(this.marks)
    this.candles.attachPrimitive(this.breaks)
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => { this.pending = null })
  }

  /** Draws bars from one on; from the first means all anew. */
  showBars(bars: OrderedBars, from: number) {
    const count = bars.ts.length
    if (from === 0) this.candles.setData(rowsFrom(0, count, (at) => candleAt(bars, at)))
    else for (const row of rowsFrom(from, count, (at) => candleAt(bars, at))) this.candles.update(row)
    this.showVolume(bars, from)
    this.showLatest(bars)
    this.breaks.show(breaksOf(bars.ts, this.setting.rhythm), sheer(this.colours.control, 0.6))
  }

  showIndicators(arrangement: Arrangement, bars: OrderedBars, from: number) {
    const shape = shapeOf(arrangement)
    const isNew = shape !== this.shape
    if (isNew) this.build(arrangement)
    this.shape = shape
    arrangement.lines.forEach(({ line }, at) => {
      const series = this.lines[at]
      const values = takenBy(bars.order, line.values)
      const row = line.style === 'histogram'
        ? signedRows(bars.ts, values, this.colours)
        : (place: number) => valueAt(bars.ts, values, place)
      if (from === 0 || isNew) series?.setData(rowsFrom(0, bars.ts.length, row).filter((one) => 'value' in one))
      else for (const one of rowsFrom(from, bars.ts.length, row)) if ('value' in one) series?.update(one)
    })
  }

  showMarks(book: MarkBook, selected: number | null) {
    this.marks.show(book, selected, this.colours)
  }

  paint(colours: Colours, arrangement: Arrangement, bars: OrderedBars) {
    this.colours = colours
    paint(this.chart, colours)
    this.candles.applyOptions(candleLook(colours))
    this.shape = ''
    this.showBars(bars, 0)
    this.showIndicators(arrangement, bars, 0)
  }

  setScale(scale: Scale) {
    this.chart.priceScale('right', 0).applyOptions({ mode: scaleModes[scale] })
  }

  /** What is in view, also before the next frame has drawn it. */
  get positions(): Positions | null {
    return this.pending ?? this.chart.timeScale().getVisibleLogicalRange()
  }

  set positions(wanted: Positions | null) {
    if (wanted === null) return
    this.chart.timeScale().setVisibleLogicalRange(wanted)
    this.pending = wanted
  }

  showPrices(low: number, high: number) {
    this.chart.priceScale('right', 0).setVisibleRange({ from: low, to: high })
  }

  fitPrices() {
    this.chart.priceScale('right', 0).setAutoScale(true)
  }

  priceAt(y: number) { return this.candles.coordinateToPrice(y) }
  barAt(x: number) { return this.chart.timeScale().coordinateToLogical(x) }

  crosshairAt(bars: OrderedBars, at: number | null) {
    if (at === null) this.chart.clearCrosshairPosition()
    else this.chart.setCrosshairPosition(bars.close[at] ?? 0, secondsAt(bars.ts, at), this.candles)
  }

  /** Where each pane begins, in pixels from the top. */
  paneTops(): number[] {
    let top = 0
    return this.chart.panes().map((pane) => {
      const start = top
      top += pane.getHeight() + 1
      return start
    })
  }

  on(heard: { move: (at: number | null) => void, trade: (index: number) => void, range: () => void }) {
    this.chart.subscribeCrosshairMove(({ logical, point }: MouseEventParams) => {
      heard.move(point === undefined ? null : logical ?? null)
    })
    this.chart.subscribeClick(({ hoveredInfo, hoveredObjectId }: MouseEventParams) => {
      const id = hoveredObjectId ?? hoveredInfo?.objectId
      if (typeof id === 'string') heard.trade(Number(id))
    })
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range: LogicalRange | null) => { if (range !== null) heard.range() })
  }

  remove() { this.chart.remove() }

  /** The label on the axis: a hollow candle would give it the colour of the ground. */
  private showLatest(bars: OrderedBars) {
    const at = lastWhole(bars)
    if (at === null) return
    const [open, close] = [bars.open[at] ?? 0, bars.close[at] ?? 0]
    const look = { price: close, color: close >= open ? this.colours.gain : this.colours.loss, lineStyle: 1, lineWidth: 1 as const }
    if (this.latest === null) this.latest = this.candles.createPriceLine({ ...look, axisLabelVisible: true })
    else this.latest.applyOptions(look)
  }

  private showVolume(bars: OrderedBars, from: number) {
    if (bars.volume === undefined) {
      if (this.volume !== null) this.chart.removeSeries(this.volume)
      this.volume = null
      return
    }
    const isNew = this.volume === null
    this.volume ??= this.addVolume()
    const row = volumeRows(bars, this.colours)
    if (from === 0 || isNew) this.volume.setData(rowsFrom(0, bars.ts.length, row))
    else for (const one of rowsFrom(from, bars.ts.length, row)) this.volume.update(one)
  }

  private addVolume() {
    const priceFormat = { type: 'custom' as const, minMove: 0.01, formatter: compact }
    const volume = this.chart.addSeries(HistogramSeries, { ...quiet, priceScaleId: 'volume', priceFormat })
    this.chart.priceScale('volume', 0).applyOptions({ scaleMargins: { top: 1 - volumeShare, bottom: 0 } })
    this.chart.priceScale('right', 0).applyOptions({ scaleMargins: { top: 0.06, bottom: volumeShare + 0.04 } })
    return volume
  }

  private build(arrangement: Arrangement) {
    for (const series of this.lines) this.chart.removeSeries(series)
    this.lines = arrangement.lines.map((placed) => this.addLine(placed))
    this.chart.panes().forEach((pane, at) => { pane.setStretchFactor(at === 0 ? 4 : 1) })
  }

  private addLine({ indicator, line, pane, look }: PlacedLine): ISeriesApi<SeriesType> {
    const color = this.colours[look.token]
    const options = {
      color,
      priceScaleId: indicator.pane === 'volume' ? 'volume' : 'right',
      ...quiet,
      priceFormat: { type: 'custom' as const, minMove: 1e-8, formatter: (value: number) => valueText(value, indicator.decimals) },
      autoscaleInfoProvider: indicator.scale && boundsOf(indicator.scale),
    }
    const series: ISeriesApi<SeriesType> = line.style === 'histogram'
      ? this.chart.addSeries(HistogramSeries, options, pane)
      : this.chart.addSeries(LineSeries, { ...options, ...strokeOf(line.style, look.style) }, pane)
    const levels = indicator.lines[0] === line ? indicator.levels ?? [] : []
    for (const level of levels) {
      series.createPriceLine({ price: level, color: this.colours.control, lineStyle: 2, lineWidth: 1, axisLabelVisible: false })
    }
    return series
  }
}

function boundsOf([minValue, maxValue]: readonly [number, number]) {
  return () => ({ priceRange: { minValue, maxValue } })
}

function strokeOf(style: PlacedLine['line']['style'], standard: number) {
  const named = { dashed: 2, dotted: 1 }[style as string]
  return {
    lineWidth: 2 as const,
    lineStyle: named ?? standard,
    lineType: style === 'steps' ? 1 : 0,
    lineVisible: style !== 'points',
    pointMarkersVisible: style === 'points',
    crosshairMarkerVisible: false,
  }
}
