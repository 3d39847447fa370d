/** The same from a terminal, a notebook or a script; commands read `$TIDEMARK_TOKEN`. */
import type { RunWanted } from '@/api/backtests'
import { strategiesPath, strategyAddress, type Strategy, type StrategyWanted } from '@/api/strategies'
import type { Commands } from '@/shared/components/CopyAs.vue'
import { runCommands } from '@/shared/runCommands'
import { sampleRun } from '@/shared/sampleRun'
import { curl, fileOf } from '@/shared/shell'

export function listCommands(): Commands {
  return { cli: 'tidemark strategies list', curl: curl('GET', strategiesPath) }
}

/** A first run on the simulated market, to be changed: the sample's, with this strategy. */
export function strategyCommands({ run, needs_symbols: isOfSeveral }: Pick<Strategy, 'run' | 'needs_symbols'>): Commands {
  const [one] = sampleRun.series
  const { series, start, end, trading, seed } = sampleRun
  const several = isOfSeveral && one !== undefined ? [...series, { ...one, symbol: 'ETH/USDT' }] : series
  return runCommands({ strategy: run.strategy, parameters: run.parameters, series: several, start, end, trading, seed } satisfies RunWanted)
}

export function validateCommands(rules: unknown): Commands {
  return {
    cli: `${fileOf(rules, 'rules.json')}\ntidemark strategies validate rules.json`,
    curl: curl('POST', `${strategiesPath}/validate`, { body: { rules } }),
  }
}

/** Without a name a new one, else another version of that one, whatever its newest is. */
export function saveCommands(wanted: StrategyWanted, name?: string): Commands {
  if (name === undefined) return { curl: curl('POST', strategiesPath, { body: wanted }) }
  return { curl: curl('PUT', strategyAddress(name), { body: wanted, anyVersion: true }) }
}

export function deleteCommands(name: string): Commands {
  return { curl: curl('DELETE', strategyAddress(name)) }
}
