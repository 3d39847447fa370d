/** Entries, exits, stops and targets on the canvas: only those in view, however many there are. */
import type { IPrimitivePaneView, ISeriesPrimitive, PrimitiveHoveredItem, SeriesAttachedParameter, Time } from 'lightweight-charts'
import type { Colours } from './colours'
import { geometryOf } from './geometry'
import { layoutMarks, type Join, type MarkLayout, type Spot } from './markLayout'
import { noMarks, type MarkBook } from './marks'

type Canvas = CanvasRenderingContext2D
const near = 10

export class TradeMarks implements ISeriesPrimitive<Time> {
  private host: SeriesAttachedParameter<Time> | null = null
  private book: MarkBook = noMarks
  private selected: number | null = null
  private layout: MarkLayout = { spots: [], joins: [], isThinned: false }
  private readonly view: IPrimitivePaneView = {
    zOrder: () => 'top',
    renderer: () => ({
      draw: (target) => { target.useMediaCoordinateSpace(({ context, mediaSize }) => { this.draw(context, mediaSize.width) }) },
    }),
  }

  constructor(private colours: Colours) {}

  attached(host: SeriesAttachedParameter<Time>) { this.host = host }
  detached() { this.host = null }
  paneViews() { return [this.view] }

  show(book: MarkBook, selected: number | null, colours: Colours) {
    Object.assign(this, { book, selected, colours })
    this.host?.requestUpdate()
  }

  /** The trade whose mark lies under the pointer. */
  hitTest(x: number, y: number): PrimitiveHoveredItem | null {
    let [best, found] = [near, null as Spot | null]
    for (const spot of this.layout.spots) {
      const away = Math.hypot(spot.x - x, spot.y - y)
      if (away < best) [best, found] = [away, spot]
    }
    return found && { externalId: String(found.mark.tradeIndex), cursorStyle: 'pointer', zOrder: 'top' }
  }

  private draw(context: Canvas, width: number) {
    const geometry = this.host && geometryOf(this.host, width)
    if (geometry === null || this.book.marks.length === 0) { this.layout.spots = []; return }
    this.layout = layoutMarks(this.book, this.selected, geometry)
    for (const join of this.layout.joins) drawJoin(context, join, this.colours)
    for (const spot of this.layout.spots) drawSpot(context, spot, this.colours)
    for (const spot of this.layout.spots) if (spot.label !== '') drawLabel(context, spot, this.colours, width)
  }
}

function toneOf(profit: number, { gain, loss, muted }: Colours) {
  if (profit === 0) return muted
  return profit > 0 ? gain : loss
}

/** Whole for a gain, dashed for a loss, so that no eye depends on the colour. */
function drawJoin(context: Canvas, { from, to, profit, isSelected }: Join, colours: Colours) {
  context.beginPath()
  context.setLineDash(profit < 0 ? [4, 3] : [])
  context.lineWidth = isSelected ? 2.5 : 1.5
  context.strokeStyle = toneOf(profit, colours)
  context.moveTo(...from)
  context.lineTo(...to)
  context.stroke()
  context.setLineDash([])
}

function drawSpot(context: Canvas, { x, y, mark, isSelected }: Spot, colours: Colours) {
  const size = isSelected ? 7 : 5
  context.beginPath()
  shapes[mark.kind](context, x, y, size, mark.side === 'long' ? 1 : -1)
  context.lineJoin = 'round'
  context.strokeStyle = colours.surface
  context.lineWidth = 4
  context.stroke()
  const tone = mark.kind === 'entry' ? colours.accent : mark.kind === 'exit' ? toneOf(mark.profit ?? 0, colours) : colours.warn
  const isHollow = mark.kind === 'exit' && (mark.profit ?? 0) >= 0
  context.fillStyle = isHollow ? colours.surface : tone
  context.fill()
  context.strokeStyle = tone
  context.lineWidth = isHollow ? 2 : 1
  context.stroke()
  if (!isSelected) return
  context.beginPath()
  context.arc(x, y, 13, 0, 2 * Math.PI)
  context.strokeStyle = colours.text
  context.lineWidth = 1.5
  context.stroke()
}

type Shape = (context: Canvas, x: number, y: number, size: number, up: 1 | -1) => void

/** The tip of a triangle touches the price of the entry; a circle, a bar or a diamond lies on it. */
const shapes: Record<'entry' | 'exit' | 'stop' | 'target', Shape> = {
  entry: (context, x, y, size, up) => {
    context.moveTo(x, y)
    context.lineTo(x + size, y + up * size * 1.7)
    context.lineTo(x - size, y + up * size * 1.7)
    context.closePath()
  },
  exit: (context, x, y, size) => { context.arc(x, y, size * 0.8, 0, 2 * Math.PI) },
  stop: (context, x, y, size) => { context.rect(x - size, y - 1.5, size * 2, 3) },
  target: (context, x, y, size) => {
    context.moveTo(x, y - size)
    context.lineTo(x + size, y)
    context.lineTo(x, y + size)
    context.lineTo(x - size, y)
    context.closePath()
  },
}

function drawLabel(context: Canvas, { x, y, mark, label }: Spot, colours: Colours, room: number) {
  context.font = `500 11px ${getComputedStyle(context.canvas).fontFamily}`
  const width = context.measureText(label).width + 8
  const isAbove = (mark.side === 'long') === (mark.kind !== 'entry')
  const left = Math.min(Math.max(2, x - width / 2), room - width - 2)
  const top = isAbove ? y - 28 : y + 14
  context.beginPath()
  context.roundRect(left, top, width, 16, 3)
  context.fillStyle = colours.raised
  context.fill()
  context.strokeStyle = colours.border
  context.lineWidth = 1
  context.stroke()
  context.fillStyle = mark.kind === 'exit' ? toneOf(mark.profit ?? 0, colours) : colours.text
  context.textBaseline = 'middle'
  context.fillText(label, left + 4, top + 8.5)
}
