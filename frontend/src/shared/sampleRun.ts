/** One click to a finished backtest: the real engine on the simulated market, without a key or a network. */
import { ref } from 'vue'
import { type Router, useRouter } from 'vue-router'
import { type BacktestWanted, startRun } from '@/api/backtests'
import { ApiError } from '@/api/client'
import { notify } from './composables/notify'

/** Always the same year, so that everybody sees the same result. */
export const sampleRun: BacktestWanted = {
  name: 'Sample: SMA cross on BTC/USDT',
  tags: ['sample'],
  strategy: 'sma_cross',
  parameters: { fast: 20, slow: 50, at_once: false },
  series: [{ provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }],
  start: '2025-01-01T00:00:00Z',
  end: '2026-01-01T00:00:00Z',
  trading: {
    cash: 10_000,
    costs: { maker_bps: 10, taker_bps: 10, minimum_fee: 0, slippage_bps: 5, spread_bps: 0, impact_bps: 0, borrow_percent_a_year: 0 },
    sizing: { method: 'all_in', volatility_bars: 20 },
    execution: { sides: 'long', intrabar: 'pessimistic', remainder: 'carry', leverage: 1 },
  },
  seed: 0,
}

/** Starts it and goes where it can be watched. */
export async function runSample(router: Router) {
  try {
    const { id } = await startRun(sampleRun)
    await router.push({ name: 'backtests', params: { id } })
  } catch (error) {
    notify.error(`The sample did not start. ${error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'}`)
  }
}

export function useSampleRun() {
  const router = useRouter()
  const isStarting = ref(false)

  async function run() {
    if (isStarting.value) return
    isStarting.value = true
    await runSample(router)
    isStarting.value = false
  }

  return { isStarting, run }
}
