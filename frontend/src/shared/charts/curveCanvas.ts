/** Curves of value on a canvas, their drawdowns in a pane beneath. */
import { AreaSeries, LineSeries, type ISeriesApi, type LogicalRange, type MouseEventParams, type SeriesType } from 'lightweight-charts'
import { compact, percent } from '../format'
import { newChart, paint, type Setting, type TimeChart } from './chartOptions'
import { seriesLook, sheer, type Colours } from './colours'
import { valueBy, type AlignedCurves } from './curves'
import { rowsFrom, secondsAt, valueAt } from './priceSeries'
import type { Positions } from './range'
import type { Column, Curve, Scale, ValueKind } from './types'
import { axisWords } from './valueWords'

const scaleModes: Record<Scale, number> = { linear: 0, log: 1, percent: 2 }

export interface CurveSetting extends Setting {
  kind: ValueKind
  drawdown: boolean
  /** Names at the ends of the lines; on a narrow screen they would cover them. */
  isLabelled: boolean
}

export class CurveCanvas {
  readonly chart: TimeChart
  private readonly values: ISeriesApi<SeriesType>[]
  private readonly drawdowns: ISeriesApi<SeriesType>[]
  private pending: Positions | null = null

  constructor(host: HTMLElement, curves: readonly Curve[], colours: Colours, setting: CurveSetting) {
    this.chart = newChart(host, colours, setting)
    this.values = curves.map((curve, at) => this.chart.addSeries(LineSeries, valueLook(curve, at, curves.length, colours, setting)))
    this.drawdowns = setting.drawdown ? curves.map((curve, at) => this.addDrawdown(curve, at, curves.length, colours)) : []
    this.chart.panes().forEach((pane, at) => { pane.setStretchFactor(at === 0 ? 3 : 1) })
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => { this.pending = null })
  }

  show({ ts, columns, drawdowns }: AlignedCurves, from: number) {
    columns.forEach((column, at) => { draw(this.values[at], ts, column, from) })
    drawdowns.forEach((column, at) => { draw(this.drawdowns[at], ts, column, from) })
  }

  paint(curves: readonly Curve[], colours: Colours, setting: CurveSetting) {
    paint(this.chart, colours)
    curves.forEach((curve, at) => {
      this.values[at]?.applyOptions(valueLook(curve, at, curves.length, colours, setting))
      this.drawdowns[at]?.applyOptions(drawdownLook(curve, at, curves.length, colours))
    })
  }

  setScale(scale: Scale) { this.chart.priceScale('right', 0).applyOptions({ mode: scaleModes[scale] }) }
  fitPrices() { this.chart.priceScale('right', 0).setAutoScale(true) }
  showPrices(low: number, high: number) { this.chart.priceScale('right', 0).setVisibleRange({ from: low, to: high }) }
  priceAt(y: number) { return this.values[0]?.coordinateToPrice(y) ?? null }
  barAt(x: number) { return this.chart.timeScale().coordinateToLogical(x) }

  get positions(): Positions | null { return this.pending ?? this.chart.timeScale().getVisibleLogicalRange() }
  set positions(wanted: Positions | null) {
    if (wanted === null) return
    this.chart.timeScale().setVisibleLogicalRange(wanted)
    this.pending = wanted
  }

  crosshairAt({ ts, columns }: AlignedCurves, at: number | null) {
    const [series] = this.values
    if (at === null || series === undefined) this.chart.clearCrosshairPosition()
    else this.chart.setCrosshairPosition(valueBy(columns[0] ?? [], at) ?? 0, secondsAt(ts, at), series)
  }

  on(heard: { move: (at: number | null) => void, range: () => void }) {
    this.chart.subscribeCrosshairMove(({ logical, point }: MouseEventParams) => {
      heard.move(point === undefined ? null : logical ?? null)
    })
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range: LogicalRange | null) => { if (range !== null) heard.range() })
  }

  remove() { this.chart.remove() }

  private addDrawdown(curve: Curve, at: number, count: number, colours: Colours): ISeriesApi<SeriesType> {
    const look = drawdownLook(curve, at, count, colours)
    return count === 1 ? this.chart.addSeries(AreaSeries, look, 1) : this.chart.addSeries(LineSeries, look, 1)
  }
}

function draw(series: ISeriesApi<SeriesType> | undefined, ts: readonly number[], column: Column, from: number) {
  const rows = rowsFrom(from, ts.length, (at) => valueAt(ts, column, at))
  if (from === 0) series?.setData(rows)
  else for (const row of rows) series?.update(row)
}

function valueLook({ name, isBenchmark }: Curve, at: number, count: number, colours: Colours, { kind, isLabelled }: CurveSetting) {
  const look = seriesLook(at)
  const formatter = kind === 'money' || kind === 'number' ? compact : (value: number) => axisWords(value, kind)
  return {
    color: isBenchmark ? colours.muted : colours[look.token],
    lineStyle: isBenchmark ? 1 as const : look.style,
    lineWidth: 2 as const,
    title: isLabelled && count > 1 ? shortened(name) : '',
    lastValueVisible: count === 1 || isLabelled,
    priceLineVisible: false,
    priceFormat: { type: 'custom' as const, minMove: 1e-8, formatter },
  }
}

function drawdownLook({ isBenchmark }: Curve, at: number, count: number, colours: Colours) {
  const look = seriesLook(at)
  const shade = sheer(colours.loss, 0.28)
  return {
    ...(count === 1 ? { lineColor: colours.loss, topColor: shade, bottomColor: shade, invertFilledArea: true } : {}),
    color: isBenchmark ? colours.muted : colours[look.token],
    lineStyle: isBenchmark ? 1 as const : look.style,
    lineWidth: 1 as const,
    lastValueVisible: false,
    priceLineVisible: false,
    crosshairMarkerVisible: false,
    priceFormat: { type: 'custom' as const, minMove: 1e-6, formatter: (value: number) => percent(value, 1) },
  }
}

function shortened(name: string) {
  return name.length > 18 ? `${name.slice(0, 17)}…` : name
}
