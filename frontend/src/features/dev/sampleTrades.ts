/** Made-up trades that fill the table on the component page; the same ones each time. */

export interface SampleTrade {
  id: string
  symbol: string
  side: 'long' | 'short'
  opened_at: string
  price: string
  quantity: string
  profit: string
  return: string | null
  note: string
}

const SYMBOLS = ['BTC/USDT', 'ETH/USDT', 'SOL/USDT', 'AAPL', 'MSFT', 'SPY']
const NOTES = ['', 'Target reached', 'Stopped out', '=SUM(A1:A9)', 'Held over the weekend, "as planned"']
const FIRST = Date.UTC(2023, 0, 1)
const HOUR = 3_600_000

export function sampleTrades(count: number): SampleTrade[] {
  let state = 20_261_120
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
  return Array.from({ length: count }, (_, index) => {
    const cents = next(200_000) - 92_000
    return {
      id: `T${index + 1}`,
      symbol: SYMBOLS[next(SYMBOLS.length)] ?? '',
      side: next(2) === 0 ? 'long' : 'short',
      opened_at: new Date(FIRST + index * HOUR).toISOString(),
      price: `${100 + next(64_000)}.${10 + next(90)}`,
      quantity: `0.${100 + next(900)}`,
      profit: `${cents < 0 ? '-' : ''}${Math.trunc(Math.abs(cents) / 100)}.${String(Math.abs(cents) % 100).padStart(2, '0')}`,
      return: next(25) === 0 ? null : String((cents / 1_000_000)),
      note: NOTES[next(NOTES.length)] ?? '',
    }
  })
}
