/** The numbers in a tree of rules, by where they stand: a study tries them like the parameters of any strategy. */
import type { SchemaField, Values } from './jsonSchema'

/** Of `long.enter.of.1.right.number`: "Long enter 2 right". */
export function placeWords(place: string) {
  const parts = place.split('.').filter((part) => !['of', 'parameters', 'number'].includes(part))
  const words = parts.map((part) => (/^\d+$/.test(part) ? String(Number(part) + 1) : part.replaceAll('_', ' '))).join(' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** As fields of a form; those that a person has no use for are left out. */
export function numberFields(rules: unknown): SchemaField[] {
  return numbersIn(rules, []).map(([place, value]) => ({
    name: place, label: placeWords(place), kind: Number.isInteger(value) ? 'integer' : 'number',
    default: value, optional: false, choices: [], fields: [],
  }))
}

function numbersIn(node: unknown, way: readonly string[]): [string, number][] {
  if (typeof node === 'number') return [[way.join('.'), node]]
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, child]) => (isAsUsual(name, child) ? [] : numbersIn(child, [...way, name])))
}

function isAsUsual(name: string, value: unknown) {
  return (name === 'ago' && value === 0) || (name === 'times' && value === 1)
}

/** Parameters of a run, with numbers that a trial had put where they stand in its rules. */
export function withNumbers(parameters: Values, trial: Values): Record<string, unknown> {
  if (!('rules' in parameters)) return { ...parameters, ...trial }
  const put = (rules: unknown, [place, value]: [string, unknown]) => withAt(rules, place.split('.'), value)
  return { ...parameters, rules: Object.entries(trial).reduce(put, parameters.rules) }
}

/** A copy of what changes; the rest is shared. */
function withAt(node: unknown, [first, ...rest]: readonly string[], value: unknown): unknown {
  if (first === undefined) return value
  if (Array.isArray(node)) return node.map((child: unknown, at) => (String(at) === first ? withAt(child, rest, value) : child))
  const object = node as Record<string, unknown>
  return { ...object, [first]: withAt(object[first], rest, value) }
}

/** A number in rules is called by where it stands there, a parameter as it is. */
export function nameIn(name: string) {
  return name.includes('.') ? placeWords(name) : name
}
