/** Cells of the coverage as a calendar: one row a month, year or decade, each cell in its own column. */
import type { Coverage } from '@/api/market'
import { integer, percent } from '@/shared/format'

export type Level = 'none' | 'missing' | 'some' | 'most' | 'nearly' | 'full'

export interface HeatCell {
  start: string
  /** Up to, not including, it. */
  end: string
  name: string
  level: Level
  words: string
}

export interface HeatRow {
  name: string
  /** By column; null where the calendar, or the series, has nothing. */
  cells: (HeatCell | null)[]
}

export interface HeatColumn {
  name: string
  /** What stands above it; where columns are narrow, above some of them only. */
  label: string
}

export interface HeatMap {
  columns: readonly HeatColumn[]
  rows: HeatRow[]
}

type Cell = Coverage['cells'][number]
const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const day = 86_400_000

interface Layout {
  columns: readonly HeatColumn[]
  row: (at: Date) => string
  column: (at: Date) => number
  end: (at: Date) => number
  name: (at: Date) => string
}

const plain = (names: readonly string[]): HeatColumn[] => names.map((name) => ({ name, label: name }))
const weekOf = (month: number) => Math.floor((Date.UTC(2025, month, 1) - Date.UTC(2025, 0, 1)) / (7 * day))
const monthOfWeek = new Map(monthNames.map((name, month) => [weekOf(month), name]))
const year = (at: Date) => String(at.getUTCFullYear())
const iso = (at: Date) => at.toISOString().slice(0, 10)
const later = (at: Date, months: number) => Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1)

const layouts: Record<string, Layout> = {
  day: {
    columns: Array.from({ length: 31 }, (_, at) => ({ name: String(at + 1), label: at === 0 || (at + 1) % 5 === 0 ? String(at + 1) : '' })),
    row: (at) => `${monthNames[at.getUTCMonth()]} ${year(at)}`,
    column: (at) => at.getUTCDate() - 1,
    end: (at) => at.getTime() + day,
    name: iso,
  },
  week: {
    columns: Array.from({ length: 53 }, (_, at) => ({ name: `Week ${at + 1}`, label: monthOfWeek.get(at) ?? '' })),
    row: year,
    column: (at) => Math.floor((at.getTime() - Date.UTC(at.getUTCFullYear(), 0, 1)) / (7 * day)),
    end: (at) => at.getTime() + 7 * day,
    name: (at) => `Week from ${iso(at)}`,
  },
  month: {
    columns: plain(monthNames),
    row: year,
    column: (at) => at.getUTCMonth(),
    end: (at) => later(at, 1),
    name: (at) => `${monthNames[at.getUTCMonth()]} ${year(at)}`,
  },
  quarter: {
    columns: plain(['Q1', 'Q2', 'Q3', 'Q4']),
    row: year,
    column: (at) => Math.floor(at.getUTCMonth() / 3),
    end: (at) => later(at, 3),
    name: (at) => `Q${Math.floor(at.getUTCMonth() / 3) + 1} ${year(at)}`,
  },
  year: {
    columns: plain(Array.from({ length: 10 }, (_, at) => String(at))),
    row: (at) => `${year(at).slice(0, 3)}0s`,
    column: (at) => at.getUTCFullYear() % 10,
    end: (at) => later(at, 12),
    name: year,
  },
}

export function heatMapOf({ cells, cell_length: length }: Pick<Coverage, 'cells' | 'cell_length'>): HeatMap {
  const layout = layouts[length] ?? layouts.month as Layout
  const rows = new Map<string, HeatRow>()
  for (const cell of cells) {
    const at = new Date(cell.start)
    const name = layout.row(at)
    const row = rows.get(name) ?? { name, cells: layout.columns.map(() => null) }
    rows.set(name, row)
    const span = { start: at.toISOString(), end: new Date(layout.end(at)).toISOString() }
    row.cells[layout.column(at)] = { ...span, name: layout.name(at), level: levelOf(cell), words: wordsOf(cell) }
  }
  return { columns: layout.columns, rows: [...rows.values()] }
}

export function levelOf({ expected, present }: Pick<Cell, 'expected' | 'present'>): Level {
  if (expected === 0) return present > 0 ? 'full' : 'none'
  if (present === 0) return 'missing'
  if (present >= expected) return 'full'
  const share = present / expected
  if (share >= 0.99) return 'nearly'
  return share >= 0.5 ? 'most' : 'some'
}

const bars = (count: number) => `${integer(count)} ${count === 1 ? 'bar' : 'bars'}`

export function wordsOf({ expected, present }: Pick<Cell, 'expected' | 'present'>) {
  if (expected === 0) return present > 0 ? `${bars(present)}, none ${present === 1 ? 'was' : 'were'} due` : 'no bars are due'
  if (present >= expected) return `complete, ${bars(present)}`
  const missing = `${integer(expected - present)} of ${integer(expected)} bars missing`
  return present === 0 ? missing : `${missing}, ${percent(Math.floor(present / expected * 10_000) / 10_000)} there`
}
