/** A view kept in this tab, so that a reload shows the same stretch. */
import type { ChartView } from './types'

const prefix = 'tidemark.chart.'
const scales = ['linear', 'log', 'percent']

export function keptView(key: string | undefined): ChartView | null {
  if (key === undefined) return null
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(prefix + key) ?? 'null')
    return isView(found) ? found : null
  } catch {
    return null
  }
}

export function keepView(key: string | undefined, view: ChartView) {
  if (key === undefined) return
  try {
    sessionStorage.setItem(prefix + key, JSON.stringify(view))
  } catch {
    // Storage may be full or forbidden: the view then holds until the page is closed.
  }
}

export function dropView(key: string | undefined) {
  if (key === undefined) return
  try {
    sessionStorage.removeItem(prefix + key)
  } catch {
    // Where storage is forbidden there is nothing to drop.
  }
}

function isView(value: unknown): value is ChartView {
  if (typeof value !== 'object' || value === null) return false
  const { from, to, scale, follows } = value as Record<string, unknown>
  const isStretch = Number.isFinite(from) && Number.isFinite(to) && (from as number) < (to as number)
  return isStretch && scales.includes(scale as string) && typeof follows === 'boolean'
}
