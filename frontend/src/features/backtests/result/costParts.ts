/** What a run paid, part by part: as money, in bps of what was traded, and as a share of the profit before costs. */
import type { Band, Figures, RunConfig } from '@/api/backtestResults'
import { decimalsOf } from '@/shared/format'
import { numberIn } from './statistics'

export interface CostPart {
  name: string
  about: string
  money: number | null
  /** Of all that was bought and sold. */
  bps: number | null
  /** Of the profit before costs; null without one. */
  share: number | null
}

export interface Costs {
  parts: CostPart[]
  total: CostPart
  /** What the account gained before and after costs; what is still open counts at its last price. */
  gross: number | null
  gain: number | null
  /** Of the gain: what closed trades earned, and what open ones stand at. Null when nothing is open. */
  closed: number | null
  open: number | null
  traded: number | null
}

/** `traded` is what was bought and sold in all, if somebody has added it up. */
export function costsOf(figures: Figures, config: RunConfig, traded: number | null, currency: string): Costs {
  const shown = (amount: number) => asShown(amount, currency)
  const [fees = 0, slippage = 0, financing = 0] = ['fees', 'slippage', 'financing'].map((name) => shown(numberIn(figures, name) ?? 0))
  const paid = shown(fees + slippage + financing)
  const [start, end] = [numberIn(figures, 'start_equity'), numberIn(figures, 'end_equity')]
  const gain = start === null || end === null ? null : shown(end - start)
  const gross = gain === null ? null : shown(gain + paid)
  const hasOpen = (numberIn(figures, 'open_trades') ?? 0) > 0
  const closed = hasOpen ? shown(numberIn(figures, 'net_profit') ?? 0) : null
  const { costs } = config.trading
  const part = (name: string, about: string, money: number | null): CostPart => ({
    name, about, money,
    bps: money === null || traded === null || traded === 0 ? null : money / traded * 10_000,
    share: money === null || gross === null || gross <= 0 ? null : money / gross,
  })
  return {
    parts: [
      part('Fees', `${costs.taker_bps ?? 0} bps for market orders and stops, ${costs.maker_bps ?? 0} bps for limits and targets`, fees),
      part('Slippage, spread and impact', slippageWords(costs), slippage),
      part('Interest', `${costs.borrow_percent_a_year ?? 0} % a year on what is sold short or owed`, financing),
    ],
    total: part('All costs', '', paid),
    gross, gain, closed,
    open: gain === null || closed === null ? null : shown(gain - closed),
    traded,
  }
}

/** As it is shown, so that what is added up on the page adds up. */
function asShown(amount: number, currency: string) {
  const unit = 10 ** decimalsOf(currency)
  return Math.round(amount * unit) / unit
}

function slippageWords(costs: Record<string, number>) {
  const parts = [
    ...(costs.slippage_bps ? [`${costs.slippage_bps} bps slippage`] : []),
    ...(costs.spread_bps ? [`half of a spread of ${costs.spread_bps} bps`] : []),
    ...(costs.impact_bps ? [`impact of ${costs.impact_bps} bps at the bar's whole volume`] : []),
  ]
  return parts.length === 0 ? 'None was supposed' : parts.join(', ')
}

/** The return with costs once, twice and three times as high, under the filling that the run supposed. */
export function costBand(band: readonly Band[], mode: string): Band[] {
  const own = band.filter((one) => one.mode === mode)
  return [...new Map(own.map((one) => [one.cost_times, one])).values()].sort((one, two) => one.cost_times - two.cost_times)
}
