/** Training, predicting and what else is done with models, from a terminal, from Python or over HTTP. */
import type { ModelSpec } from '@/api/modelCards'
import { modelAddress, modelsPath, type PredictionAsked, predictionsPath, type TrainingWanted } from '@/api/models'
import { flags, isOnServerOnly, keywords, loadBars, seriesFlags } from '@/shared/barsCommands'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'

export function listCommands(): Commands {
  return { curl: curl('GET', modelsPath) }
}

/** On the same number of cores the same model comes out. */
export function trainCommands({ threads, ...wanted }: TrainingWanted & { threads?: number }): Commands {
  const { series, start = null, end = null, spec } = wanted
  return {
    ...asked('train', 'model', series, [start, end], { ...optionsOf(spec), threads }),
    curl: curl('POST', `${modelsPath}/train`, { body: threads === undefined ? wanted : { ...wanted, threads } }),
  }
}

/** A model that is named lives on the server; a question can be asked anywhere, with bars since then where none are stored. */
export function predictCommands(question: PredictionAsked, since: string): Commands {
  const http = { curl: curl('POST', predictionsPath, { body: question }) }
  if ('model_id' in question) return http
  return { ...asked('predict', 'prediction', question.series, [since, null], optionsOf(question.spec)), ...http }
}

export function trackRecordCommands(id: string): Commands {
  return { curl: curl('GET', `${modelAddress(id)}/track-record`) }
}

export function driftCommands(id: string): Commands {
  return { curl: curl('GET', `${modelAddress(id)}/drift`) }
}

export function standingCommands(id: string, what: 'promote' | 'rollback' | 'delete'): Commands {
  return { curl: what === 'delete' ? curl('DELETE', modelAddress(id)) : curl('POST', `${modelAddress(id)}/${what}`) }
}

function asked(
  verb: string, result: string, series: TrainingWanted['series'], [start, end]: [string | null, string | null], options: Record<string, unknown>,
): Commands {
  const bars = seriesFlags([series], start, end)
  if (bars === null || isOnServerOnly([series])) return {}
  return {
    cli: [`tidemark model ${verb}`, ...bars, ...flags(options)].join(' '),
    python: [
      `from backend.research import load_bars, ${verb}`,
      '',
      `bars = ${loadBars(series, start, end)}`,
      `${result} = ${verb}(${['bars', ...keywords(options)].join(', ')})`,
      `print(${result})`,
      '',
    ].join('\n'),
  }
}

/** What is set for this question; an unset embargo is the horizon. */
function optionsOf(spec: Partial<ModelSpec>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => name !== 'barrier' || spec.label === 'triple_barrier'))
}
