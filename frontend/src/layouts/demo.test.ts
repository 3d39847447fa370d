import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { takeTokensFrom } from '@/api/client'
import { followEvents } from '@/api/events'
import { backtestRow } from '@/testing/backtests'
import { sent, serveEvents } from '@/testing/eventServer'
import { renderPage } from '@/testing/render'
import { problem, server, useServer } from '@/testing/server'
import DemoModel from './DemoModel.vue'

useServer()

const props = { user: 'u-1' }

function serve({ runs = [backtestRow()], answer = () => HttpResponse.json({ id: 't' }, { status: 202 }) } = {}) {
  const asked: { body: unknown, key: string | null }[] = []
  const has = { runs }
  server.use(
    http.get('/api/backtests', () => HttpResponse.json({ items: has.runs, next_cursor: null })),
    http.post('/api/predictions', async ({ request }) => {
      asked.push({ body: await request.json(), key: request.headers.get('idempotency-key') })
      return answer()
    }),
  )
  return { asked, has }
}

it('asks for a prediction of the sample market once a backtest is done, and once only', async () => {
  const { asked } = serve()
  const { unmount } = await renderPage(DemoModel, { props })
  await expect.poll(() => asked).toEqual([{
    body: { series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' } }, key: 'tidemark.demo-model.u-1',
  }])
  await expect.poll(() => localStorage.getItem('tidemark.demo-model.u-1')).toBe('yes')
  unmount()
  await renderPage(DemoModel, { props })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(asked).toHaveLength(1)
})

it('leaves the machine to the first backtest until that is done', async () => {
  const streams = serveEvents()
  const { asked, has } = serve({ runs: [backtestRow({ state: 'running' })] })
  takeTokensFrom({ token: () => Promise.resolve('kept') })
  const stop = followEvents('u-1')
  await renderPage(DemoModel, { props })
  await expect.poll(() => streams.length).toBe(1)
  streams[0]?.send(sent(1, 'running'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(asked).toEqual([])
  has.runs = [backtestRow()]
  streams[0]?.send(sent(2, 'completed'))
  await expect.poll(() => asked).toHaveLength(1)
  stop()
})

it('says nothing when it is refused, and asks again the next time', async () => {
  const { asked } = serve({ answer: () => problem(503, 'service_unavailable', 'Not available right now') as never })
  const { unmount } = await renderPage(DemoModel, { props })
  await expect.poll(() => asked).toHaveLength(1)
  unmount()
  expect(localStorage.getItem('tidemark.demo-model.u-1')).toBeNull()
})
