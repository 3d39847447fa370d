/** A run in words. */
import type { Backtest, BacktestRow, RunWanted } from '@/api/backtests'

const mostNamed = 3

export function configOf({ config }: Pick<Backtest, 'config'>) {
  return config as unknown as RunWanted
}

/** `BTC/USDT, ETH/USDT, 1h, demo`. */
export function seriesWords({ symbols, timeframe, provider }: Pick<BacktestRow, 'symbols' | 'timeframe' | 'provider'>) {
  return `${symbolWords(symbols)}, ${timeframe}, ${provider === 'import' ? 'uploaded' : provider}`
}

export function symbolWords(symbols: readonly string[]) {
  const more = symbols.length - mostNamed
  return symbols.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
