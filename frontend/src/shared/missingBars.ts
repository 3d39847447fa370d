/** Where bars that a run needs and that are not stored can be downloaded, with the form there filled in. */
import type { RouteLocationRaw } from 'vue-router'
import type { RunWanted } from '@/api/backtests'
import { ApiError } from '@/api/client'

export interface Missing {
  symbol: string
  detail: string
  to: RouteLocationRaw
}

type BarsWanted = Pick<RunWanted, 'series' | 'start' | 'end'> & { trading?: RunWanted['trading'] }

export function missingBars(problem: unknown, { series, start, end, trading }: BarsWanted): Missing[] {
  if (!(problem instanceof ApiError) || problem.code !== 'bars_missing') return []
  return problem.errors.flatMap(({ pointer, detail }) => {
    // Without a place in the list it is the range that is not known: then any symbol may be the one.
    const wanted = series[Number(/^\/series\/(\d+)/.exec(pointer)?.[1] ?? 0)]
    if (wanted === undefined) return []
    const { provider, symbol, adjustment } = wanted
    const shorter = trading?.execution.detail
    const timeframe = shorter && detail.includes(` ${shorter}:`) ? shorter : wanted.timeframe
    const query = { provider, symbol, timeframe, adjustment, ...day('from', start), ...day('to', end, 1) }
    return [{ symbol, detail, to: { name: 'data', params: { id: 'download' }, query } }]
  })
}

/** The end of a range is not included, the last day of a download is. */
function day(name: string, moment: string | null | undefined, before = 0) {
  return moment ? { [name]: new Date(Date.parse(moment) - before).toISOString().slice(0, 10) } : {}
}
