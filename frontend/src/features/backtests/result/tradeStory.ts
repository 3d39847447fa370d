/** Why a trade is what it is: what was said, which rule filled it, and what that cost. */
import type { RunConfig, TradeExplained } from '@/api/backtestResults'
import { bps, fixed } from '@/shared/format'
import { tidied, type Trade } from './tradeStore'

export interface FillStory {
  what: string
  time: string
  price: number
  quantity: number
  value: number
  reason: string
  rule: string
}

/** The rules are those of docs/fills.md. */
export function fillsOf(trade: Trade, config: RunConfig): FillStory[] {
  const isLong = trade.side === 'long'
  const entry: FillStory = {
    what: isLong ? 'Bought' : 'Sold short', time: trade.entryTime, price: trade.entryPrice, quantity: trade.quantity,
    value: trade.quantity * trade.entryPrice, reason: said(trade.entryReason), rule: entryRule(trade, config),
  }
  if (trade.isOpen) return [entry]
  return [entry, {
    what: isLong ? 'Sold' : 'Bought back', time: trade.exitTime, price: trade.exitPrice, quantity: trade.quantity,
    value: trade.quantity * trade.exitPrice, reason: said(trade.exitReason), rule: exitRule(trade, config),
  }]
}

/** As the server tells them, with the very prices that decided. */
export function toldFills({ orders }: TradeExplained): FillStory[] {
  return orders.map((order) => ({
    what: order.is_filled ? `${order.side.charAt(0).toUpperCase()}${order.side.slice(1)}` : 'Still held, valued',
    time: order.time, price: tidied(order.price), quantity: tidied(order.quantity), value: order.quantity * order.price,
    reason: said(order.why),
    rule: order.worse_than_open_bps ? `${order.sentence} Filled ${bps(order.worse_than_open_bps)} worse than that.` : order.sentence,
  }))
}

function entryRule({ entryReason }: Trade, { trading }: RunConfig) {
  if (entryReason === 'limit order') {
    return trading.execution.intrabar === 'optimistic'
      ? 'A limit fills where its price is touched.'
      : 'A limit fills at its price once the bar traded beyond it; a touch alone does not fill it.'
  }
  return `A signal acts at the open of the next bar, as a market order${worse(trading.costs)}.`
}

function exitRule({ exitReason }: Trade, { trading: { costs, execution } }: RunConfig) {
  const order = execution.intrabar === 'pessimistic' ? ' Where a bar hides the order of its prices, the worse came first.' : ''
  if (exitReason === 'stop' || exitReason === 'trailing stop') {
    return `A stop fills at its price, or at the open where the bar opened beyond it${worse(costs)}.${order}`
  }
  if (exitReason === 'target') {
    const touch = execution.intrabar === 'optimistic' ? 'where its price is touched' : 'once the bar traded beyond it'
    return `A target fills at its price ${touch}.${order}`
  }
  if (exitReason === 'liquidation') return 'The account could not carry the position any longer, so it was closed.'
  return `A signal acts at the open of the next bar, as a market order${worse(costs)}.`
}

function worse({ slippage_bps: slippage = 0, spread_bps: spread = 0, impact_bps: impact = 0 }: Record<string, number>) {
  const total = slippage + spread / 2
  if (total === 0 && impact === 0) return ''
  return impact > 0 ? `, worse by ${bps(total)} and what its size moves the market` : `, worse by ${bps(total)}`
}

function said(reason: string) {
  return reason === '' ? 'No reason was given.' : `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
}

/** `3.2 times what it risked` for trades with a stop of the run; how much of its best point a trade kept. */
export function keptOf({ return: made, mfe }: Trade): string | null {
  if (!Number.isFinite(mfe) || mfe <= 0 || !Number.isFinite(made)) return null
  return `${fixed(made / mfe * 100, 0)}%`
}
