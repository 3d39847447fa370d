/** The copied commands as they stand in the golden file. `-u` writes it; a test of the server runs each of them. */
import { expect, it } from 'vitest'
import type { RunWanted } from '@/api/backtests'
import * as users from '@/features/admin/users/userCommands'
import * as backtests from '@/features/backtests/backtestCommands'
import * as status from '@/features/jobs/copyCommands'
import * as data from '@/features/market/copyCommands'
import * as models from '@/features/models/modelCommands'
import * as access from '@/features/settings/accessCommands'
import * as keys from '@/features/settings/keys/keyCommands'
import { firstSteps } from '@/features/settings/tokenWords'
import * as strategies from '@/features/strategies/copyCommands'
import type { Commands } from '@/shared/components/CopyAs.vue'
import * as runs from '@/shared/runCommands'
import * as tasks from '@/shared/taskCommands'
import { anyBacktest, strategy } from './backtests'
import { spec } from './models'

// The test of the server puts what it made in the place of these.
const ids = {
  task: '0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a', series: '5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f', backtest: '3f6a1d52-8f0e-4a53-9a53-0c6f7f0a9d11',
  other: '7c1b9e40-2d5f-4f6b-8e0a-9b3d6c5a4f22', model: '6a0f3a52-1b77-4a0e-9d8d-2f5c9c6b7e10', strategy: 'd2a4c6e8-1b3d-4f5a-9c7e-8b6d4f2a0c33',
  key: '9e8d7c6b-5a4f-4e3d-8c2b-1a0f9e8d7c44', token: '1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c55', share: '2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d66', preset: '3c4d5e6f-7a8b-4c9d-8e1f-2a3b4c5d6e77',
}
/** What shells, JSON and Python each read in their own way. */
const hostile = 'It\'s "$HOME" `id` \\n 100% #1; ~*'
const somebody = { email: 'o\'neill+$x@example.com' }
const demo = { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' } as const
const days = { ...demo, timeframe: '1d' } as const

const run = {
  strategy: 'sma_cross', parameters: { fast: 10, slow: 30 }, series: [demo, { ...demo, symbol: 'ETH/USDT' }], start: '2025-01-01T00:00:00Z', end: '2025-03-01T09:30:00Z',
  trading: {
    cash: 5000,
    costs: { maker_bps: 2, taker_bps: 4, minimum_fee: 0, slippage_bps: 0.5, spread_bps: 0, impact_bps: 0, borrow_percent_a_year: 0 },
    sizing: { method: 'risk', percent: 1.5, amount: null, volatility_bars: 20 },
    execution: { sides: 'both', intrabar: 'neutral', detail: null, limit_life_bars: null, stop_percent: 3, target_percent: null, trail_percent: null, volume_percent: null, remainder: 'carry', leverage: 2, most_positions: null },
  },
  seed: 7,
} satisfies RunWanted
const tried = { ...run, series: [days], start: '2022-01-01T00:00:00Z', end: null } satisfies RunWanted
const untilThen = { ...tried, end: '2025-01-01T00:00:00Z' } satisfies RunWanted
const study = { space: { fast: { from: 5, to: 15, step: 5 }, slow: [30, 50] }, objective: 'sortino', least_trades: 1, trials: null }
/** As a study keeps what was asked of it. */
const kept = { space: study.space, plan: { objective: 'sharpe', least_trades: 0, trials: null, folds: 5, train: 400, test: 200, purge: 0, anchored: false } }
const rules = { long: { enter: { op: '>', left: { price: 'close' }, right: { indicator: 'sma', parameters: { period: 20 } } } }, stop_percent: 5 }
const ruled = strategy({ kind: 'own', name: ids.strategy, run: { strategy: 'rules', parameters: { rules } }, rules })
const wanted = { ...demo, start: '2024-01-01T00:00:00Z', end: '2024-02-01T06:00:00Z' }
const training = { series: demo, start: '2026-03-01T00:00:00Z', end: '2026-09-01T00:00:00Z', spec: { ...spec, rounds: 5, label: 'triple_barrier' }, name: null, threads: 1 } as const
const saved = { name: hostile, about: `${hostile}\n${hostile}`, rules, note: hostile }

const asked = new Set<unknown>()
/** What a builder gives, and that it was asked. */
function by<Given extends readonly unknown[]>(builder: (...given: Given) => Commands | string | undefined, ...given: Given) {
  asked.add(builder)
  const commands = builder(...given)
  return typeof commands === 'string' ? { curl: commands } : commands
}

const copied = {
  'fetch bars': by(data.fetchCommands, wanted),
  'list the series of a provider': by(data.catalogueCommands, 'demo'),
  'list series': by(data.catalogueCommands, ''),
  'read a series': by(data.seriesCommands, { id: ids.series }),
  'repair a series': by(data.repairCommands, { id: ids.series }),
  'delete a series': by(data.deleteCommands, { id: ids.series }),
  'run a backtest': by(runs.runCommands, run),
  'run what is not there': by(runs.runCommands, { ...run, strategy: hostile }),
  'sweep': by(runs.studyCommands, 'sweep', untilThen, study),
  'optimize': by(runs.studyCommands, 'optimize', untilThen, { ...study, trials: 4 }),
  'walk forward': by(runs.studyCommands, 'walk_forward', untilThen, { ...study, folds: 3, purge: 2, anchored: true }),
  'walk forward again': by(backtests.againCommands, 'walk_forward', { ...untilThen, study: kept }),
  'list backtests': by(backtests.listCommands, { ...anyBacktest, search: 'sma & co', states: ['completed'] }),
  'compare backtests': by(backtests.compareCommands, [ids.backtest, ids.other]),
  'replay a backtest': by(backtests.replayCommands, ids.backtest),
  'export a report': by(backtests.exportCommands, ids.backtest),
  'star a backtest': by(backtests.editCommands, ids.backtest, { is_starred: true }),
  'tag a backtest': by(backtests.editCommands, ids.backtest, { tags: [hostile, 'keep'] }),
  'archive a backtest': by(backtests.editCommands, ids.backtest, { is_archived: true }),
  'archive backtests': by(backtests.eachCommands<string>, [ids.backtest, ids.other], (id) => backtests.editCommands(id, { is_archived: true })),
  'delete a backtest': by(backtests.deleteCommands, ids.other),
  'bring a backtest back': by(backtests.restoreCommands, ids.other),
  'keep a preset': by(backtests.keepPresetCommands, hostile, run),
  'forget a preset': by(backtests.forgetPresetCommands, ids.preset),
  'share a result': by(backtests.shareCommands, { backtest_id: ids.backtest, title: hostile, expires_in_days: 7 }),
  'revoke a link': by(access.revokeShareCommands, ids.share),
  'list tasks': by(status.listCommands, { states: ['completed', 'failed'], kinds: ['fetch'] }),
  'show a task': by(status.showCommands, ids.task),
  'cancel a task': by(tasks.taskCommands, ids.task, true),
  'retry a task': by(tasks.taskCommands, ids.task, false),
  'read the machine': by(status.resourcesCommands),
  'read the services': by(status.healthCommands),
  'ask whether it is ready': by(tasks.readinessCommands),
  'train a model': by(models.trainCommands, training),
  'predict': by(models.predictCommands, { series: demo, spec: training.spec }, training.start),
  'predict by a model': by(models.predictCommands, { model_id: ids.model }, training.start),
  'list models': by(models.listCommands),
  'read a track record': by(models.trackRecordCommands, ids.model),
  'read the drift': by(models.driftCommands, ids.model),
  'promote a model': by(models.standingCommands, ids.model, 'promote'),
  'roll a model back': by(models.standingCommands, ids.model, 'rollback'),
  'delete a model': by(models.standingCommands, ids.model, 'delete'),
  'list strategies': by(strategies.listCommands),
  'validate rules': by(strategies.validateCommands, rules),
  'save rules': by(strategies.saveCommands, saved),
  'save a version': by(strategies.saveCommands, { ...saved, rules: { ...rules, stop_percent: 4 } }, ids.strategy),
  'run rules': by(strategies.strategyCommands, ruled),
  'delete a strategy': by(strategies.deleteCommands, ids.strategy),
  'make a token': by(access.createTokenCommands, { name: `-${hostile}`, scopes: ['read', 'data'], expires_in_days: 7 }),
  'revoke a token': by(access.revokeTokenCommands, ids.token),
  'try a token': by(firstSteps, '$TIDEMARK_TOKEN'),
  'add a key': by(keys.addCommands, 'crypto:okx', hostile),
  'list keys': by(keys.listCommands),
  'test a key': by(keys.testCommand, ids.key),
  'read the audit of keys': by(keys.auditCommands),
  'delete a key': by(keys.deleteCommands, ids.key),
  'list users': users.listCommands,
  'list plans': users.plansCommands,
  'make an administrator': by(users.roleCommands, somebody, false),
  'take the role back': by(users.roleCommands, somebody, true),
  'set a plan': by(users.planCommands, somebody, 'large'),
  'suspend': by(users.suspendCommands, somebody, 24),
  'lift the suspension': by(users.restoreCommands, somebody),
} satisfies Record<string, Commands | undefined>

it('copies the commands of the golden file', async () => {
  await expect(`${JSON.stringify(copied, null, 2)}\n`).toMatchFileSnapshot('copied.golden.json')
})

it('leaves no builder out', () => {
  const modules = import.meta.glob<Record<string, unknown>>('../**/*Commands.ts', { eager: true })
  const builders = Object.entries(modules).flatMap(([file, module]) => (
    Object.entries(module).filter(([name]) => /Commands?$/.test(name)).map(([name, builder]) => ({ what: `${file} ${name}`, builder }))
  ))
  expect(builders.length).toBeGreaterThan(35)
  expect(builders.filter(({ builder }) => typeof builder === 'function' && !asked.has(builder)).map(({ what }) => what)).toEqual([])
})

it('has no commands beside the builders', () => {
  const sources = import.meta.glob<string>(['../**/*.vue', '../**/*.ts', '!../**/*.test.ts', '!../**/*ommands.ts', '!../features/dev/**'], { eager: true, query: '?raw', import: 'default' })
  const inline = Object.entries(sources).filter(([, text]) => /\bcurl\(|['"`](?:curl |tidemark [a-z]+ )|\bcli: /.test(text.replaceAll(/\/\*\*.*?\*\//gs, ''))).map(([file]) => file)
  expect(inline.filter((file) => !['../features/settings/tokenWords.ts', '../shared/shell.ts'].includes(file))).toEqual([])
})
