/** A dotted line before each bar that follows a break. Bars stand side by side, so without it nobody sees the night. */
import type { IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time } from 'lightweight-charts'
import { geometryOf } from './geometry'
import { firstAt } from './range'

const leastRoom = 24

export class SessionBreaks implements ISeriesPrimitive<Time> {
  private host: SeriesAttachedParameter<Time> | null = null
  private breaks: readonly number[] = []
  private colour = ''
  private readonly view: IPrimitivePaneView = {
    zOrder: () => 'bottom',
    renderer: () => ({
      draw: (target) => {
        target.useMediaCoordinateSpace(({ context, mediaSize }) => { this.draw(context, mediaSize.width, mediaSize.height) })
      },
    }),
  }

  attached(host: SeriesAttachedParameter<Time>) { this.host = host }
  detached() { this.host = null }
  paneViews() { return [this.view] }

  show(breaks: readonly number[], colour: string) {
    Object.assign(this, { breaks, colour })
    this.host?.requestUpdate()
  }

  private draw(context: CanvasRenderingContext2D, width: number, height: number) {
    const geometry = this.host && geometryOf(this.host, width)
    if (geometry === null) return
    const [from, to] = [firstAt(this.breaks, geometry.first), firstAt(this.breaks, geometry.last + 1)]
    if ((to - from) * leastRoom > width) return
    context.beginPath()
    context.setLineDash([2, 3])
    context.strokeStyle = this.colour
    context.lineWidth = 1
    for (const bar of this.breaks.slice(from, to)) {
      const x = Math.round(geometry.x(bar - 0.5)) + 0.5
      context.moveTo(x, 0)
      context.lineTo(x, height)
    }
    context.stroke()
    context.setLineDash([])
  }
}
