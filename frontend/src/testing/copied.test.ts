/** The copied commands as they stand in the golden file, which a test of the server runs with a personal access token. */
import { expect, it } from 'vitest'
import * as status from '@/features/jobs/copyCommands'
import * as data from '@/features/market/copyCommands'
import * as models from '@/features/models/modelCommands'
import golden from './copied.golden.json'
import { spec } from './models'

const task = '0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a'
const series = '5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f'
const wanted = { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1d', adjustment: 'raw', start: '2024-01-01T00:00:00Z', end: '2024-02-01T00:00:00Z' } as const
const training = {
  series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }, start: '2026-03-01T00:00:00Z',
  end: '2026-09-01T00:00:00Z', spec: { ...spec, rounds: 5 }, name: null,
} as const

it('copies the commands of the golden file', () => {
  expect({
    'fetch bars': data.fetchCommands(wanted).curl,
    'list series': data.catalogueCommands('demo').curl,
    'read a series': data.seriesCommands({ id: series }).curl,
    'list tasks': status.listCommands({ states: ['completed', 'failed'], kinds: ['fetch'] }).curl,
    'show a task': status.showCommands(task).curl,
    'cancel a task': status.cancelCommands(task).curl,
    'retry a task': status.retryCommands(task).curl,
    'train a model': models.trainCommands(training).curl,
    'list models': models.listCommands().curl,
    'read the machine': status.resourcesCommands().curl,
    'read the services': status.healthCommands().curl,
  }).toEqual(golden)
})
