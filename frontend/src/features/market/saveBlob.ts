/** A file that came from the server, into the folder of downloads. */
import type { FileKind } from '@/api/barFiles'
import type { Series } from '@/api/market'

export function fileNameOf({ provider, symbol, timeframe }: Pick<Series, 'provider' | 'symbol' | 'timeframe'>, kind: FileKind) {
  const plain = [provider, symbol, timeframe].map((part) => part.replaceAll(/[^A-Za-z0-9]/g, '_'))
  return `${plain.join('-')}.${kind}`
}

export function saveBlob(name: string, blob: Blob) {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // Revoked at once, some browsers save an empty file.
  setTimeout(() => { URL.revokeObjectURL(address) }, 60_000)
}
