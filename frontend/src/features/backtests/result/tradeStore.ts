/**
 * Trades as columns: 100,000 of them sort and filter in some milliseconds, since numbers lie side by side and each
 * different text is looked at once.
 */
import type { TableRead } from '@/api/backtestResults'
import type { CellValue, ColumnFilter, TableView } from '@/shared/table'

type NumberName = 'quantity' | 'entry_price' | 'exit_price' | 'pnl' | 'return' | 'fees' | 'slippage' | 'financing' | 'mae' | 'mfe' | 'bars_held'
type TextName = 'symbol' | 'side' | 'entry_reason' | 'exit_reason'
type TimeName = 'entry_time' | 'exit_time'
export type TradeField = 'number' | NumberName | TextName | TimeName | 'is_open' | 'costs' | 'seconds_held'

const numberNames: readonly NumberName[]
  = ['quantity', 'entry_price', 'exit_price', 'pnl', 'return', 'fees', 'slippage', 'financing', 'mae', 'mfe', 'bars_held']
const textNames: readonly TextName[] = ['symbol', 'side', 'entry_reason', 'exit_reason']
const timeNames: readonly TimeName[] = ['entry_time', 'exit_time']

const withSteps = new Set<TradeField>(['quantity', 'entry_price', 'exit_price'])
const trueDigits = 12

/** Without the last digits of a double, which no market ever quoted: 39705.09 and not 39705.090000000004. */
export function tidied(value: number): number {
  return Number(value.toPrecision(trueDigits))
}

/** Texts by their code; there are few for many trades. */
interface Words {
  known: string[]
  codes: Map<string, number>
  rows: Uint32Array
}

interface Moments {
  text: string[]
  at: Float64Array
}

export interface Trade {
  /** Its place in the order of exits, from 0; what the API calls it. */
  number: number
  symbol: string
  side: 'long' | 'short'
  entryTime: string
  exitTime: string
  quantity: number
  entryPrice: number
  exitPrice: number
  pnl: number
  return: number
  fees: number
  slippage: number
  financing: number
  mae: number
  mfe: number
  barsHeld: number
  isOpen: boolean
  entryReason: string
  exitReason: string
}

export class TradeStore {
  readonly total: number
  size = 0
  private readonly numbers: Record<NumberName, Float64Array>
  private readonly texts: Record<TextName, Words>
  private readonly times: Record<TimeName, Moments>
  private readonly open: Uint8Array
  private readonly costs: Float64Array

  constructor(total: number) {
    this.total = total
    const column = () => new Float64Array(total).fill(Number.NaN)
    this.numbers = Object.fromEntries(numberNames.map((name) => [name, column()])) as Record<NumberName, Float64Array>
    const words = (): Words => ({ known: [], codes: new Map(), rows: new Uint32Array(total) })
    const moments = (): Moments => ({ text: [], at: column() })
    this.texts = Object.fromEntries(textNames.map((name) => [name, words()])) as Record<TextName, Words>
    this.times = { entry_time: moments(), exit_time: moments() }
    this.open = new Uint8Array(total)
    this.costs = column()
  }

  /** Pieces come in order, each where the last one ended. */
  append({ first, columns }: TableRead): void {
    if (first !== this.size) throw new RangeError(`Row ${this.size} was due, row ${first} came.`)
    const count = Math.min(columns.symbol?.length ?? 0, this.total - this.size)
    for (let at = 0; at < count; at += 1) {
      const row = first + at
      for (const name of numberNames) this.numbers[name][row] = numeric(columns[name]?.[at])
      for (const name of textNames) this.texts[name].rows[row] = codeOf(this.texts[name], String(columns[name]?.[at] ?? ''))
      for (const name of timeNames) {
        const text = String(columns[name]?.[at] ?? '')
        this.times[name].text[row] = text
        this.times[name].at[row] = Date.parse(text)
      }
      this.open[row] = columns.is_open?.[at] === true ? 1 : 0
      this.costs[row] = this.of('fees', row) + this.of('slippage', row) + this.of('financing', row)
    }
    this.size += count
  }

  /** How many different ones are in the rows that came. */
  get symbols(): number { return this.texts.symbol.known.length }

  trade(row: number): Trade {
    return {
      number: row, symbol: this.text('symbol', row), side: this.text('side', row) === 'short' ? 'short' : 'long',
      entryTime: this.times.entry_time.text[row] ?? '', exitTime: this.times.exit_time.text[row] ?? '',
      quantity: tidied(this.of('quantity', row)), entryPrice: tidied(this.of('entry_price', row)), exitPrice: tidied(this.of('exit_price', row)),
      pnl: this.of('pnl', row), return: this.of('return', row), fees: this.of('fees', row), slippage: this.of('slippage', row),
      financing: this.of('financing', row), mae: this.of('mae', row), mfe: this.of('mfe', row), barsHeld: this.of('bars_held', row),
      isOpen: this.open[row] === 1, entryReason: this.text('entry_reason', row), exitReason: this.text('exit_reason', row),
    }
  }

  value(name: TradeField, row: number): CellValue {
    if (name in this.texts) return this.text(name as TextName, row)
    if (name in this.times) return this.times[name as TimeName].text[row]
    if (name === 'is_open') return this.open[row] === 1
    const number = this.key(name, row)
    if (Number.isNaN(number)) return null
    return withSteps.has(name) ? tidied(number) : number
  }

  /** All that was bought and sold, in money. */
  traded(): number {
    let sum = 0
    for (let row = 0; row < this.size; row += 1) {
      sum += this.of('quantity', row) * (this.of('entry_price', row) + (this.open[row] === 1 ? 0 : this.of('exit_price', row)))
    }
    return sum
  }

  /** Returns of the trades that ended. */
  closedReturns(): number[] {
    const returns = []
    for (let row = 0; row < this.size; row += 1) if (this.open[row] === 0) returns.push(this.of('return', row))
    return returns
  }

  /** The rows that a view shows, in its order: equal ones as they came, missing ones last both ways. */
  order({ search, filters, sort }: Pick<TableView, 'search' | 'filters' | 'sort'>): Uint32Array {
    const rows = this.filtered(search, filters)
    if (sort === null) return rows
    return this.sorted(rows, sort.id as TradeField, sort.desc)
  }

  private filtered(search: string, filters: TableView['filters']): Uint32Array {
    const tests = [
      ...Object.entries(filters).flatMap(([name, filter]) => this.test(name as TradeField, filter)),
      ...(search.trim() === '' ? [] : [this.finds(search.trim().toLowerCase())]),
    ]
    const rows = new Uint32Array(this.size)
    let count = 0
    for (let row = 0; row < this.size; row += 1) {
      if (tests.every((test) => test(row))) rows[count++] = row
    }
    return rows.subarray(0, count)
  }

  private test(name: TradeField, filter: ColumnFilter): ((row: number) => boolean)[] {
    if (typeof filter === 'string') {
      const words = this.texts[name as TextName] as Words | undefined
      if (words === undefined) return []
      const isExact = name === 'symbol' || name === 'side' || name === 'exit_reason'
      const wanted = filter.toLowerCase()
      const fits = words.known.map((word) => (isExact ? word.toLowerCase() === wanted : word.toLowerCase().includes(wanted)))
      return [(row) => fits[words.rows[row] ?? 0] ?? false]
    }
    const isTime = name in this.times
    const bound = (text: string | undefined, otherwise: number) => {
      const read = text ? (isTime ? Date.parse(`${text}T00:00:00Z`) : Number(text)) : Number.NaN
      return Number.isNaN(read) ? otherwise : read
    }
    const least = bound(filter.min, -Infinity)
    const most = bound(filter.max, Infinity) + (isTime && filter.max ? 86_399_999 : 0)
    return [(row) => { const key = this.key(name, row); return key >= least && key <= most }]
  }

  /** The search looks through texts and times. */
  private finds(wanted: string): (row: number) => boolean {
    const fits = textNames.map((name) => {
      const { rows, known } = this.texts[name]
      return { rows, fits: known.map((word) => word.toLowerCase().includes(wanted)) }
    })
    const isTimely = /^[\d\-:tz.]+$/.test(wanted)
    const upper = wanted.toUpperCase()
    return (row) => {
      if (fits.some((one) => one.fits[one.rows[row] ?? 0])) return true
      return isTimely && timeNames.some((name) => this.times[name].text[row]?.includes(upper))
    }
  }

  private sorted(rows: Uint32Array, name: TradeField, desc: boolean): Uint32Array {
    const words = this.texts[name as TextName] as Words | undefined
    const rank = words === undefined ? null : ranks(words.known)
    const keys = new Float64Array(rows.length)
    const keyOf = rank === null || words === undefined
      ? (row: number) => this.key(name, row)
      : (row: number) => rank[words.rows[row] ?? 0] ?? Number.NaN
    rows.forEach((row, at) => { keys[at] = keyOf(row) })
    return inOrder(rows, keys, desc)
  }

  private key(name: TradeField, row: number): number {
    if (name === 'number') return row + 1
    if (name === 'costs') return this.costs[row] ?? Number.NaN
    if (name === 'is_open') return this.open[row] ?? 0
    if (name === 'seconds_held') return (this.moment('exit_time', row) - this.moment('entry_time', row)) / 1_000
    return name in this.times ? this.moment(name as TimeName, row) : this.of(name as NumberName, row)
  }

  private moment(name: TimeName, row: number): number {
    return this.times[name].at[row] ?? Number.NaN
  }

  private of(name: NumberName, row: number): number {
    return this.numbers[name][row] ?? Number.NaN
  }

  private text(name: TextName, row: number): string {
    return this.texts[name].known[this.texts[name].rows[row] ?? 0] ?? ''
  }
}

/**
 * The different keys are sorted by the engine itself, which needs no comparing function; then every row is counted into
 * its place. Equal ones stay as they came, those without a key come last both ways.
 */
function inOrder(rows: Uint32Array, keys: Float64Array, desc: boolean): Uint32Array {
  const different = distinct(Float64Array.from(keys.filter((key) => !Number.isNaN(key))).sort())
  const last = different.length - 1
  const ranks = new Uint32Array(rows.length)
  const starts = new Uint32Array(different.length + 2)
  keys.forEach((key, at) => {
    const rank = Number.isNaN(key) ? last + 1 : placeOf(different, key)
    ranks[at] = desc && rank <= last ? last - rank : rank
    starts[(ranks[at] ?? 0) + 1] = (starts[(ranks[at] ?? 0) + 1] ?? 0) + 1
  })
  for (let at = 1; at < starts.length; at += 1) starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0)
  const ordered = new Uint32Array(rows.length)
  ranks.forEach((rank, at) => {
    ordered[starts[rank] ?? 0] = rows[at] ?? 0
    starts[rank] = (starts[rank] ?? 0) + 1
  })
  return ordered
}

function distinct(sorted: Float64Array): Float64Array {
  let count = 0
  for (let at = 0; at < sorted.length; at += 1) {
    if (at === 0 || sorted[at] !== sorted[at - 1]) sorted[count++] = sorted[at] ?? 0
  }
  return sorted.subarray(0, count)
}

function placeOf(sorted: Float64Array, key: number): number {
  let [low, high] = [0, sorted.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) < key) low = middle + 1
    else high = middle
  }
  return low
}

function ranks(words: readonly string[]): number[] {
  const order = words.map((_, at) => at).sort((a, b) => ((words[a] ?? '').toLowerCase() < (words[b] ?? '').toLowerCase() ? -1 : 1))
  const rank: number[] = []
  order.forEach((word, at) => { rank[word] = words[word] === '' ? Number.NaN : at })
  return rank
}

function codeOf(words: Words, text: string): number {
  const known = words.codes.get(text)
  if (known !== undefined) return known
  words.codes.set(text, words.known.length)
  return words.known.push(text) - 1
}

function numeric(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN
}
