/** Keeps the canvas in step with what the page gives: at most one drawing a frame, and the view stays where it was. */
import { computed, onScopeDispose, ref, shallowRef, toRaw, watch, type Ref } from 'vue'
import { useMediaQuery } from '../composables/useMediaQuery'
import { changedFrom, orderedBars, rhythmOf, tickOf, type OrderedBars } from './bars'
import { useColours, type Colours } from './colours'
import { arranged, type Arrangement } from './indicatorPanes'
import { markBook, type MarkBook } from './marks'
import { PriceCanvas } from './priceCanvas'
import { positionsOf, roomy, viewOf, type Positions } from './range'
import type { Bars, ChartView, Indicator, Mark, Scale } from './types'
import { keepView, keptView } from './viewStore'
import { momentText, zoneFor } from './zone'

export interface PriceChartGiven {
  bars: Bars
  indicators?: readonly Indicator[]
  marks?: readonly Mark[]
  tick?: number
  zone: string
  viewKey?: string
}

interface Drawn {
  bars: OrderedBars
  arrangement: Arrangement | null
  book: MarkBook | null
  chosen: number | null
  colours: Colours
}

const barsAtFirst = 160
const settledMilliseconds = 200

export function usePriceChart(
  given: Readonly<PriceChartGiven>, host: Readonly<Ref<HTMLElement | null>>, chosen: Ref<number | null>, view: Ref<ChartView | undefined>,
) {
  const bars = computed(() => orderedBars(toRaw(given.bars)))
  const rhythm = computed(() => rhythmOf(bars.value.ts))
  const zone = computed(() => zoneFor(rhythm.value, given.zone))
  const tick = computed(() => given.tick ?? tickOf(bars.value.close))
  const arrangement = computed(() => arranged(toRaw(given.indicators) ?? []))
  const book = computed(() => markBook(toRaw(given.marks) ?? [], bars.value.ts, rhythm.value))
  const first = view.value ?? keptView(given.viewKey)
  const scale = ref<Scale>(first?.scale ?? 'linear')
  const colours = useColours(host)
  const reducedMotion = useMediaQuery('(prefers-reduced-motion: reduce)')
  const canvas = shallowRef<PriceCanvas | null>(null)
  const at = ref<number | null>(null)
  const positions = shallowRef<Positions | null>(null)
  const paneTops = shallowRef<number[]>([])
  const moment = (milliseconds: number) => momentText(milliseconds, rhythm.value, zone.value)

  let drawn: Drawn | null = null
  let wantedView = first
  let frame = 0
  let settling: ReturnType<typeof setTimeout> | undefined

  const isDrawable = computed(() => host.value !== null && colours.value !== null && bars.value.ts.length > 0)
  watch([isDrawable, zone, rhythm], build, { flush: 'post', immediate: true })
  watch([bars, arrangement, book, chosen, colours, tick], schedule, { flush: 'post' })
  watch(scale, (now) => { canvas.value?.setScale(now); canvas.value?.fitPrices(); settle() })
  watch(view, (now) => { if (now !== undefined && now !== wantedView) apply(now) })
  onScopeDispose(leave)

  function build() {
    leave()
    if (!isDrawable.value || host.value === null || colours.value === null) return
    const setting = { zone: zone.value, rhythm: rhythm.value, reducedMotion: reducedMotion.value, mergesBars: true }
    canvas.value = new PriceCanvas(host.value, colours.value, setting, tick.value)
    canvas.value.setScale(scale.value)
    canvas.value.on({ move: pointAt, trade: (index) => { chosen.value = index }, range: ranged })
    draw()
  }

  function leave() {
    cancelAnimationFrame(frame)
    clearTimeout(settling)
    canvas.value?.remove()
    canvas.value = null
    drawn = null
  }

  function schedule() {
    cancelAnimationFrame(frame)
    frame = requestAnimationFrame(draw)
  }

  function draw() {
    const board = canvas.value
    if (board === null || colours.value === null) return
    const now: Drawn = { bars: bars.value, arrangement: arrangement.value, book: book.value, chosen: chosen.value, colours: colours.value }
    const from = drawn === null ? 0 : changedFrom(drawn.bars, now.bars) ?? 0
    const held = drawn !== null && from === 0 ? board.positions : null
    const kept = drawn === null || held === null ? wantedView : viewOf(held, drawn.bars.ts, rhythm.value, scale.value)
    const isRepaint = drawn !== null && drawn.colours !== now.colours
    if (isRepaint) board.paint(now.colours, now.arrangement ?? arrangement.value, now.bars)
    else if (from < now.bars.ts.length) board.showBars(now.bars, from)
    if (!isRepaint && (from < now.bars.ts.length || drawn?.arrangement !== now.arrangement)) {
      board.showIndicators(arrangement.value, now.bars, drawn?.arrangement === now.arrangement ? from : 0)
    }
    if (isRepaint || drawn?.book !== now.book || drawn.chosen !== now.chosen) board.showMarks(book.value, now.chosen)
    if (from === 0 && !(isRepaint && drawn?.bars === now.bars)) place(kept)
    drawn = now
    requestAnimationFrame(measure)
  }

  function place(kept: ChartView | null) {
    const { ts } = bars.value
    const last = ts.length - 1
    const found = kept === null ? null : positionsOf(kept, ts, rhythm.value)
    show(found ?? roomy(Math.max(0, last - barsAtFirst), last))
  }

  function apply(next: ChartView) {
    wantedView = next
    scale.value = next.scale
    if (canvas.value !== null) place(next)
  }

  function show(next: Positions) {
    if (canvas.value === null) return
    canvas.value.positions = next
    positions.value = next
    settle()
  }

  function ranged() {
    positions.value = canvas.value?.positions ?? null
    settle()
  }

  /** Kept once it has come to rest: a drag is one change, not a hundred. */
  function settle() {
    clearTimeout(settling)
    settling = setTimeout(() => {
      if (positions.value === null || drawn === null) return
      wantedView = viewOf(positions.value, drawn.bars.ts, rhythm.value, scale.value)
      view.value = wantedView
      keepView(given.viewKey, wantedView)
    }, settledMilliseconds)
  }

  function pointAt(logical: number | null) {
    at.value = logical === null ? null : Math.min(bars.value.ts.length - 1, Math.max(0, Math.round(logical)))
  }

  function measure() {
    const tops = canvas.value?.paneTops() ?? []
    if (tops.join() !== paneTops.value.join()) paneTops.value = tops
  }

  return { bars, rhythm, zone, tick, arrangement, book, scale, canvas, at, positions, paneTops, colours, moment, show, measure }
}

export type PriceChartState = ReturnType<typeof usePriceChart>
