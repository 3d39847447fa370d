/** The rows of a table as its view asks for them: filtered by TanStack Table, then put in order. */
import {
  columnFilteringFeature, createFilteredRowModel, tableFeatures, useTable, type ColumnDef, type Row as TableRow,
} from '@tanstack/vue-table'
import { computed, type ComputedRef } from 'vue'
import { keyTest, orderOf, searchText, sortKey, type SortKey, type TableColumn, type TableView } from '../table'

const features = tableFeatures({
  columnFilteringFeature,
  filteredRowModel: createFilteredRowModel(),
  filterFns: {},
})
type Features = typeof features

/** A column that nobody sees: the search box filters it like any other. */
const SEARCH = '\u0000search'

interface Source<Row> {
  rows: () => readonly Row[]
  columns: () => readonly TableColumn<Row>[]
  rowKey: (row: Row) => string
  view: () => TableView
}

export function useTableRows<Row extends object>(source: Source<Row>): ComputedRef<readonly TableRow<Features, Row>[]> {
  const definitions = computed<ColumnDef<Features, Row>[]>(() => {
    const columns = source.columns()
    return [...columns.map((column) => definitionOf(column)), searchDefinition(columns)]
  })
  // Only what filters: a new order or a hidden column must not filter 100,000 rows again.
  const wanted = computed(() => JSON.stringify([source.view().search.trim().toLowerCase(), source.view().filters]))
  const state = computed(() => {
    const [search, filters] = JSON.parse(wanted.value) as [string, TableView['filters']]
    return { columnFilters: filtersOf(source.columns(), search, filters) }
  })
  const table = useTable<Features, Row>({
    features,
    columns: definitions,
    data: computed(() => source.rows()),
    getRowId: source.rowKey,
    state,
  })
  const filtered = computed(() => table.getRowModel().rows)
  return computed(() => {
    const { sort } = source.view()
    const rows = filtered.value
    if (sort === null || !source.columns().some((column) => column.id === sort.id)) return rows
    // One key a row, read once: TanStack's own sorting asks the row for it in every one of two million comparisons.
    const order = orderOf(rows.map((row) => row.getValue<SortKey>(sort.id)), sort.desc)
    return order.map((index) => rows[index] as TableRow<Features, Row>)
  })
}

function definitionOf<Row extends object>(column: TableColumn<Row>): ColumnDef<Features, Row> {
  return {
    id: column.id,
    accessorFn: (row) => sortKey(column, row),
    filterFn: (row, id, test: (key: SortKey) => boolean) => test(row.getValue<SortKey>(id)),
  }
}

function searchDefinition<Row extends object>(columns: readonly TableColumn<Row>[]): ColumnDef<Features, Row> {
  return {
    id: SEARCH,
    accessorFn: (row) => searchText(columns, row),
    filterFn: (row, id, test: (key: SortKey) => boolean) => test(row.getValue<SortKey>(id)),
  }
}

function filtersOf<Row>(columns: readonly TableColumn<Row>[], search: string, wanted: TableView['filters']) {
  const filters = columns.flatMap((column) => {
    const filter = wanted[column.id]
    return filter === undefined ? [] : [{ id: column.id, value: keyTest(column, filter) }]
  })
  if (search === '') return filters
  const found = (key: SortKey) => typeof key === 'string' && key.includes(search)
  return [...filters, { id: SEARCH, value: found }]
}
