/**
 * Every number and time that a person reads is made here, and byte for byte the same in backend/domain/format.py.
 * format.golden.json holds what both must say. What is missing is a dash, never 0 and never NaN.
 */
import { type Decimal, type Numeric, MINUS, MISSING, digitsOf, parseDecimal, round, shift, trim } from './decimal'

export { MINUS, MISSING, MISSING_NAME, type Numeric } from './decimal'
export { date, dateTime, isoUtc, relativeTime, time, type Instant } from './instant'

interface Currency {
  decimals: number
  symbol?: string
}

const CURRENCIES: Readonly<Record<string, Currency>> = {
  USD: { decimals: 2, symbol: '$' },
  EUR: { decimals: 2, symbol: '€' },
  GBP: { decimals: 2, symbol: '£' },
  JPY: { decimals: 0, symbol: '¥' },
  CHF: { decimals: 2 },
  CAD: { decimals: 2 },
  AUD: { decimals: 2 },
  USDT: { decimals: 2 },
  USDC: { decimals: 2 },
  BTC: { decimals: 8 },
  ETH: { decimals: 8 },
}

const COMPACT_UNITS = ['', 'K', 'M', 'B', 'T'] as const
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

export interface SignOption {
  /** A plus before what is above zero. */
  signed?: boolean
}

/** `1,234.50`: a fixed count of decimals. */
export function fixed(value: Numeric, decimals: number, { signed = false }: SignOption = {}): string {
  return written(value, (number) => {
    const rounded = round(number, decimals)
    return signOf(rounded, signed) + digitsOf(rounded)
  })
}

/** `1,234`: counts. */
export function integer(value: Numeric): string {
  return fixed(value, 0)
}

/** `1.85`: Sharpe, profit factor and their like. */
export function ratio(value: Numeric): string {
  return fixed(value, 2)
}

/** `$1,234.50`, `−¥1,235`, `0.50000000 BTC`: an unknown currency shows two to eight decimals and its code. */
export function money(value: Numeric, currency: string, { signed = false }: SignOption = {}): string {
  return written(value, (number) => {
    const code = currency.toUpperCase()
    const known = CURRENCIES[code]
    const rounded = known === undefined ? trim(round(number, 8), 2) : round(number, known.decimals)
    const sign = signOf(rounded, signed)
    if (known?.symbol !== undefined) return sign + known.symbol + digitsOf(rounded)
    return code === '' ? sign + digitsOf(rounded) : `${sign}${digitsOf(rounded)} ${code}`
  })
}

/** How many decimals money of this currency is shown with. */
export function decimalsOf(currency: string): number {
  return CURRENCIES[currency.toUpperCase()]?.decimals ?? 8
}

/** A price with the decimals of its market's tick; without a tick every digit that was given. */
export function price(value: Numeric, tick?: Numeric): string {
  return atStep(value, tick)
}

/** A quantity with the decimals of its market's lot; without a lot every digit that was given. */
export function quantity(value: Numeric, lot?: Numeric): string {
  return atStep(value, lot)
}

/** `+1.24%` from the fraction 0.0124: a signed change. */
export function change(fraction: Numeric, decimals = 2): string {
  return percentage(fraction, decimals, true)
}

/** `1.24%` from the fraction 0.0124: a share, a rate, a drawdown. */
export function percent(fraction: Numeric, decimals = 2): string {
  return percentage(fraction, decimals, false)
}

/** `12.5 bps`: costs. The value is in basis points already. */
export function bps(value: Numeric): string {
  return written(value, (number) => {
    const rounded = trim(round(number, 1))
    const unit = rounded.coefficient === 1n && rounded.scale === 0 ? 'bp' : 'bps'
    return `${signOf(rounded, false)}${digitsOf(rounded)} ${unit}`
  })
}

/** `1.24M`: three significant digits for axes and tiles, where the exact number is one hover away. */
export function compact(value: Numeric): string {
  return written(value, (number) => {
    let unit = 0
    while (unit < COMPACT_UNITS.length - 1 && reachesThousand(significant(number, unit))) unit += 1
    const rounded = significant(number, unit)
    return signOf(rounded, false) + digitsOf(trim(rounded)) + COMPACT_UNITS[unit]
  })
}

/** `1.5 MiB`: sizes in powers of 1,024. */
export function bytes(value: Numeric): string {
  return written(value, (number) => {
    const whole = round(number, 0)
    const sign = signOf(whole, false)
    if (whole.coefficient < 1024n) return `${sign}${whole.coefficient} B`
    let unit = 1
    while (unit < BYTE_UNITS.length - 1 && tenthsOf(whole.coefficient, unit) >= 10240n) unit += 1
    const tenths = { negative: false, coefficient: tenthsOf(whole.coefficient, unit), scale: 1 }
    return `${sign}${digitsOf(tenths)} ${BYTE_UNITS[unit]}`
  })
}

/** `350 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units, from seconds. */
export function duration(seconds: Numeric): string {
  return written(seconds, (number) => {
    const sign = number.negative && number.coefficient !== 0n ? MINUS : ''
    return sign + unsignedDuration({ ...number, negative: false })
  })
}

/** Which way a formatted number points, so that sign, arrow and colour can never disagree. */
export function directionOf(text: string): 'up' | 'down' | 'flat' | 'missing' {
  if (text === MISSING) return 'missing'
  if (text.startsWith(MINUS)) return 'down'
  return /[1-9]/.test(text) ? 'up' : 'flat'
}

function written(value: Numeric, write: (number: Decimal) => string): string {
  const number = parseDecimal(value)
  return number === null ? MISSING : write(number)
}

function signOf(number: Decimal, signed: boolean): string {
  if (number.coefficient === 0n) return ''
  if (number.negative) return MINUS
  return signed ? '+' : ''
}

function atStep(value: Numeric, step: Numeric): string {
  return written(value, (number) => {
    const grid = parseDecimal(step)
    const shown = grid === null || grid.coefficient === 0n ? trim(number) : round(number, trim(grid).scale)
    return signOf(shown, false) + digitsOf(shown)
  })
}

function percentage(fraction: Numeric, decimals: number, signed: boolean): string {
  return written(fraction, (number) => {
    const rounded = round(shift(number, 2), decimals)
    return `${signOf(rounded, signed)}${digitsOf(rounded)}%`
  })
}

/** The number in thousands of `unit`, rounded to three significant digits. */
function significant(number: Decimal, unit: number): Decimal {
  const scaled = { ...number, scale: number.scale + 3 * unit }
  for (const decimals of [2, 1]) {
    const rounded = round(scaled, decimals)
    if (rounded.coefficient < 1000n) return rounded
  }
  return round(scaled, 0)
}

function reachesThousand(number: Decimal): boolean {
  return number.coefficient >= 1000n * 10n ** BigInt(number.scale)
}

function tenthsOf(size: bigint, unit: number): bigint {
  const whole = 1024n ** BigInt(unit)
  return (size * 10n + whole / 2n) / whole
}

function unsignedDuration(seconds: Decimal): string {
  if (seconds.coefficient === 0n) return '0 s'
  const milliseconds = round(shift(seconds, 3), 0).coefficient
  if (milliseconds === 0n) return '< 1 ms'
  if (milliseconds < 1000n) return `${milliseconds} ms`
  const tenths = round(seconds, 1)
  if (tenths.coefficient < 600n) return `${digitsOf(trim(tenths))} s`
  const whole = round(seconds, 0).coefficient
  if (whole < 3600n) return twoUnits(whole / 60n, 'min', whole % 60n, 's')
  if (whole < 86400n) return twoUnits(whole / 3600n, 'h', (whole % 3600n) / 60n, 'min')
  return twoUnits(whole / 86400n, 'd', (whole % 86400n) / 3600n, 'h')
}

function twoUnits(large: bigint, largeUnit: string, small: bigint, smallUnit: string): string {
  const head = `${digitsOf({ negative: false, coefficient: large, scale: 0 })} ${largeUnit}`
  return small === 0n ? head : `${head} ${small} ${smallUnit}`
}
