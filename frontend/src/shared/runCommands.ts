/** The same run from a terminal, from Python, or over HTTP: each can be pasted and run as it is. */
import { backtestsPath, type RunWanted } from '@/api/backtests'
import { type Study, studyAddress, type StudyKind, type TriedValues } from '@/api/studies'
import { usual } from '@/api/usual'
import { flags, isGiven, isOnServerOnly, keywords, literal, loadBars, seriesFlags } from './barsCommands'
import type { Commands } from './components/CopyAs.vue'
import { curl, quoted } from './shell'

/** A strategy of one's own lives on the server: where it was saved as rules, its rules go along. */
export function runCommands(wanted: RunWanted): Commands {
  const { parameters = {}, seed } = wanted
  const arranged = [literal(parameters), ...keywords({ ...optionsOf(wanted), seed }, { seed: usual.seed })]
  return {
    cli: cli(wanted, 'run', parameterFlags(parameters)),
    python: python(wanted, 'backtest', arranged),
    curl: curl('POST', `${backtestsPath}/run`, { body: wanted }),
  }
}

export function studyCommands(kind: StudyKind, wanted: RunWanted, study: Study): Commands {
  const { space, ...plan } = study
  const fixed = Object.fromEntries(Object.entries(wanted.parameters ?? {}).filter(([name]) => !(name in space)))
  const windows = isGiven(plan.train) && isGiven(plan.test) ? { folds: null } : {}
  const unlessNone = { least_trades: plan.least_trades || null, purge: plan.purge || null, anchored: plan.anchored || null }
  const chosen = { ...plan, ...windows, ...unlessNone }
  const { anchored, ...numbers } = chosen
  const tried = Object.entries(space).map(([name, values]) => `-p ${quoted(`${name}=${asRange(values)}`)}`)
  const typed = [...parameterFlags(fixed), ...tried]
  const options = { ...asTexts(fixed), ...optionsOf(wanted), seed: wanted.seed, ...chosen }
  const arranged = [literal(space), ...keywords(options, { seed: usual.seed })]
  return {
    cli: cli(wanted, kind.replace('_', '-'), typed, [...flags(numbers), ...(anchored ? ['--anchored'] : [])]),
    python: python(wanted, kind, arranged),
    curl: curl('POST', studyAddress(kind), { body: { ...wanted, ...study } }),
  }
}

function cli(wanted: RunWanted, command: string, parameters: readonly string[], plan: readonly string[] = []) {
  const bars = seriesFlags(wanted.series, wanted.start, wanted.end)
  if (bars === null) return undefined
  const rules = flags({ ...optionsOf(wanted), detail: wanted.trading.execution.detail, seed: wanted.seed }, { seed: usual.seed })
  return [`tidemark backtest ${command}`, `--strategy ${quoted(wanted.strategy)}`, ...parameters, ...bars, ...rules, ...plan].join(' ')
}

function python({ strategy, series, start, end, trading }: RunWanted, verb: string, more: readonly string[]) {
  if (isOnServerOnly(series)) return undefined
  return [
    `from backend.research import ${[verb, 'load_bars'].sort().join(', ')}`,
    '',
    'bars = [', ...series.map((one) => `    ${loadBars(one, start, end, trading.execution.detail)},`), ']',
    `result = ${verb}(${[literal(strategy), 'bars', ...more].join(', ')})`,
    'print(result)',
    '',
  ].join('\n')
}

/** What differs from what is usual there, by the names that the command line and Python share. */
function optionsOf({ trading }: RunWanted) {
  const { cash, costs, sizing, execution } = trading
  const given: Record<string, unknown> = { cash, ...below('costs', costs), ...below('sizing', sizing), ...below('execution', execution) }
  return Object.fromEntries(Object.entries(given).flatMap(([path, value]) => {
    // Shorter bars are said with the bars.
    const isUsual = path === 'execution/detail' || value === usual[`trading/${path}`]
    return isUsual ? [] : [[optionNames[path] ?? path.replace(/^.*\//, ''), value]]
  }))
}

const optionNames: Record<string, string> = { 'sizing/method': 'sizing', 'sizing/percent': 'size_percent', 'sizing/amount': 'size_amount' }

function below(name: string, values: object) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}/${key}`, value as unknown]))
}

function parameterFlags(parameters: Readonly<Record<string, unknown>>) {
  return Object.entries(parameters).map(([name, value]) => `-p ${quoted(`${name}=${asValue(value)}`)}`)
}

function asRange(values: TriedValues) {
  if (typeof values === 'string') return 'auto'
  return 'from' in values ? `${values.from}:${values.to}:${values.step}` : JSON.stringify(values)
}

function asValue(value: unknown) {
  return typeof value === 'string' ? asText(value) : JSON.stringify(value)
}

/** Text that would be read as something else, such as a number or a range, has to say that it is text. */
function asText(value: string) {
  return /^[A-Za-z_][\w.'/$&-]*$/.test(value) && !/^(?:true|false|null|nan|infinity|auto)$/i.test(value) ? value : JSON.stringify(value)
}

/** Rules as text: where values are tried, Python would take a document for a range. */
function asTexts(parameters: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, typeof value === 'object' && value !== null ? JSON.stringify(value) : value]))
}
