/** A document of rules as the builder edits it: every change makes a new document, and a path names each place in it. */
import type { Grammar } from '@/api/strategies'

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject { [name: string]: Json | undefined }
export type Path = readonly (string | number)[]

export const kinds = ['compare', 'and', 'or', 'not', 'for', 'within', 'time', 'weekday', 'pattern'] as const
export type Kind = typeof kinds[number]
export type ValueKind = 'number' | 'price' | 'indicator'

const wrappers = ['not', 'for', 'within']
const comparisons = ['>', '>=', '<', '<=', 'crosses_above', 'crosses_below']

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a condition is, or null for what the builder cannot show. */
export function kindOf(node: Json | undefined): Kind | null {
  if (!isObject(node) || typeof node.op !== 'string') return null
  const { op } = node
  if (comparisons.includes(op)) return 'compare'
  return kinds.find((kind) => kind === op) ?? null
}

export function valueKindOf(value: Json | undefined): ValueKind | null {
  if (typeof value === 'number') return 'number'
  if (!isObject(value)) return null
  return (['number', 'price', 'indicator'] as const).find((kind) => kind in value) ?? null
}

/** As JSON points at it, and as the server does. */
export function pointerOf(path: Path) {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

export function at(document: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((place, part) => {
    if (Array.isArray(place)) return place[Number(part)]
    return isObject(place) ? place[part] : undefined
  }, document)
}

/** A document with this in that place; `undefined` takes the place away. */
export function withAt(document: Json, path: Path, value: Json | undefined): Json {
  const [first, ...rest] = path
  if (first === undefined) return value ?? {}
  if (Array.isArray(document)) {
    const place = Number(first)
    const made = rest.length > 0 ? withAt(document[place] ?? {}, rest, value) : value
    if (made === undefined) return document.filter((_, index) => index !== place)
    return document.map((one, index) => (index === place ? made : one))
  }
  const object = isObject(document) ? document : {}
  const made = rest.length > 0 ? withAt(object[first] ?? {}, rest, value) : value
  return Object.fromEntries([...Object.entries({ ...object, [first]: made })].filter(([, each]) => each !== undefined))
}

export function blank(kind: Kind = 'compare'): JsonObject {
  switch (kind) {
    case 'compare': return { op: '>', left: { price: 'close' }, right: { indicator: 'sma', parameters: { period: 50 } } }
    case 'and': case 'or': return { op: kind, of: [blank(), blank()] }
    case 'not': return { op: kind, of: blank() }
    case 'for': case 'within': return { op: kind, bars: 3, of: blank() }
    case 'time': return { op: kind, from: '09:30', to: '16:00', zone: 'America/New_York' }
    case 'weekday': return { op: kind, days: ['mon', 'tue', 'wed', 'thu', 'fri'], zone: 'UTC' }
    case 'pattern': return { op: kind, pattern: 'engulfing', side: 'any' }
  }
}

/** The same condition as another kind, keeping as much of it as fits. */
export function asKind(node: Json | undefined, kind: Kind): JsonObject {
  const now = kindOf(node)
  if (now === null || !isObject(node)) return blank(kind)
  if (now === kind) return node
  const [first] = childrenOf(node)
  if (kind === 'and' || kind === 'or') return isJoint(now) ? { ...node, op: kind } : { op: kind, of: [node, blank()] }
  if (wrappers.includes(kind)) {
    const of = wrappers.includes(now) ? first ?? blank() : node
    return kind === 'not' ? { op: kind, of } : { op: kind, bars: typeof node.bars === 'number' ? node.bars : 3, of }
  }
  // What holds a condition of the wanted kind is reduced to it.
  return first !== undefined && kindOf(first) === kind && isObject(first) ? first : blank(kind)
}

export function isJoint(kind: Kind | null) {
  return kind === 'and' || kind === 'or'
}

export function childrenOf(node: Json | undefined): Json[] {
  if (!isObject(node) || node.of === undefined) return []
  return Array.isArray(node.of) ? node.of : [node.of]
}

/** Without this condition. A group that is left with one becomes that one; what held only it goes with it. */
export function without(document: Json, path: Path): Json {
  const last = path.at(-1)
  if (typeof last === 'number') {
    const group = path.slice(0, -2)
    const rest = childrenOf(at(document, group)).filter((_, index) => index !== last)
    if (rest.length === 0) return without(document, group)
    return rest.length === 1 ? withAt(document, group, rest[0]) : withAt(document, [...group, 'of'], rest)
  }
  if (last === 'of') return without(document, path.slice(0, -1))
  if (last === 'enter') return withAt(document, path.slice(0, -1), undefined) // a side without an entry is none
  return withAt(document, path, undefined)
}

/** Where a condition of a group would go, or null at its end. */
export function movedPath(document: Json, path: Path, by: -1 | 1): Path | null {
  const last = path.at(-1)
  if (typeof last !== 'number') return null
  const count = childrenOf(at(document, path.slice(0, -2))).length
  const to = last + by
  return to < 0 || to >= count ? null : [...path.slice(0, -1), to]
}

export function moved(document: Json, path: Path, by: -1 | 1): Json {
  const to = movedPath(document, path, by)
  if (to === null) return document
  return withAt(withAt(document, path, at(document, to)), to, at(document, path))
}

/** One more condition beside this one: in its group, or in a new one that joins both. */
export function withMore(document: Json, path: Path): { document: Json, path: Path } {
  const node = at(document, path)
  if (isJoint(kindOf(node))) {
    const of = childrenOf(node)
    return { document: withAt(document, [...path, 'of'], [...of, blank()]), path: [...path, 'of', of.length] }
  }
  return { document: withAt(document, path, { op: 'and', of: [node ?? blank(), blank()] }), path: [...path, 'of', 1] }
}

export function valueAs(kind: ValueKind, grammar: Pick<Grammar, 'indicators'>): JsonObject | number {
  if (kind === 'number') return 0
  if (kind === 'price') return { price: 'close' }
  const sma = grammar.indicators.find(({ name }) => name === 'sma') ?? grammar.indicators[0]
  return sma === undefined ? { indicator: 'sma' } : indicatorValue(sma)
}

export function indicatorValue({ name, parameters, outputs }: Grammar['indicators'][number]): JsonObject {
  return {
    indicator: name,
    parameters: Object.fromEntries(parameters.map((one) => [one.name, one.default])),
    ...(outputs.length > 1 && outputs[0] !== undefined ? { output: outputs[0] } : {}),
  }
}

/** Messages of the server for this place alone, in one line. */
export function errorAt(errors: readonly { pointer: string, detail: string }[], path: Path) {
  const pointer = pointerOf(path)
  const found = errors.filter((error) => error.pointer === pointer).map(({ detail }) => detail)
  return found.length > 0 ? found.join(' ') : undefined
}
