/** What is done with backtests, as commands that read `$TIDEMARK_TOKEN`. They live on the server, so curl reaches them. */
import { backtestAddress, type BacktestFilter, backtestsAddress, backtestsPath } from '@/api/backtests'
import { type ShareWanted, sharesPath } from '@/api/shares'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { curl } from '@/shared/shell'

export function listCommands(filter: BacktestFilter): Commands {
  return { curl: curl('GET', backtestsAddress(filter)) }
}

export function compareCommands(ids: readonly string[]): Commands {
  return { curl: curl('POST', `${backtestsPath}/compare`, { body: { ids } }) }
}

export function replayCommands(id: string): Commands {
  return { curl: curl('POST', `${backtestAddress(id)}/replay`) }
}

/** Saves the report into the folder where the shell is, under the name that the server gives it. */
export function exportCommands(id: string): Commands {
  return { curl: curl('GET', `${backtestAddress(id)}/export?format=html`, { file: true }) }
}

export function shareCommands(wanted: ShareWanted): Commands {
  return { curl: curl('POST', sharesPath, { body: wanted }) }
}
