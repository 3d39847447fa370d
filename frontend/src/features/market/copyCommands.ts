/** The same from a terminal or from Python: what the pages about data show and do, as commands that read `$TIDEMARK_TOKEN`. */
import { dataPath, seriesAddress, seriesPath, type Series, type Wanted } from '@/api/market'
import { loadBars, seriesFlags } from '@/shared/barsCommands'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'

/** A terminal lists what is on its own machine, of all providers. */
export function catalogueCommands(provider: string): Commands {
  const search = provider === '' ? '' : `?${new URLSearchParams({ provider }).toString()}`
  return { ...(provider === '' ? { cli: 'tidemark data list' } : {}), curl: curl('GET', `${seriesPath}${search}`) }
}

export function seriesCommands({ id }: Pick<Series, 'id'>): Commands {
  return { curl: curl('GET', seriesAddress(id)) }
}

export function deleteCommands({ id }: Pick<Series, 'id'>): Commands {
  return { curl: curl('DELETE', seriesAddress(id)) }
}

/** Every gap of it. */
export function repairCommands({ id }: Pick<Series, 'id'>): Commands {
  return { curl: curl('POST', `${dataPath}/repair`, { body: { series_id: id } }) }
}

/** Python downloads what is missing as it loads. */
export function fetchCommands(wanted: Wanted): Commands {
  const { start, end } = wanted
  const bars = seriesFlags([wanted], start, end)
  return {
    ...(bars === null ? {} : {
      cli: `tidemark data fetch ${bars.join(' ')}`,
      python: `from backend.research import load_bars\n\nbars = ${loadBars(wanted, start, end)}\nprint(bars)\n`,
    }),
    curl: curl('POST', `${dataPath}/fetch`, { body: wanted }),
  }
}
