/** Whether a run came out the same again, and if not, which of its inputs changed: the sentences of `tidemark backtest replay`. */
import type { Manifest } from '@/api/backtestResults'
import { integer } from '@/shared/format'

export interface ReplayVerdict {
  isSame: boolean
  sentence: string
  /** Which inputs differ, a sentence each. */
  changes: string[]
}

export function replayVerdict(before: Manifest, now: Manifest): ReplayVerdict {
  const [then, today] = [before.outcome, now.outcome]
  const sameTrades = then.trades_hash === today.trades_hash
  const sameEquity = then.equity_hash === today.equity_hash
  const changes = changesOf(before, now)
  const trades = `${integer(today.trades)} ${today.trades === 1 ? 'trade' : 'trades'}`
  if (sameTrades && sameEquity) return { isSame: true, changes, sentence: `The same to the last bit: ${trades} and the equity of every bar.` }
  const what = then.trades === today.trades ? `${trades}, but not the same` : `${integer(then.trades)} trades then, ${integer(today.trades)} now`
  const parts = sameTrades ? `The same ${trades}, but another equity.` : `Another result: ${what}.`
  const cause = changes.length === 0 ? ' None of the inputs in the manifest changed, so the strategy itself may not answer the same twice.' : ''
  return { isSame: false, changes, sentence: parts + cause }
}

export function changesOf(before: Manifest, now: Manifest): string[] {
  return [
    ...dataChanges(before, now),
    ...(before.strategy.source_hash === now.strategy.source_hash
      ? []
      : [`The source of the strategy ${now.strategy.name} changed: ${short(before.strategy.source_hash)} then, ${short(now.strategy.source_hash)} now.`]),
    ...valueChanges('parameter', before.parameters, now.parameters),
    ...valueChanges('trading rule', flat(before.trading), flat(now.trading)),
    ...(before.seed === now.seed ? [] : [`The seed changed: ${before.seed} then, ${now.seed} now.`]),
    ...([['engine', 'The engine\'s code'], ['version', 'Tidemark\'s version']] as const).flatMap(([part, words]) => {
      return before.code[part] === now.code[part] ? [] : [`${words} changed: ${short(before.code[part])} then, ${short(now.code[part])} now.`]
    }),
  ]
}

function dataChanges(before: Manifest, now: Manifest): string[] {
  const old = new Map(before.data.map((one) => [one.symbol, one]))
  const fresh = new Map(now.data.map((one) => [one.symbol, one]))
  return [...new Set([...old.keys(), ...fresh.keys()])].sort().flatMap((symbol) => {
    const [then, today] = [old.get(symbol), fresh.get(symbol)]
    if (then === undefined || today === undefined) return [`The symbol ${symbol} was ${then === undefined ? 'added' : 'left out'}.`]
    return [
      ...(then.content_hash === today.content_hash
        ? []
        : [`The bars of ${symbol} changed: ${integer(then.bars)} then (${short(then.content_hash)}), ${integer(today.bars)} now (${short(today.content_hash)}).`]),
      ...(then.detail_hash === today.detail_hash ? [] : [`The shorter bars of ${symbol}, which decide inside its bars, changed.`]),
      ...valueChanges(`fact of ${symbol}`, then.instrument, today.instrument),
    ]
  })
}

function valueChanges(kind: string, before: object, now: object): string[] {
  const [old, fresh] = [new Map(Object.entries(before)), new Map(Object.entries(now))] as [Map<string, unknown>, Map<string, unknown>]
  const said = (value: unknown) => (value === undefined || value === null ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value))
  return [...new Set([...old.keys(), ...fresh.keys()])].sort().flatMap((name) => {
    const [then, today] = [old.get(name), fresh.get(name)]
    return JSON.stringify(then ?? null) === JSON.stringify(today ?? null) ? [] : [`The ${kind} ${name} changed: ${said(then)} then, ${said(today)} now.`]
  })
}

function flat(document: object, at = ''): Record<string, unknown> {
  return Object.fromEntries(Object.entries(document).flatMap(([name, value]: [string, unknown]) => {
    return typeof value === 'object' && value !== null ? Object.entries(flat(value, `${at}${name}.`)) : [[`${at}${name}`, value] as [string, unknown]]
  }))
}

function short(text: string | undefined) {
  return (text ?? 'none').slice(0, 12)
}
