/** How every chart on a canvas looks and moves: the tokens of the look, our numbers, the reader's time zone. */
import { createChartEx, type DeepPartial, type IChartApiBase, type TickMarkType, type Time, type TimeChartOptions } from 'lightweight-charts'
import { change } from '../format'
import { sheer, type Colours } from './colours'
import { momentText, tickText, ZonedScale } from './zone'

export type TimeChart = IChartApiBase<Time>

export interface Setting {
  zone: string
  /** Milliseconds between two bars. */
  rhythm: number
  reducedMotion: boolean
  /** Bars closer than a pixel are merged; of a line that would leave out its peaks and its end. */
  mergesBars?: boolean
}

const milliseconds = (time: Time) => (time as number) * 1_000

export function newChart(host: HTMLElement, colours: Colours, { zone, rhythm, reducedMotion, mergesBars = false }: Setting): TimeChart {
  const options: DeepPartial<TimeChartOptions> = {
    ...paintOf(colours),
    autoSize: true,
    localization: {
      timeFormatter: (time: Time) => momentText(milliseconds(time), rhythm, zone),
      percentageFormatter: (percent: number) => change(percent / 100),
    },
    timeScale: {
      borderColor: colours.border,
      timeVisible: rhythm < 86_400_000,
      secondsVisible: rhythm < 60_000,
      minBarSpacing: 0.005,
      enableConflation: mergesBars,
      lockVisibleTimeRangeOnResize: true,
      tickMarkFormatter: (time: Time, type: TickMarkType) => tickText(milliseconds(time), type, zone),
    },
    rightPriceScale: { borderColor: colours.border, minimumWidth: 56 },
    // A finger that moves up or down scrolls the page.
    handleScroll: { vertTouchDrag: false },
    kineticScroll: { touch: !reducedMotion, mouse: false },
  }
  return createChartEx<Time, ZonedScale>(host, new ZonedScale(zone), options)
}

export function paint(chart: TimeChart, colours: Colours) {
  chart.applyOptions({
    ...paintOf(colours), timeScale: { borderColor: colours.border }, rightPriceScale: { borderColor: colours.border },
  } satisfies DeepPartial<TimeChartOptions>)
}

function paintOf({ surface, muted, border, control }: Colours): DeepPartial<TimeChartOptions> {
  const line = { color: control, labelBackgroundColor: muted }
  return {
    layout: {
      background: { color: surface },
      textColor: muted,
      fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      // Its own logo brings a style sheet that the content security policy refuses; ChartCredit names and links the maker.
      attributionLogo: false,
      panes: { separatorColor: border, separatorHoverColor: sheer(control, 0.3) },
    },
    grid: { vertLines: { color: sheer(border, 0.5) }, horzLines: { color: sheer(border, 0.5) } },
    crosshair: { mode: 0, vertLine: line, horzLine: line },
  }
}

/** The chart as a picture with its name over it, on its own ground. */
export function pictureOf(chart: TimeChart, title: string, colours: Colours): HTMLCanvasElement {
  const shot = chart.takeScreenshot(true, false)
  const ratio = shot.width / Math.max(1, chart.chartElement().clientWidth)
  const head = Math.round(32 * ratio)
  const picture = document.createElement('canvas')
  picture.width = shot.width
  picture.height = shot.height + head
  const context = picture.getContext('2d')
  if (context === null) return shot
  context.fillStyle = colours.surface
  context.fillRect(0, 0, picture.width, picture.height)
  context.fillStyle = colours.text
  context.font = `600 ${14 * ratio}px ${getComputedStyle(document.body).fontFamily}`
  context.textBaseline = 'middle'
  context.fillText(title, 12 * ratio, head / 2)
  context.drawImage(shot, 0, head)
  return picture
}

export function savePicture(picture: HTMLCanvasElement, name: string) {
  picture.toBlob((blob) => {
    if (blob === null) return
    const address = URL.createObjectURL(blob)
    const link = document.createElement('a')
    link.href = address
    link.download = `${name.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-|-$/g, '').toLowerCase() || 'chart'}.png`
    link.click()
    // Revoked at once, some browsers save an empty file.
    setTimeout(() => { URL.revokeObjectURL(address) }, 10_000)
  }, 'image/png')
}
