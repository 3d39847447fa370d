/**
 * Decimal numbers as text: read, shifted and rounded exactly, with no float in between.
 * Rounding is half away from zero everywhere, here and in the Python twin (backend/domain/format.py).
 */

/** What the API and the charts hand over: decimals travel as strings, research numbers as floats. */
export type Numeric = string | number | bigint | null | undefined

/** Shown where there is no value; `MISSING_NAME` is what a screen reader says instead. */
export const MISSING = '—'
export const MISSING_NAME = 'no value'
export const MINUS = '\u2212'

/** `coefficient` × 10^-`scale`, with the sign kept apart so that rounding never sees it. */
export interface Decimal {
  negative: boolean
  coefficient: bigint
  scale: number
}

const DECIMAL = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?$/
const LARGEST_EXPONENT = 400

/** The number a text or float stands for, or null for anything that is not a finite number. */
export function parseDecimal(value: Numeric): Decimal | null {
  if (value === null || value === undefined) return null
  const match = DECIMAL.exec(String(value))
  if (match === null) return null
  const [, sign, whole = '', fraction = '', bareFraction = '', exponentText = '0'] = match
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > LARGEST_EXPONENT) return null
  const decimals = fraction + bareFraction
  const unscaled = { negative: sign === '-', coefficient: BigInt(whole + decimals), scale: decimals.length }
  return shift(unscaled, exponent)
}

/** The number times 10^`places`. */
export function shift(number: Decimal, places: number): Decimal {
  const scale = number.scale - places
  if (scale >= 0) return { ...number, scale }
  return { ...number, coefficient: number.coefficient * 10n ** BigInt(-scale), scale: 0 }
}

/** The number with exactly `places` decimals; half rounds away from zero, and zero has no sign. */
export function round(number: Decimal, places: number): Decimal {
  const surplus = number.scale - places
  let coefficient = number.coefficient
  if (surplus > 0) {
    const unit = 10n ** BigInt(surplus)
    coefficient = (coefficient + unit / 2n) / unit
  } else {
    coefficient *= 10n ** BigInt(-surplus)
  }
  return { negative: number.negative && coefficient !== 0n, coefficient, scale: places }
}

/** The digits without the sign: thousands grouped, every decimal kept. */
export function digitsOf(number: Decimal): string {
  const digits = number.coefficient.toString().padStart(number.scale + 1, '0')
  const cut = digits.length - number.scale
  const whole = digits.slice(0, cut).replace(/\B(?=(?:[0-9]{3})+$)/g, ',')
  return number.scale === 0 ? whole : `${whole}.${digits.slice(cut)}`
}

/** The same number without trailing zeros, though never with fewer than `least` decimals. */
export function trim(number: Decimal, least = 0): Decimal {
  let { coefficient, scale } = number
  while (scale > least && coefficient % 10n === 0n) {
    coefficient /= 10n
    scale -= 1
  }
  return { negative: number.negative && coefficient !== 0n, coefficient, scale }
}

/** The number as machines write it: ASCII minus, no grouping, no trailing zeros beyond those given. */
export function plainText(number: Decimal): string {
  return (number.negative && number.coefficient !== 0n ? '-' : '') + digitsOf(number).replaceAll(',', '')
}

/** `value` plus `steps` times `step`, exactly, held within the bounds. */
export function stepBy(value: string, step: string, steps: number, min?: string, max?: string): string {
  const start = parseDecimal(value)
  const size = parseDecimal(step)
  if (start === null || size === null) return value
  const scale = Math.max(start.scale, size.scale)
  let at = signed(start, scale) + signed(size, scale) * BigInt(steps)
  const least = parseDecimal(min)
  const most = parseDecimal(max)
  if (least !== null && at < signed(least, scale)) at = signed(least, scale)
  if (most !== null && at > signed(most, scale)) at = signed(most, scale)
  return plainText({ negative: at < 0n, coefficient: at < 0n ? -at : at, scale })
}

function signed(number: Decimal, scale: number): bigint {
  const { negative, coefficient } = round(number, scale)
  return negative ? -coefficient : coefficient
}
