/** Where in the form an error of a download belongs. */
import type { ApiError } from '@/api/client'

export type Field = 'provider' | 'symbol' | 'timeframe' | 'adjustment' | 'start' | 'end'

const fields: readonly Field[] = ['symbol', 'provider', 'timeframe', 'adjustment', 'start', 'end']
const fieldOfCode: Partial<Record<string, Field>> = { unknown_symbol: 'symbol', unknown_provider: 'provider' }

/** Null where it concerns the download as a whole. */
export function placeOf(error: ApiError): Field | null {
  return fieldOfCode[error.code] ?? fields.find((field) => error.problemOf(field) !== undefined) ?? null
}

/** `Did you mean 'BTC/USDT' or 'BTC/USDC'?` names what can be chosen instead. */
export function meantBy(error: ApiError): string[] {
  const [, names = ''] = error.code === 'unknown_symbol' ? error.detail.split('Did you mean ') : []
  return [...names.matchAll(/'([^']+)'/g)].map(([, name = '']) => name)
}
