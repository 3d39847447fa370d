/** What the numbers of a card mean, in a sentence each: weak and missing signal is said, not dressed up. */
import type { Interval, Metrics, ModelCard } from '@/api/modelCards'
import { bps, change, fixed, integer, percent } from '@/shared/format'
import { isTellable } from '../modelWords'

export type Tone = 'gain' | 'loss' | 'muted'

/** Above or below what means nothing by more than chance; else neither. */
export function toneOf(interval: Interval, nothing: number): Tone {
  if (interval.low !== null && interval.low > nothing) return 'gain'
  return interval.high !== null && interval.high < nothing ? 'loss' : 'muted'
}

export function aucSentence(auc: Interval) {
  if (auc.value === null || auc.low === null || auc.high === null) return 'Too few bars to tell.'
  if (!isTellable(auc, 0.5)) return 'Its interval holds 0.5, which is a coin: no signal that could be told from chance.'
  if (auc.high < 0.5) return 'Below 0.5, which is a coin: it was wrong more often than chance would be.'
  return `Of a bar before a rise and one before a fall it names the right one ${percent(auc.value, 1)} of the time; a coin has 50%.`
}

export function icSentence(ic: Interval) {
  if (ic.value === null || ic.low === null || ic.high === null) return 'Too few bars to tell.'
  if (!isTellable(ic, 0)) return 'Its interval holds 0: what it expects and what came have nothing provable in common.'
  return ic.high < 0 ? 'Below 0: what it expects and what came point apart.' : 'What it expects and what came go together, by more than chance.'
}

/** A forecast that always says the base rate has this log loss; lower is better. */
export function lossSentence(pooled: Metrics, baselines: ModelCard['baselines']) {
  const base = baselines.find(({ name }) => name === 'base_rate')?.metrics.log_loss
  if (pooled.log_loss === null || base === null || base === undefined) return 'Lower is better.'
  const saved = base - pooled.log_loss
  return saved > 0
    ? `Always saying the base rate has ${fixed(base, 4)}: it is ${percent(saved / base, 2)} better.`
    : `Always saying the base rate has ${fixed(base, 4)}: it is no better than that.`
}

/** What the best tenth made after costs. */
export function costSentence({ deciles, spec }: Pick<ModelCard, 'deciles' | 'spec'>) {
  const best = deciles.reduce<ModelCard['deciles'][number] | null>((most, one) => {
    return (one.after_costs ?? -Infinity) > (most?.after_costs ?? -Infinity) ? one : most
  }, null)
  if (best === null || best.after_costs === null) return 'Too few bars to tell.'
  const cost = `${bps(spec.cost_bps)} an order`
  return best.after_costs > 0
    ? `The best tenth, number ${integer(best.decile)}, made ${change(best.after_costs, 3)} a trade after ${cost}.`
    : `No tenth made money after ${cost}: the best one made ${change(best.after_costs, 3)} a trade.`
}

/** How much of a hit rate may be luck, at 90%. Nothing where there is nothing, or where luck matters little. */
export function luckSentence(scored: number) {
  const swing = 1.645 * Math.sqrt(0.25 / scored)
  if (scored === 0 || scored >= 400) return ''
  return `Of ${integer(scored)} scored ${scored === 1 ? 'prediction' : 'predictions'}, luck alone moves the hit rate by `
    + `${percent(swing, 0)} either way. ${scored < 100 ? 'Do not read much into it yet.' : 'Read it with that in mind.'}`
}
