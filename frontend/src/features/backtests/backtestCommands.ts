/** What is done with backtests, as commands that read `$TIDEMARK_TOKEN`. They live on the server, so curl reaches them. */
import {
  backtestAddress, type BacktestEdit, type BacktestFilter, backtestsAddress, backtestsPath, presetAddress, presetsPath, type RunWanted,
} from '@/api/backtests'
import type { Backtest, RunConfig } from '@/api/backtestResults'
import { type ShareWanted, sharesPath } from '@/api/shares'
import { isStudy } from '@/api/studies'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { runCommands, studyCommands } from '@/shared/runCommands'
import { curl } from '@/shared/shell'
import { configOf } from './runWords'

export function listCommands(filter: BacktestFilter): Commands {
  return { curl: curl('GET', backtestsAddress(filter)) }
}

export function compareCommands(ids: readonly string[]): Commands {
  return { curl: curl('POST', `${backtestsPath}/compare`, { body: { ids } }) }
}

/** The same from the beginning: a run as it was, a study with all that it tried. */
export function againCommands(kind: Backtest['kind'], { study, ...config }: RunConfig): Commands {
  const wanted = configOf({ config })
  return isStudy(kind) && study !== undefined ? studyCommands(kind, wanted, { space: study.space, ...study.plan }) : runCommands(wanted)
}

export function replayCommands(id: string): Commands {
  return { curl: curl('POST', `${backtestAddress(id)}/replay`) }
}

/** Saves the report into the folder where the shell is, under the name that the server gives it. */
export function exportCommands(id: string): Commands {
  return { curl: curl('GET', `${backtestAddress(id)}/export?format=html`, { file: true }) }
}

/** Star, tags, archive: what is left out stays as it is. */
export function editCommands(id: string, edit: BacktestEdit): Commands {
  return { curl: curl('PATCH', backtestAddress(id), { body: edit, anyVersion: true }) }
}

export function deleteCommands(id: string): Commands {
  return { curl: curl('DELETE', backtestAddress(id)) }
}

export function restoreCommands(id: string): Commands {
  return { curl: curl('POST', `${backtestAddress(id)}/restore`) }
}

/** The same with several: a line for each. */
export function eachCommands<Row>(rows: readonly Row[], commandsOf: (row: Row) => Commands): Commands {
  return { curl: rows.map((row) => commandsOf(row).curl).join('\n') }
}

export function keepPresetCommands(name: string, form: RunWanted): Commands {
  return { curl: curl('POST', presetsPath, { body: { name, form } }) }
}

export function forgetPresetCommands(id: string): Commands {
  return { curl: curl('DELETE', presetAddress(id)) }
}

export function shareCommands(wanted: ShareWanted): Commands {
  return { curl: curl('POST', sharesPath, { body: wanted }) }
}
