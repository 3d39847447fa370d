/** Loss curves as SVG paths, all folds on one scale so that they can be compared. */

/** The loss in what is learned from, and in the bars after it that decide when to stop. */
export type LossPoint = readonly [round: number, loss: number, stopLoss: number]
export type LossCurve = readonly [fold: number, points: readonly LossPoint[]]

export interface LossShape {
  fold: number
  learned: string
  stop: string
  round: number
  loss: number
  stopLoss: number
}

export interface LossScale {
  rounds: number
  low: number
  high: number
}

export function scaleOf(curves: readonly LossCurve[]): LossScale | null {
  const points = curves.flatMap(([, all]) => all)
  const losses = points.flatMap(([, loss, stop]) => [loss, stop])
  if (losses.length === 0) return null
  const [low, high] = [Math.min(...losses), Math.max(...losses)]
  return { rounds: Math.max(2, ...points.map(([round]) => round)), low, high: high > low ? high : low + 1e-6 }
}

export function shapeOf([fold, points]: LossCurve, { rounds, low, high }: LossScale, width: number, height: number): LossShape | null {
  const last = points.at(-1)
  if (last === undefined) return null
  const x = (round: number) => round1((round - 1) / (rounds - 1) * width)
  const y = (loss: number) => round1((high - loss) / (high - low) * height)
  const path = (pairs: (readonly [number, number])[]) => (pairs.length === 0 ? '' : `M${pairs.map(([round, loss]) => `${x(round)} ${y(loss)}`).join('L')}`)
  return {
    fold,
    learned: path(points.map(([round, loss]) => [round, loss] as const)),
    stop: path(points.map(([round, , stop]) => [round, stop] as const)),
    round: last[0], loss: last[1], stopLoss: last[2],
  }
}

function round1(number: number) {
  return Math.round(number * 10) / 10
}
