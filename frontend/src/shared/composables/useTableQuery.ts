/** The view of a table in the address, so that Back works and a link shows the same rows: `?q=btc&sort=-created_at&state=failed&attempts=2..`. */
import { computed, ref, type WritableComputedRef } from 'vue'
import { type LocationQuery, type LocationQueryRaw, useRoute, useRouter } from 'vue-router'
import type { ColumnFilter, TableColumn, TableView } from '../table'

const reserved = { search: 'q', sort: 'sort' }

export function useTableQuery<Row>(columns: readonly TableColumn<Row>[]): WritableComputedRef<TableView> {
  const route = useRoute()
  const router = useRouter()
  const shown = ref<TableView['columns']>({}) // which columns somebody likes to see is nothing to send in a link

  return computed({
    get: () => ({ ...viewIn(route.query, columns), columns: shown.value }),
    set: (view) => {
      shown.value = view.columns
      const isTyping = view.search !== (one(route.query[reserved.search]) ?? '')
      const query = { ...without(route.query, columns), ...queryOf(view) }
      void (isTyping ? router.replace({ query }) : router.push({ query }))
    },
  })
}

export function viewIn<Row>(query: LocationQuery, columns: readonly TableColumn<Row>[]): Omit<TableView, 'columns'> {
  const sort = one(query[reserved.sort])
  const id = sort?.replace(/^-/, '')
  const filters = columns.flatMap((column) => {
    const text = one(query[column.id])
    return text ? [[column.id, filterIn(text, column)] as const] : []
  })
  return {
    search: one(query[reserved.search]) ?? '',
    sort: id !== undefined && columns.some((column) => column.id === id) ? { id, desc: sort?.startsWith('-') === true } : null,
    filters: Object.fromEntries(filters),
  }
}

export function queryOf({ search, sort, filters }: Omit<TableView, 'columns'>): LocationQueryRaw {
  return {
    ...(search === '' ? {} : { [reserved.search]: search }),
    ...(sort === null ? {} : { [reserved.sort]: `${sort.desc ? '-' : ''}${sort.id}` }),
    ...Object.fromEntries(Object.entries(filters).map(([id, filter]) => [id, filterText(filter)])),
  }
}

function without<Row>(query: LocationQuery, columns: readonly TableColumn<Row>[]): LocationQuery {
  const own = new Set([...Object.values(reserved), ...columns.map(({ id }) => id)])
  return Object.fromEntries(Object.entries(query).filter(([name]) => !own.has(name)))
}

function filterIn<Row>(text: string, { kind }: TableColumn<Row>): ColumnFilter {
  if (kind !== 'number' && kind !== 'time') return text
  const [min, max] = text.split('..')
  return { ...(min ? { min } : {}), ...(max ? { max } : {}) }
}

function filterText(filter: ColumnFilter) {
  return typeof filter === 'string' ? filter : `${filter.min ?? ''}..${filter.max ?? ''}`
}

function one(value: LocationQuery[string] | undefined) {
  return (Array.isArray(value) ? value[0] : value) ?? undefined
}
