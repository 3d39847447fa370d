/** What the builder calls the parts of rules. */
import type { Kind } from './ruleTree'

export const kindNames: Record<Kind, string> = {
  compare: 'Compare two values',
  and: 'All of these',
  or: 'Any of these',
  not: 'Not this',
  for: 'True for some bars',
  within: 'True within some bars',
  time: 'Time of day',
  weekday: 'Day of the week',
  pattern: 'Pattern',
}

export const operatorNames: Record<string, string> = {
  '>': 'is above', '>=': 'is at or above', '<': 'is below', '<=': 'is at or below', 'crosses_above': 'crosses above', 'crosses_below': 'crosses below',
}

export const priceNames: Record<string, string> = {
  open: 'Open', high: 'High', low: 'Low', close: 'Close', volume: 'Volume', middle: 'Middle of high and low', typical: 'Typical price',
}

export const dayNames: Record<string, string> = { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' }

export const sideNames = { bullish: 'Bullish', bearish: 'Bearish', any: 'Either' } as const

export const percentNames = { stop_percent: 'Stop', target_percent: 'Target', trail_percent: 'Trailing stop' } as const

const fieldNames: Record<string, string> = {
  ...percentNames, op: 'comparison', bars: 'bars', from: 'from', to: 'to', zone: 'time zone', days: 'days', pattern: 'pattern', side: 'side', price: 'price',
  indicator: 'indicator', output: 'output', ago: 'bars ago', times: 'times', timeframe: 'timeframe', number: 'number',
}
const valueNames: Record<string, string> = { left: 'first value', right: 'second value' }
const verbs: Record<string, string> = { enter: 'Enter', exit: 'Leave' }

/** A place in the rules as the builder shows it: “Enter long, condition 1, second value: period” for what JSON points at. */
export function placeWords(pointer: string): string {
  const [first = '', second = '', ...rest] = pointer.split('/').slice(1)
  if (first === '') return 'The rules'
  const isSide = first === 'long' || first === 'short'
  if (!isSide) return fieldNames[first] ?? first
  const places = [second in verbs ? `${verbs[second]} ${first}` : first === 'long' ? 'Long' : 'Short']
  let field = second === '' || second in verbs ? '' : second
  rest.forEach((part, at) => {
    const before = rest[at - 1]
    if (before === 'parameters') field = part.replaceAll('_', ' ')
    else if (/^\d+$/.test(part)) {
      if (before === 'of') places.push(`condition ${Number(part) + 1}`)
    } else if (part in valueNames) places.push(valueNames[part] ?? '')
    else if (part === 'of' && rest[at + 1] !== undefined && !/^\d+$/.test(rest[at + 1] ?? '')) places.push('this condition')
    else if (part !== 'of' && part !== 'parameters') field = fieldNames[part] ?? part
  })
  return places.join(', ') + (field === '' ? '' : `: ${field}`)
}
