/** The parameters of a strategy as rows of a table, from their JSON Schema. */
import { quantity } from '@/shared/format'

export interface ParameterRow {
  name: string
  title: string
  description: string
  fallback: string
  bounds: string
  unit: string
}

interface Facts {
  title?: string
  description?: string
  type?: string
  default?: unknown
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  exclusiveMaximum?: number
  enum?: unknown[]
  anyOf?: Facts[]
  $ref?: string
  allOf?: Facts[]
  unit?: string
}

export function parameterRows(schema: Record<string, unknown>): ParameterRow[] {
  const properties = (schema.properties ?? {}) as Record<string, Facts>
  const named = (schema.$defs ?? {}) as Record<string, Facts>
  return Object.entries(properties).map(([name, facts]) => ({
    name,
    title: facts.title ?? name,
    description: facts.description ?? '',
    fallback: facts.type === 'object' ? '' : wordOf(facts.default),
    bounds: boundsOf(facts, named),
    unit: facts.unit ?? '',
  }))
}

function boundsOf(facts: Facts, named: Record<string, Facts>): string {
  const whole = { ...referred(facts, named), ...facts }
  if (whole.enum) return whole.enum.map(wordOf).join(', ')
  if (whole.type === 'boolean') return 'yes or no'
  const least = whole.minimum ?? whole.exclusiveMinimum
  const most = whole.maximum ?? whole.exclusiveMaximum
  const above = whole.minimum === undefined && least !== undefined ? 'above ' : ''
  if (least !== undefined && most !== undefined) return `${above}${wordOf(least)} to ${wordOf(most)}`
  if (least !== undefined) return above ? `${above}${wordOf(least)}` : `at least ${wordOf(least)}`
  if (most !== undefined) return `at most ${wordOf(most)}`
  return whole.type === 'object' ? 'rules' : ''
}

function referred(facts: Facts, named: Record<string, Facts>): Facts {
  const reference = facts.$ref ?? facts.allOf?.[0]?.$ref
  if (reference !== undefined) return named[reference.split('/').at(-1) ?? ''] ?? {}
  return facts.anyOf?.find(({ type }) => type !== 'null') ?? {}
}

function wordOf(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'number' ? quantity(value) : String(value as string)
}
