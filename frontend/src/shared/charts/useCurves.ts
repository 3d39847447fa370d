/** Keeps the canvas of curves in step with what the page gives: at most one drawing a frame, the view stays where it was. */
import { computed, onScopeDispose, ref, shallowRef, toRaw, watch, type Ref } from 'vue'
import { useMediaQuery } from '../composables/useMediaQuery'
import { rhythmOf } from './bars'
import { useColours, type Colours } from './colours'
import { CurveCanvas, type CurveSetting } from './curveCanvas'
import { alignedCurves, grownFrom, mostCurves, type AlignedCurves } from './curves'
import { coversAll, positionsOf, roomy, viewOf, type Positions } from './range'
import type { ChartView, Curve, Scale, ValueKind } from './types'
import { dropView, keepView, keptView } from './viewStore'
import { momentText, zoneFor } from './zone'

export interface CurvesGiven {
  curves: readonly Curve[]
  kind: ValueKind
  drawdown: boolean
  zone: string
  viewKey?: string
}

const settledMilliseconds = 200
const roomForNames = 0.14

export function useCurves(given: Readonly<CurvesGiven>, host: Readonly<Ref<HTMLElement | null>>, view: Ref<ChartView | undefined>) {
  const curves = computed(() => toRaw(given.curves).slice(0, mostCurves))
  const aligned = computed(() => alignedCurves(curves.value))
  const rhythm = computed(() => rhythmOf(aligned.value.ts))
  const zone = computed(() => zoneFor(rhythm.value, given.zone))
  const isWide = useMediaQuery('(width >= 40rem)')
  const reducedMotion = useMediaQuery('(prefers-reduced-motion: reduce)')
  const colours = useColours(host)
  const canvas = shallowRef<CurveCanvas | null>(null)
  const at = ref<number | null>(null)
  const positions = shallowRef<Positions | null>(null)
  const moment = (milliseconds: number) => momentText(milliseconds, rhythm.value, zone.value)
  let wantedView = view.value ?? keptView(given.viewKey)
  const scale = ref<Scale>(wantedView?.scale ?? 'linear')
  const setting = computed<CurveSetting>(() => ({
    zone: zone.value,
    rhythm: rhythm.value,
    reducedMotion: reducedMotion.value,
    kind: given.kind,
    drawdown: given.drawdown,
    isLabelled: isWide.value,
  }))

  let drawn: { aligned: AlignedCurves, colours: Colours } | null = null
  let frame = 0
  let settling: ReturnType<typeof setTimeout> | undefined

  const isDrawable = computed(() => host.value !== null && colours.value !== null && aligned.value.ts.length > 0)
  // Other lines, or a step that only now can be told, take a new canvas; growing ones do not.
  const shape = computed(() => JSON.stringify([curves.value.map(({ id, name, isBenchmark }) => [id, name, isBenchmark]), setting.value]))
  watch([isDrawable, shape], build, { flush: 'post', immediate: true })
  watch([aligned, colours], schedule, { flush: 'post' })
  watch(scale, (now) => { canvas.value?.setScale(now); canvas.value?.fitPrices(); settle() })
  watch(view, (now) => {
    if (now === undefined || now === wantedView) return
    wantedView = now
    scale.value = now.scale
    place(now)
  })
  onScopeDispose(leave)

  function build() {
    if (canvas.value?.positions && drawn !== null) wantedView = viewOf(canvas.value.positions, drawn.aligned.ts, rhythm.value, scale.value)
    leave()
    if (!isDrawable.value || host.value === null || colours.value === null) return
    canvas.value = new CurveCanvas(host.value, curves.value, colours.value, setting.value)
    canvas.value.setScale(scale.value)
    canvas.value.on({ move: pointAt, range: ranged })
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
    const now = { aligned: aligned.value, colours: colours.value }
    if (drawn !== null && drawn.colours !== now.colours) board.paint(curves.value, now.colours, setting.value)
    if (drawn?.aligned !== now.aligned) {
      const from = grownFrom(drawn?.aligned ?? null, now.aligned) ?? 0
      const isWhole = drawn !== null && positions.value !== null && coversAll(positions.value, drawn.aligned.ts.length)
      board.show(now.aligned, from)
      if (drawn === null) place(wantedView)
      else if (isWhole) place(null) // one that shows all goes on to show all while it grows
    }
    drawn = now
  }

  function place(kept: ChartView | null) {
    const { ts } = aligned.value
    const room = isWide.value && curves.value.length > 1 ? roomForNames : undefined
    const found = kept === null ? null : positionsOf(kept, ts, rhythm.value)
    show(found === null || coversAll(found, ts.length) ? roomy(0, ts.length - 1, room) : found)
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

  function settle() {
    clearTimeout(settling)
    settling = setTimeout(() => {
      if (positions.value === null || drawn === null) return
      wantedView = viewOf(positions.value, drawn.aligned.ts, rhythm.value, scale.value)
      view.value = wantedView
      // One that shows all is what comes anyway; only what somebody chose is kept.
      const isChosen = scale.value !== 'linear' || !coversAll(positions.value, drawn.aligned.ts.length)
      if (isChosen) keepView(given.viewKey, wantedView)
      else dropView(given.viewKey)
    }, settledMilliseconds)
  }

  function pointAt(logical: number | null) {
    at.value = logical === null ? null : Math.min(aligned.value.ts.length - 1, Math.max(0, Math.round(logical)))
  }

  return { curves, aligned, rhythm, zone, colours, canvas, at, positions, scale, moment, show }
}
