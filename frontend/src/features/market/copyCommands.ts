/** The same from a terminal: what the pages about data show and do, as commands that read `$TIDEMARK_TOKEN`. */
import { seriesAddress, seriesPath, type Series, type Wanted } from '@/api/market'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'

export function catalogueCommands(provider: string): Commands {
  const search = provider === '' ? '' : `?${new URLSearchParams({ provider }).toString()}`
  return { cli: 'tidemark data list', curl: curl('GET', `${seriesPath}${search}`) }
}

export function seriesCommands({ id }: Pick<Series, 'id'>): Commands {
  return { curl: curl('GET', seriesAddress(id)) }
}

export function fetchCommands(wanted: Wanted): Commands {
  const { provider, symbol, timeframe, adjustment, start, end } = wanted
  const options = [
    `--provider ${quoted(provider)}`, `--symbol ${quoted(symbol)}`, `--timeframe ${timeframe}`, `--start ${start.slice(0, 10)}`,
    ...(adjustment === undefined || adjustment === 'raw' ? [] : [`--adjustment ${adjustment}`]),
    ...(end ? [`--end ${end.slice(0, 10)}`] : []),
  ]
  return { cli: `tidemark data fetch ${options.join(' ')}`, curl: curl('POST', '/api/data/fetch', wanted) }
}
