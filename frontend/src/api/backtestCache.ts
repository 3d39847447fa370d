/** Lists of backtests that are on the screen: changed at once by whoever edits, and by what is told of their tasks. */
import type { InfiniteData } from '@tanstack/vue-query'
import { type BacktestFilter, backtestListsKey, type BacktestPage, backtestQuery, type BacktestRow, readPage } from './backtests'
import { queryClient } from './queries'
import type { TaskChanged } from './taskCache'

export type BacktestList = InfiniteData<BacktestPage, string>
type Change = (row: BacktestRow, filter: BacktestFilter) => BacktestRow | null

/** Every row of every list; what becomes null is in that list no more. */
export function changeRows(ids: ReadonlySet<string>, change: Change) {
  for (const { queryKey } of queryClient.getQueryCache().findAll({ queryKey: backtestListsKey })) {
    const filter = queryKey[2] as BacktestFilter
    queryClient.setQueryData<BacktestList>(queryKey, (list) => list && changed(list, filter, ids, change))
  }
}

function changed(list: BacktestList, filter: BacktestFilter, ids: ReadonlySet<string>, change: Change): BacktestList {
  return { ...list, pages: list.pages.map((page) => {
    if (!page.items.some(({ id }) => ids.has(id))) return page
    const items = page.items.flatMap((row) => (ids.has(row.id) ? change(row, filter) ?? [] : row))
    return { ...page, items }
  }) }
}

/** Where a task stands is where its backtest stands; figures come with the end. Returns those that no list knows. */
export function hearOfBacktests(events: readonly TaskChanged[]): string[] {
  const latest = new Map(events.map(({ task }) => [task.id, task]))
  const known = new Set<string>()
  changeRows(new Set(latest.keys()), (row, filter) => {
    known.add(row.id)
    const task = latest.get(row.id)
    if (task === undefined) return row
    const { state, started_at, finished_at, is_partial, failure } = task
    const isWanted = filter.states.length === 0 || filter.states.includes(state)
    return isWanted ? { ...row, state, started_at, finished_at, is_partial, failure } : null
  })
  for (const [id, { state }] of latest) if (known.has(id) && state === 'completed') void askRow(id)
  return [...latest.keys()].filter((id) => !known.has(id))
}

async function askRow(id: string) {
  const found = await queryClient.fetchQuery({ ...backtestQuery(id), staleTime: 0 }).catch(() => undefined)
  if (found !== undefined) changeRows(new Set([id]), (row) => ({ ...row, state: found.state, summary: found.summary }))
}

/** What is new at the top, without asking again for the thousands below it. */
export async function askTopAgain(filter: BacktestFilter) {
  const key = [...backtestListsKey, filter]
  const top = await readPage(filter).catch(() => undefined)
  if (top === undefined) return
  const isThere = new Set(top.items.map(({ id }) => id))
  queryClient.setQueryData<BacktestList>(key, (list) => {
    const [first, ...others] = list?.pages ?? []
    if (list === undefined || first === undefined) return list
    const items = [...top.items, ...first.items.filter(({ id }) => !isThere.has(id))]
    return { ...list, pages: [{ ...first, items }, ...others] }
  })
}

/** Only the first page is kept of a list that is left, so that coming back asks for one and not for fifty. */
export function shortenLists() {
  for (const { queryKey } of queryClient.getQueryCache().findAll({ queryKey: backtestListsKey })) {
    queryClient.setQueryData<BacktestList>(queryKey, (list) => {
      return list && { pages: list.pages.slice(0, 1), pageParams: list.pageParams.slice(0, 1) }
    })
  }
}
