/** How many bars must come before a strategy's first word can be trusted. */
import { integer } from '@/shared/format'

interface Warmup { warmup: number, longer_warmup: Record<string, number> }

/** As in "113 bars, and 51 of 1d". */
export function warmupWords({ warmup, longer_warmup: longer }: Warmup) {
  const others = Object.entries(longer).map(([timeframe, bars]) => `, and ${integer(bars)} of ${timeframe}`)
  return `${integer(warmup)} bars${others.join('')}`
}
