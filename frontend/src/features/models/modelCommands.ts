/** Training, predicting and what else is done with models, from a terminal, from Python or over HTTP. */
import type { ModelSpec } from '@/api/modelCards'
import { modelsPath, type PredictionAsked, predictionsPath, type SeriesAsked, type TrainingWanted } from '@/api/models'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'

export function listCommands(): Commands {
  return { curl: curl('GET', modelsPath) }
}

/** On the same number of cores the same model comes out. */
export function trainCommands({ threads, ...wanted }: TrainingWanted & { threads?: number }): Commands {
  const { series, start, end, spec } = wanted
  const options = { ...optionsOf(spec), ...(threads === undefined ? {} : { threads }) }
  return {
    cli: ['tidemark model train', seriesOptions(series), ...range(start, end), ...flags(options)].join(' '),
    python: python('train', loadBars(series, start, end), options, 'model'),
    curl: curl('POST', `${modelsPath}/train`, threads === undefined ? wanted : { ...wanted, threads }),
  }
}

/** A model that is named lives on the server; a question can be asked anywhere. */
export function predictCommands(asked: PredictionAsked): Commands {
  const http = { curl: curl('POST', predictionsPath, asked) }
  if ('model_id' in asked) return http
  const { series, spec } = asked
  const options = optionsOf(spec)
  return {
    cli: ['tidemark model predict', seriesOptions(series), ...flags(options)].join(' '),
    python: python('predict', loadBars(series, null, null), options, 'prediction'),
    ...http,
  }
}

function python(verb: string, bars: string, options: Record<string, string | number>, result: string) {
  const settings = Object.entries(options).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return [
    `from backend.research import load_bars, ${verb}`,
    '',
    `bars = ${bars}`,
    `${result} = ${verb}(${['bars', ...settings].join(', ')})`,
    `print(${result})`,
    '',
  ].join('\n')
}

function flags(options: Record<string, string | number>) {
  return Object.entries(options).map(([name, value]) => `--${name.replaceAll('_', '-')} ${value}`)
}

/** What is set for this question; an unset embargo is the horizon. */
function optionsOf(spec: Partial<ModelSpec>) {
  const { label, barrier } = spec
  return Object.fromEntries(Object.entries(spec).filter(([name, value]) => {
    return value !== null && !(name === 'barrier' && (label !== 'triple_barrier' || barrier === undefined))
  })) as Record<string, string | number>
}

function seriesOptions({ provider, symbol, timeframe, adjustment }: SeriesAsked) {
  const adjusted = adjustment === 'raw' ? '' : ` --adjustment ${adjustment}`
  return `--provider ${quoted(provider)} --symbol ${quoted(symbol)} --timeframe ${timeframe}${adjusted}`
}

function range(start: string | null, end: string | null) {
  return [...(start ? [`--start ${moment(start)}`] : []), ...(end ? [`--end ${moment(end)}`] : [])]
}

function loadBars({ provider, symbol, timeframe, adjustment }: SeriesAsked, start: string | null, end: string | null) {
  const more = [
    ...(start ? [`start="${moment(start)}"`] : []),
    ...(end ? [`end="${moment(end)}"`] : []),
    ...(adjustment === 'raw' ? [] : [`adjustment="${adjustment}"`]),
  ]
  return `load_bars(${[...[provider, symbol, timeframe].map((text) => JSON.stringify(text)), ...more].join(', ')})`
}

/** Midnight is said as its day. */
function moment(text: string) {
  return new Date(text).toISOString().replace(/T00:00:00\.000Z$/, '').replace(/\.000Z$/, 'Z')
}
