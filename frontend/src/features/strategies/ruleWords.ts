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
