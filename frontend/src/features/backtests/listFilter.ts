/** What the list is asked for, from the view that stands in the address. */
import { type BacktestFilter, backtestKinds, type BacktestSort } from '@/api/backtests'
import { stateNames } from '@/shared/taskNames'
import type { TableView } from '@/shared/table'
import { sortable } from './columns'

type View = Pick<TableView, 'search' | 'sort' | 'filters'>

export function filterOf({ search, sort, filters }: View): BacktestFilter {
  const text = (name: string) => (typeof filters[name] === 'string' ? filters[name] : '')
  const [kind, state, show] = [text('kind'), text('state'), text('show')]
  const isKnown = sort !== null && sortable.has(sort.id)
  return {
    search: search.trim().slice(0, 80),
    kinds: backtestKinds.filter((one) => one === kind),
    states: Object.keys(stateNames).filter((one) => one === state) as BacktestFilter['states'],
    tags: tagsIn(text('tag')),
    strategy: text('strategy').slice(0, 100),
    isStarred: text('starred') === 'yes',
    from: show === 'archived' || show === 'deleted' ? show : 'current',
    sort: isKnown ? sort.id as BacktestSort : 'created',
    isDescending: isKnown ? sort.desc : true,
  }
}

/** A tag may have a comma in it. */
export function tagsText(tags: readonly string[]) {
  return tags.map(encodeURIComponent).join(',')
}

export function tagsIn(text: string) {
  return text.split(',').filter((tag) => tag !== '').map((tag) => {
    try { return decodeURIComponent(tag) } catch { return tag }
  })
}
