/** What a table is told about its columns, and how it sorts and filters them: pure, so that it can be checked alone. */

/** As it came from the API: decimals and times are text. */
export type CellValue = string | number | boolean | null | undefined

export interface TableColumn<Row> {
  id: string
  header: string
  /** What is sorted, filtered and exported. How it looks is the business of the slot `cell-<id>`. */
  value: (row: Row) => CellValue
  /** Decides alignment, order and the kind of filter. */
  kind?: 'text' | 'choice' | 'number' | 'time'
  /** Pixels; columns share what is left over. */
  width?: number
  /** Hidden until someone asks for it. */
  optional?: boolean
  /** May not be hidden, since the row is nameless without it. */
  fixed?: boolean
  unsortable?: boolean
  unfiltered?: boolean
}

export interface RangeFilter {
  min?: string
  max?: string
}
export type ColumnFilter = string | RangeFilter

/** Everything that decides which rows show in which order: small enough for an address. */
export interface TableView {
  search: string
  sort: { id: string, desc: boolean } | null
  filters: Record<string, ColumnFilter>
  /** Columns switched on or off by hand; others follow their default. */
  columns: Record<string, boolean>
}

export function emptyView(): TableView {
  return { search: '', sort: null, filters: {}, columns: {} }
}

/** The same narrowed by one more filter; an empty one is none. */
export function withFilter<Some extends Pick<TableView, 'filters'>>(view: Some, name: string, value: ColumnFilter): Some {
  const others = Object.entries(view.filters).filter(([id]) => id !== name)
  return { ...view, filters: Object.fromEntries(value === '' ? others : [...others, [name, value]]) }
}

export function isFiltered(view: TableView): boolean {
  return view.search.trim() !== '' || Object.keys(view.filters).length > 0
}

export function isShown<Row>(column: TableColumn<Row>, view: TableView): boolean {
  return column.fixed === true || (view.columns[column.id] ?? column.optional !== true)
}

/** The next face of a header that is pressed: numbers and times begin with the largest. */
export function nextSort<Row>(column: TableColumn<Row>, sort: TableView['sort']): TableView['sort'] {
  const descFirst = column.kind === 'number' || column.kind === 'time'
  if (sort?.id !== column.id) return { id: column.id, desc: descFirst }
  return sort.desc === descFirst ? { id: column.id, desc: !descFirst } : null
}

export type SortKey = string | number | undefined

/** What two cells are compared by; undefined is missing, and missing stands last both ways. */
export function sortKey<Row>(column: TableColumn<Row>, row: Row): SortKey {
  const value = column.value(row)
  if (value === null || value === undefined || value === '') return undefined
  if (column.kind === 'number') return finite(Number(value))
  if (column.kind === 'time') return finite(Date.parse(String(value)))
  return String(value).toLowerCase()
}

/**
 * The positions of the keys in order: equal ones as they came, missing ones last both ways.
 * Sorting the different keys alone needs no comparing function, which is what makes 100,000 rows quick.
 */
export function orderOf(keys: readonly SortKey[], desc: boolean): number[] {
  const places = new Map<string | number, number[]>()
  const missing: number[] = []
  keys.forEach((key, index) => {
    if (key === undefined) missing.push(index)
    else if (places.get(key)?.push(index) === undefined) places.set(key, [index])
  })
  const different = inOrder([...places.keys()])
  if (desc) different.reverse()
  return [...different.map((key) => places.get(key) ?? []), missing].flat()
}

function inOrder(keys: (string | number)[]): (string | number)[] {
  if (keys.every((key) => typeof key === 'number')) return [...Float64Array.from(keys).sort()]
  return keys.map(String).sort()
}

export type KeyTest = (key: SortKey) => boolean

/** One test for all rows, so that the filter is read once and not 100,000 times. */
export function keyTest<Row>(column: TableColumn<Row>, filter: ColumnFilter): KeyTest {
  if (typeof filter === 'string') {
    const wanted = filter.toLowerCase()
    if (column.kind === 'choice') return (key) => key === wanted
    return (key) => typeof key === 'string' && key.includes(wanted)
  }
  const read = column.kind === 'time' ? (text?: string) => dayStart(text) : (text?: string) => bound(text)
  const least = read(filter.min) ?? Number.NEGATIVE_INFINITY
  const most = read(filter.max) ?? Number.POSITIVE_INFINITY
  const end = column.kind === 'time' && filter.max ? most + 86_400_000 - 1 : most
  return (key) => typeof key === 'number' && key >= least && key <= end
}

/** Everything of a row that the search box looks through. */
export function searchText<Row>(columns: readonly TableColumn<Row>[], row: Row): string {
  let text = ''
  for (const column of columns) {
    const value = column.value(row)
    if (value !== null && value !== undefined) text += `${String(value)}\u0000`
  }
  return text.toLowerCase()
}

function finite(number: number): number | undefined {
  return Number.isFinite(number) ? number : undefined
}

function bound(text?: string): number | undefined {
  return text === undefined || text === '' ? undefined : finite(Number(text))
}

function dayStart(text?: string): number | undefined {
  return text ? finite(Date.parse(`${text}T00:00:00Z`)) : undefined
}
