/** Training, predicting and what else is done with models, from a terminal, from Python or over HTTP. */
import type { ModelSpec } from '@/api/modelCards'
import { modelAddress, modelsPath, type PredictionAsked, predictionsPath, type SeriesAsked, type TrainingWanted } from '@/api/models'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl, quoted } from '@/shared/shell'
import { shortId } from '@/shared/taskNames'

export function trainCommands(wanted: TrainingWanted): Commands {
  const { series, start, end, spec } = wanted
  const options = Object.entries(optionsOf(spec)).map(([name, value]) => `--${name.replaceAll('_', '-')} ${value}`)
  return {
    cli: ['tidemark model train', seriesOptions(series), ...range(start, end), ...options].join(' '),
    python: [
      'from backend.research import load_bars, train',
      '',
      `bars = ${loadBars(series, start, end)}`,
      `model = train(${['bars', ...Object.entries(optionsOf(spec)).map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(', ')})`,
      'print(model)',
      '',
    ].join('\n'),
    curl: curl('POST', `${modelsPath}/train`, wanted),
  }
}

export function predictCommands(asked: PredictionAsked): Commands {
  return { curl: curl('POST', predictionsPath, asked) }
}

export function promoteCommands(id: string): Commands {
  return { cli: `tidemark model promote ${shortId(id)}`, curl: curl('POST', `${modelAddress(id)}/promote`) }
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

export function driftCommand(id: string) {
  return `tidemark model drift ${shortId(id)}`
}
