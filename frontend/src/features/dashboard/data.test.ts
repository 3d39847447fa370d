import { screen } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { series, seriesId } from '@/testing/market'
import { renderPage } from '@/testing/render'
import { server, useServer } from '@/testing/server'
import DataCard from './DataCard.vue'

useServer()

function serve(items: object[]) {
  server.use(http.get('/api/data/series', () => HttpResponse.json({ items, next_cursor: null })))
}

it('says up to when bars are kept: the end of the last one, not its beginning', async () => {
  serve([series()])
  await renderPage(DataCard)
  expect((await screen.findByRole('link', { name: 'BTC/USDT 1h' })).getAttribute('href')).toBe(`/data/${seriesId}`)
  expect(document.querySelector('time')?.getAttribute('datetime')).toBe('2026-01-03T00:00:00Z')
})

it('tells a series without bars from one that is old', async () => {
  serve([series({ stored: null })])
  await renderPage(DataCard)
  expect(await screen.findByText('no bars yet')).toBeTruthy()
})

it('offers a download where nothing is kept', async () => {
  serve([])
  await renderPage(DataCard)
  expect((await screen.findByRole('link', { name: 'Download data' })).getAttribute('href')).toBe('/data/download')
})
