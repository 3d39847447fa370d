/** The numbers of a run's trading rules: what each means in one line, and what it may be. Names are their JSON pointers. */

export interface TradingField {
  /** Below `/trading`. */
  name: string
  label: string
  hint: string
  unit?: string
  min?: string
  max?: string
  step?: string
  /** What stands there until somebody says otherwise; empty means off. */
  usual: string | null
}

export const costFields: readonly TradingField[] = [
  { name: 'costs/taker_bps', label: 'Taker fee', hint: 'Of market orders and stops', unit: 'bps', min: '0', max: '5000', usual: '10' },
  { name: 'costs/maker_bps', label: 'Maker fee', hint: 'Of limits and targets', unit: 'bps', min: '0', max: '5000', usual: '10' },
  { name: 'costs/slippage_bps', label: 'Slippage', hint: 'How much worse market orders and stops fill', unit: 'bps', min: '0', max: '5000', usual: '5' },
  { name: 'costs/spread_bps', label: 'Spread', hint: 'The whole spread; half of it is paid', unit: 'bps', min: '0', max: '5000', usual: '0' },
  { name: 'costs/impact_bps', label: 'Market impact', hint: 'Of an order as large as the bar’s volume', unit: 'bps', min: '0', max: '5000', usual: '0' },
  { name: 'costs/borrow_percent_a_year', label: 'Borrowing', hint: 'Interest on what is sold short or owed', unit: '% a year', min: '0', max: '1000', usual: '0' },
  { name: 'costs/minimum_fee', label: 'Least fee', hint: 'Of one order, in the account’s money', min: '0', max: '1000000', usual: '0' },
]

export const cashField: TradingField = {
  name: 'cash', label: 'Cash at the start', hint: 'In the money that the symbol is quoted in', min: '0.01', max: '1000000000000000', step: '1000', usual: '10000',
}

export const sizeFields = {
  percent: { name: 'sizing/percent', label: 'Percent', hint: 'Of equity', unit: '%', min: '0.01', max: '1000', usual: null },
  amount: { name: 'sizing/amount', label: 'Amount', hint: '', min: '0', max: '1000000000000000', usual: null },
  bars: { name: 'sizing/volatility_bars', label: 'Volatility over', hint: 'How many bars it is measured over', unit: 'bars', min: '2', max: '10000', usual: '20' },
} satisfies Record<string, TradingField>

export const exitFields: readonly TradingField[] = [
  { name: 'execution/stop_percent', label: 'Stop', hint: 'This far from the fill', unit: '%', min: '0.01', max: '99.99', step: '0.5', usual: null },
  { name: 'execution/target_percent', label: 'Target', hint: 'This far from the fill', unit: '%', min: '0.01', max: '1000', step: '0.5', usual: null },
  { name: 'execution/trail_percent', label: 'Trailing stop', hint: 'This far from the best price since', unit: '%', min: '0.01', max: '99.99', step: '0.5', usual: null },
]

export const advancedFields: readonly TradingField[] = [
  { name: 'execution/leverage', label: 'Leverage', hint: 'Positions to equity, at most', unit: 'times', min: '0.01', max: '100', step: '0.5', usual: '1' },
  { name: 'execution/most_positions', label: 'Most positions', hint: 'Open at the same time', min: '1', max: '10000', usual: null },
  { name: 'execution/limit_life_bars', label: 'Limit orders live', hint: 'Then they are cancelled', unit: 'bars', min: '1', max: '1000000', usual: null },
  { name: 'execution/volume_percent', label: 'Share of volume', hint: 'At most so much of a bar’s volume is filled', unit: '%', min: '0.01', max: '100', step: '5', usual: null },
]

export const allTradingFields: readonly TradingField[] = [
  cashField, ...costFields, ...Object.values(sizeFields), ...exitFields, ...advancedFields,
]

export const sizingNames = {
  all_in: 'All of the account',
  fraction: 'A share of equity',
  notional: 'A fixed amount of money',
  quantity: 'A fixed number of units',
  volatility: 'By volatility',
  risk: 'By what the stop may lose',
} as const
export type SizingMethod = keyof typeof sizingNames

/** What each method of sizing asks for. */
export const sizeNeeds: Record<SizingMethod, { field: 'percent' | 'amount', label: string, hint: string } | null> = {
  all_in: null,
  fraction: { field: 'percent', label: 'Share', hint: 'Of equity, for each entry' },
  notional: { field: 'amount', label: 'Money', hint: 'For each entry' },
  quantity: { field: 'amount', label: 'Units', hint: 'For each entry' },
  volatility: { field: 'percent', label: 'Volatility', hint: 'Of the position in a year, as a share of equity' },
  risk: { field: 'percent', label: 'Risk', hint: 'Of equity, lost when the stop is hit. It needs a stop' },
}

export const sideOptions = [{ value: 'long', label: 'Long' }, { value: 'short', label: 'Short' }, { value: 'both', label: 'Both' }] as const
export const intrabarOptions = [
  { value: 'pessimistic', label: 'Pessimistic', hint: 'The worse came first; limits and targets must be traded through' },
  { value: 'neutral', label: 'Neutral', hint: 'What is nearer to the open came first' },
  { value: 'optimistic', label: 'Optimistic', hint: 'The better came first; a touch fills' },
] as const
export const remainderOptions = [{ value: 'carry', label: 'Is carried to the next bar' }, { value: 'cancel', label: 'Is cancelled' }] as const
