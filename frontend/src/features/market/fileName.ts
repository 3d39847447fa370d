/** What an exported series is called in the folder of downloads. */
import type { FileKind } from '@/api/barFiles'
import type { Series } from '@/api/market'

export function fileNameOf({ provider, symbol, timeframe }: Pick<Series, 'provider' | 'symbol' | 'timeframe'>, kind: FileKind) {
  const plain = [provider, symbol, timeframe].map((part) => part.replaceAll(/[^A-Za-z0-9]/g, '_'))
  return `${plain.join('-')}.${kind}`
}
