/** What one click on an empty catalogue brings. */
import { startFetch, type Wanted } from '@/api/market'

const years = 2
const beginnings: Pick<Wanted, 'symbol' | 'timeframe'>[] = [
  { symbol: 'BTC/USDT', timeframe: '1h' },
  { symbol: 'ETH/USDT', timeframe: '1h' },
  { symbol: 'AAPL', timeframe: '1d' },
]

export function demoMarket(now: Date): Wanted[] {
  const start = new Date(Date.UTC(now.getUTCFullYear() - years, now.getUTCMonth(), 1)).toISOString()
  return beginnings.map((one) => ({ provider: 'demo', adjustment: 'raw', ...one, start }))
}

export async function downloadDemoMarket(now: Date) {
  await Promise.all(demoMarket(now).map((wanted) => startFetch(wanted)))
}
