/** The rows of a table as its view asks for them, sorted and filtered by TanStack Table. */
import {
  columnFilteringFeature, createFilteredRowModel, createSortedRowModel, rowSortingFeature, tableFeatures, useTable,
  type ColumnDef, type Row as TableRow,
} from '@tanstack/vue-table'
import { computed, type ComputedRef } from 'vue'
import { compareKeys, keyTest, searchText, sortKey, type SortKey, type TableColumn, type TableView } from '../table'

const features = tableFeatures({
  columnFilteringFeature,
  filteredRowModel: createFilteredRowModel(),
  filterFns: {},
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: {},
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
  const state = computed(() => {
    const view = source.view()
    return { sorting: view.sort === null ? [] : [view.sort], columnFilters: filtersOf(source.columns(), view) }
  })
  const table = useTable<Features, Row>({
    features,
    columns: definitions,
    data: computed(() => source.rows()),
    getRowId: source.rowKey,
    state,
  })
  return computed(() => table.getRowModel().rows)
}

function definitionOf<Row extends object>(column: TableColumn<Row>): ColumnDef<Features, Row> {
  return {
    id: column.id,
    accessorFn: (row) => sortKey(column, row),
    sortUndefined: 'last',
    sortFn: (left, right, id) => compareKeys(left.getValue<SortKey>(id), right.getValue<SortKey>(id)),
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

function filtersOf<Row>(columns: readonly TableColumn<Row>[], view: TableView) {
  const filters = columns.flatMap((column) => {
    const filter = view.filters[column.id]
    return filter === undefined ? [] : [{ id: column.id, value: keyTest(column, filter) }]
  })
  const wanted = view.search.trim().toLowerCase()
  if (wanted === '') return filters
  const found = (key: SortKey) => typeof key === 'string' && key.includes(wanted)
  return [...filters, { id: SEARCH, value: found }]
}
