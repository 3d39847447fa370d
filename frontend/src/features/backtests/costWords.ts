/** What a run's costs come to, in words: one way in and out at the market, and the same per year of trading. */
import { bps, money, percent } from '@/shared/format'

export interface Costs {
  taker: number
  slippage: number
  spread: number
}

/** Of what is traded, there and back: both sides pay the fee, the slippage, and half of the spread. */
export function roundTripBps({ taker, slippage, spread }: Costs) {
  return 2 * (taker + slippage + spread / 2)
}

export function costSentence(costs: Costs, cash: number): string {
  const total = roundTripBps(costs)
  if (Object.values(costs).some((cost) => cost < 0)) return 'No cost lies below 0. What trading costs is told here once none does.'
  if (total === 0) return 'Trading is free here. No market is: results will look better than they can be.'
  const often = 100
  const kept = (1 - total / 20_000) ** (2 * often)
  return `In and out at the market costs ${bps(total)} of what is traded: ${money(cash * total / 10_000, '')} on ${money(cash, '')}. `
    + `${often} such trades with all of the account would cost ${percent(1 - kept, 0)} of it.`
}
