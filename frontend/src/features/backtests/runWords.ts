/** A run in words, and where it is made anew. */
import type { Backtest, BacktestRow, RunWanted } from '@/api/backtests'
import { isStudy } from '@/api/studies'

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

/** Where the form is filled in from a backtest: from a study as that study. */
export function cloneOf({ id, kind }: { id: string, kind: Backtest['kind'] }) {
  return { name: 'backtests', params: { id: 'new' }, query: { from: id, ...(isStudy(kind) ? { mode: kind } : {}) } }
}
