/** The rows of a table as its view asks for them: filtered, then put in order. */
import { computed, type ComputedRef } from 'vue'
import { keyTest, orderOf, searchText, sortKey, type KeyTest, type SortKey, type TableColumn, type TableView } from '../table'

interface Source<Row> {
  rows: () => readonly Row[]
  columns: () => readonly TableColumn<Row>[]
  rowKey: (row: Row) => string
  view: () => TableView
}

export interface ListedRow<Row> {
  id: string
  original: Row
}

interface Filter {
  keys: readonly SortKey[]
  test: KeyTest
}

export function useTableRows<Row>(source: Source<Row>): ComputedRef<readonly ListedRow<Row>[]> {
  const listed = computed(() => source.rows().map((row) => ({ id: source.rowKey(row), original: row })))
  const keys = computed(() => keysOf(source.rows(), source.columns()))
  // Only what filters: a new order or a hidden column must not filter 100,000 rows again.
  const wanted = computed(() => JSON.stringify([source.view().search.trim().toLowerCase(), source.view().filters]))

  /** Positions of the rows that pass. */
  const passing = computed(() => {
    const [search, filters] = JSON.parse(wanted.value) as [string, TableView['filters']]
    const all = [...listed.value.keys()]
    return filtersOf(source.columns(), keys.value, search, filters)
      .reduce((positions, { keys: read, test }) => positions.filter((at) => test(read[at])), all)
  })

  return computed(() => {
    const { sort } = source.view()
    const rows = listed.value
    const positions = passing.value
    const column = source.columns().find(({ id }) => id === sort?.id)
    if (sort === null || column === undefined) return rowsAt(rows, positions)
    const read = keys.value.of(column)
    const order = orderOf(positions.map((at) => read[at]), sort.desc)
    return rowsAt(rows, order.map((index) => positions[index] as number))
  })
}

function rowsAt<Row>(rows: readonly Row[], positions: readonly number[]) {
  return positions.map((at) => rows[at] as Row)
}

/** What rows are compared by is read once for each column, and not again with every letter that is typed. */
function keysOf<Row>(rows: readonly Row[], columns: readonly TableColumn<Row>[]) {
  const known = new Map<TableColumn<Row>, readonly SortKey[]>()
  let texts: readonly string[] | undefined
  return {
    of: (column: TableColumn<Row>) => {
      const keys = known.get(column) ?? rows.map((row) => sortKey(column, row))
      known.set(column, keys)
      return keys
    },
    texts: () => texts ??= rows.map((row) => searchText(columns, row)),
  }
}

function filtersOf<Row>(
  columns: readonly TableColumn<Row>[], keys: ReturnType<typeof keysOf<Row>>, search: string, wanted: TableView['filters'],
): Filter[] {
  const filters = columns.flatMap((column) => {
    const filter = wanted[column.id]
    return filter === undefined ? [] : [{ keys: keys.of(column), test: keyTest(column, filter) }]
  })
  if (search === '') return filters
  return [...filters, { keys: keys.texts(), test: (text) => typeof text === 'string' && text.includes(search) }]
}
