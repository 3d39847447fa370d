/** Rows as files: every filtered row with raw values, so that nothing is rounded and times stay ISO UTC. */
import { isoUtc, MISSING } from './format'
import type { CellValue, TableColumn } from './table'

export type ExportFormat = 'csv' | 'json'

const TYPES: Record<ExportFormat, string> = { csv: 'text/csv;charset=utf-8', json: 'application/json' }
const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

export function writeRows<Row>(
  format: ExportFormat, columns: readonly TableColumn<Row>[], rows: readonly Row[],
): string {
  return format === 'csv' ? writeCsv(columns, rows) : writeJson(columns, rows)
}

/** RFC 4180, with CRLF. A cell that a spreadsheet would run as a formula gets an apostrophe before it. */
export function writeCsv<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const lines = [columns.map((column) => csvCell(column.id)).join(',')]
  for (const row of rows) lines.push(columns.map((column) => csvCell(rawValue(column, row))).join(','))
  return lines.join('\r\n') + '\r\n'
}

export function writeJson<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const objects = rows.map((row) => {
    return Object.fromEntries(columns.map((column) => [column.id, rawValue(column, row) ?? null]))
  })
  return JSON.stringify(objects, null, 2) + '\n'
}

export function saveFile(name: string, format: ExportFormat, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: TYPES[format] }))
  const link = document.createElement('a')
  link.href = address
  link.download = `${name}.${format}`
  link.click()
  // Revoked at once, some browsers save an empty file.
  setTimeout(() => { URL.revokeObjectURL(address) }, 10_000)
}

function rawValue<Row>(column: TableColumn<Row>, row: Row): CellValue {
  const value = column.value(row)
  if (column.kind !== 'time' || typeof value !== 'string') return value
  const utc = isoUtc(value)
  return utc === MISSING ? value : utc
}

function csvCell(value: CellValue): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  const runs = /^[\s]*[=+\-@\t\r]/.test(text) && !NUMBER.test(text)
  const safe = runs ? `'${text}` : text
  return /[",\r\n]/.test(safe) || safe !== text || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe
}
