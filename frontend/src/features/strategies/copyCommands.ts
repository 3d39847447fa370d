/** The same from a terminal, a notebook or a script; commands read `$TIDEMARK_TOKEN`. */
import { strategiesPath, strategyAddress, type Strategy } from '@/api/strategies'
import type { Commands } from '@/shared/components/CopyAs.vue'

const bars = '--provider demo --symbol BTC/USDT --timeframe 1h --start 2023-01-01 --end 2024-01-01'

export function listCommands(): Commands {
  return { cli: 'tidemark strategies list', curl: curl(strategiesPath) }
}

/** A first run on the simulated market, to be changed. */
export function strategyCommands({ name, run, rules }: Pick<Strategy, 'name' | 'run' | 'rules'>): Commands {
  const load = 'from backend.research import backtest, load_bars\n\nbars = load_bars("demo", "BTC/USDT", "1h", "2023", "2024")\n'
  if (rules === null) {
    return {
      cli: `tidemark backtest run --strategy ${name} ${bars}`,
      python: `${load}result = backtest("${name}", bars)\nresult`,
      curl: curl(strategyAddress(name)),
    }
  }
  const written = JSON.stringify(rules)
  return {
    cli: `echo ${quoted(written)} > rules.json\ntidemark backtest run --strategy ${run.strategy} -p rules=@rules.json ${bars}`,
    // As text: JSON's words for true and nothing are not Python's.
    python: `${load}result = backtest("${run.strategy}", bars, rules=${JSON.stringify(written)})\nresult`,
    curl: curl(strategyAddress(name)),
  }
}

export function validateCommands(rules: unknown): Commands {
  const body = JSON.stringify({ rules })
  return {
    cli: `echo ${quoted(JSON.stringify(rules))} > rules.json\ntidemark strategies validate rules.json`,
    curl: `curl -X POST -H "Authorization: Bearer $TIDEMARK_TOKEN" -H 'Content-Type: application/json' -d ${quoted(body)} ${quoted(`${window.location.origin}${strategiesPath}/validate`)}`,
  }
}

function curl(path: string) {
  return `curl -H "Authorization: Bearer $TIDEMARK_TOKEN" ${quoted(`${window.location.origin}${path}`)}`
}

/** As a shell reads it back, whatever is in it. */
function quoted(text: string) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', String.raw`'\''`)}'`
}
