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
  const rules = structuredClone(parameters.rules) as Record<string, unknown>
  for (const [place, value] of Object.entries(trial)) {
    const way = place.split('.')
    const last = way.pop() ?? ''
    const node = way.reduce<Record<string, unknown>>((at, part) => at[part] as Record<string, unknown>, rules)
    node[last] = value
  }
  return { ...parameters, rules }
}
