/** Models in words: what they are asked, where they stand, and how far their numbers can be believed. */
import { Archive, CircleDot, CircleX, Crown, LoaderCircle, ShieldAlert, ShieldCheck, ShieldQuestionMark } from '@lucide/vue'
import type { Component } from 'vue'
import type { Interval } from '@/api/modelCards'
import type { ModelRow, ModelState, SeriesAsked } from '@/api/models'
import type { Tone } from '@/shared/components/Badge.vue'
import { fixed, integer, MISSING } from '@/shared/format'

export interface Look {
  word: string
  icon: Component
  tone: Tone
  spinning?: boolean
}

export const stateLooks: Record<ModelState | 'failed', Look> = {
  training: { word: 'Training', icon: LoaderCircle, tone: 'accent', spinning: true },
  candidate: { word: 'Candidate', icon: CircleDot, tone: 'neutral' },
  champion: { word: 'Champion', icon: Crown, tone: 'accent' },
  retired: { word: 'Retired', icon: Archive, tone: 'neutral' },
  failed: { word: 'Not trained', icon: CircleX, tone: 'error' },
}

export function lookOf({ state, task_state: task }: Pick<ModelRow, 'state' | 'task_state'>): Look {
  const isOver = task === 'failed' || task === 'cancelled'
  return stateLooks[state === 'training' && isOver ? 'failed' : state]
}

export function trustLook(isTrusted: boolean | null): Look {
  if (isTrusted === null) return { word: 'Unknown', icon: ShieldQuestionMark, tone: 'neutral' }
  return isTrusted ? { word: 'Trusted', icon: ShieldCheck, tone: 'gain' } : { word: 'Not trusted', icon: ShieldAlert, tone: 'warn' }
}

export function questionWords({ label, horizon }: Pick<ModelRow, 'label' | 'horizon'>) {
  const bars = `${integer(horizon)} ${horizon === 1 ? 'bar' : 'bars'}`
  return label === 'triple_barrier' ? `First barrier within ${bars}` : `Up after ${bars}`
}

/** `BTC/USDT, 1h, demo`. */
export function seriesWords({ symbol, timeframe, provider }: SeriesAsked) {
  return `${symbol}, ${timeframe}, ${provider === 'import' ? 'uploaded' : provider}`
}

/** `0.512 to 0.548`; empty where there is none. */
export function rangeWords(interval: Interval | null | undefined, decimals = 3) {
  const { low = null, high = null } = interval ?? {}
  return low === null || high === null ? '' : `${fixed(low, decimals)} to ${fixed(high, decimals)}`
}

/** `0.530 (0.512 to 0.548)`. */
export function intervalWords(interval: Interval | null | undefined, decimals = 3) {
  if (interval?.value === null || interval?.value === undefined) return MISSING
  const range = rangeWords(interval, decimals)
  return fixed(interval.value, decimals) + (range === '' ? '' : ` (${range})`)
}

/** What lies in the interval cannot be told from it. */
export function isTellable({ low, high }: Interval, nothing: number) {
  return low !== null && high !== null && (low > nothing || high < nothing)
}

/** `close_to_high_20` is read as words. */
export function featureWords(name: string) {
  return name.replaceAll('_', ' ')
}
