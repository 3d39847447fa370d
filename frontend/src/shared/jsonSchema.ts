/** The fields of a form from a JSON Schema as pydantic writes it, and what may be wrong with what is in them. */

export interface JsonSchema {
  type?: string
  title?: string
  description?: string
  /** Ours: what the number counts. */
  unit?: string
  default?: unknown
  enum?: readonly unknown[]
  const?: unknown
  anyOf?: readonly JsonSchema[]
  allOf?: readonly JsonSchema[]
  $ref?: string
  $defs?: Readonly<Record<string, JsonSchema>>
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  items?: JsonSchema
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  multipleOf?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

export type FieldKind = 'integer' | 'number' | 'boolean' | 'choice' | 'choices' | 'text' | 'group' | 'json'

export interface SchemaField {
  name: string
  kind: FieldKind
  label: string
  hint?: string
  unit?: string
  /** It may be left empty: null is sent, or nothing. */
  optional: boolean
  default: unknown
  min?: number
  max?: number
  /** The bound itself is not allowed. */
  above?: number
  below?: number
  step?: number
  longest?: number
  least?: number
  most?: number
  choices: readonly { value: string | number | boolean, label: string }[]
  /** Of a group. */
  fields: readonly SchemaField[]
}

export type Values = Readonly<Record<string, unknown>>

export function fieldsOf(schema: JsonSchema, root = schema): SchemaField[] {
  const { properties = {}, required = [] } = resolved(schema, root).meant
  return Object.entries(properties).map(([name, property]) => fieldOf(name, property, required.includes(name), root))
}

/** What a form begins with. */
export function defaultsOf(fields: readonly SchemaField[]): Record<string, unknown> {
  return Object.fromEntries(fields.flatMap((field) => {
    const value = field.kind === 'group' && isRecord(field.default) ? { ...defaultsOf(field.fields), ...field.default } : field.default
    if (field.kind === 'group' && !field.optional) return [[field.name, value ?? defaultsOf(field.fields)]]
    return value === undefined ? [] : [[field.name, value]]
  }))
}

/** What keeps a value from being sent, by JSON pointer below `at`. The server has the last word. */
export function problemsOf(fields: readonly SchemaField[], values: Values, at = ''): Record<string, string> {
  return Object.assign({}, ...fields.map((field): Record<string, string> => {
    const pointer = pointerTo(at, field.name)
    const value = values[field.name]
    if (isAbsent(value)) return field.optional || field.default !== undefined ? {} : { [pointer]: `${field.label} is needed.` }
    if (field.kind === 'group') return problemsOf(field.fields, isRecord(value) ? value : {}, pointer)
    const problem = problemOf(field, value)
    return problem === undefined ? {} : { [pointer]: problem }
  })) as Record<string, string>
}

/** RFC 6901. */
export function pointerTo(at: string, name: string) {
  return `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function problemOf({ kind, label, min, max, above, below, longest, least, most }: SchemaField, value: unknown): string | undefined {
  if (kind === 'integer' || kind === 'number') {
    const number = Number(value)
    if (!Number.isFinite(number)) return `${label} is not a number.`
    if (kind === 'integer' && !Number.isInteger(number)) return `${label} is a whole number.`
    if (min !== undefined && number < min) return `The least is ${min}.`
    if (max !== undefined && number > max) return `The most is ${max}.`
    if (above !== undefined && number <= above) return `It has to be more than ${above}.`
    if (below !== undefined && number >= below) return `It has to be less than ${below}.`
  }
  if (kind === 'text' && longest !== undefined && String(value).length > longest) return `It may have ${longest} characters at most.`
  if (kind === 'choices' && Array.isArray(value)) {
    if (least !== undefined && value.length < least) return `Choose at least ${least}.`
    if (most !== undefined && value.length > most) return `Choose at most ${most}.`
  }
  return undefined
}

function fieldOf(name: string, schema: JsonSchema, isRequired: boolean, root: JsonSchema): SchemaField {
  const { meant, nullable } = resolved(schema, root)
  const choices = choicesOf(meant)
  const of = meant.items === undefined ? undefined : resolved(meant.items, root).meant
  const kind = kindOf(meant, choices, of === undefined ? [] : choicesOf(of))
  return {
    name,
    kind,
    label: schema.title ?? (meant.properties === undefined && meant.enum === undefined ? meant.title : undefined) ?? inWords(name),
    hint: schema.description ?? (kind === 'group' ? meant.description : undefined),
    unit: schema.unit ?? meant.unit,
    optional: nullable || (!isRequired && schema.default === undefined),
    default: 'default' in schema ? schema.default : meant.default,
    min: meant.minimum,
    max: meant.maximum,
    above: meant.exclusiveMinimum,
    below: meant.exclusiveMaximum,
    step: meant.multipleOf,
    longest: meant.maxLength,
    least: meant.minItems,
    most: meant.maxItems,
    choices: kind === 'choices' && of !== undefined ? choicesOf(of) : choices,
    fields: kind === 'group' ? fieldsOf(meant, root) : [],
  }
}

/** What is behind references and `X | null`. Where several kinds are possible nothing is decided. */
function resolved(schema: JsonSchema, root: JsonSchema): { meant: JsonSchema, nullable: boolean } {
  if (schema.$ref !== undefined) {
    const found = root.$defs?.[schema.$ref.split('/').at(-1) ?? ''] ?? {}
    return resolved(found, root)
  }
  if (schema.allOf?.length === 1) return resolved({ ...schema.allOf[0], ...without(schema, 'allOf') }, root)
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.filter(({ type }) => type !== 'null')
    const nullable = kinds.length < schema.anyOf.length
    const [only] = kinds
    if (kinds.length === 1 && only !== undefined) return { meant: resolved(only, root).meant, nullable }
    return { meant: schema, nullable }
  }
  return { meant: schema, nullable: false }
}

function kindOf({ type, properties }: JsonSchema, own: readonly unknown[], ofItems: readonly unknown[]): FieldKind {
  if (own.length > 0) return 'choice'
  if (type === 'integer' || type === 'number' || type === 'boolean') return type
  if (type === 'string') return 'text'
  if (type === 'array' && ofItems.length > 0) return 'choices'
  return type === 'object' && properties !== undefined ? 'group' : 'json'
}

function choicesOf({ enum: values, const: only }: JsonSchema) {
  const all = values ?? (only === undefined ? [] : [only])
  return all.filter(isSimple).map((value) => ({ value, label: typeof value === 'string' ? inWords(value) : String(value) }))
}

/** `at_once` is said as `At once`. */
function inWords(name: string) {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function without(schema: JsonSchema, name: keyof JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== name))
}

function isSimple(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

export function isAbsent(value: unknown) {
  return value === null || value === undefined || value === ''
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
