import { screen, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { backtestRow } from '@/testing/backtests'
import { modelId, modelRow } from '@/testing/models'
import { renderPage } from '@/testing/render'
import { profile, server, useServer } from '@/testing/server'
import StartCard from './StartCard.vue'

useServer()

function serve(models: object[]) {
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile({ is_demo: true }))),
    http.get('/api/backtests', () => HttpResponse.json({ items: [backtestRow()], next_cursor: null })),
    http.get('/api/models', () => HttpResponse.json({ items: models, next_cursor: null })),
    http.get('/api/data/series', () => HttpResponse.json({ items: [], next_cursor: null })),
  )
}

it('shows the latest models with what each is worth', async () => {
  serve([modelRow({ name: 'BTC, half a day ahead' })])
  await renderPage(StartCard)
  const card = (await screen.findByRole('heading', { name: 'Latest models' })).closest('section')
  const inCard = within(card as HTMLElement)
  expect(inCard.getByRole('link', { name: 'BTC, half a day ahead' }).getAttribute('href')).toBe(`/predictions/models/${modelId}`)
  expect(inCard.getByText('Not trusted')).toBeTruthy()
  expect(screen.getByText('Train a model').textContent).toBeTruthy()
  expect(screen.queryByRole('link', { name: /Open: Train a model/ })).toBeNull()
})

it('says how far a training is, and offers to train while there is no model', async () => {
  serve([modelRow({ state: 'training', task_state: 'running', is_trusted: null, headline: null })])
  await renderPage(StartCard)
  expect(await screen.findByText('Running')).toBeTruthy()
  expect(screen.getByRole('link', { name: /Open: Train a model/ }).getAttribute('href')).toBe('/predictions/new')
})

it('has no card of models while there are none', async () => {
  serve([])
  await renderPage(StartCard)
  await screen.findByRole('heading', { name: 'First steps' })
  expect(screen.queryByText('Latest models')).toBeNull()
})

it('does not take for one\'s own what the app made: a replay of the sample, and a model that a prediction needed', async () => {
  serve([modelRow({ origin: 'prediction' })])
  server.use(http.get('/api/backtests', () => HttpResponse.json({
    items: [backtestRow({ name: 'Sample: SMA cross on BTC/USDT', tags: [] })], next_cursor: null,
  })))
  await renderPage(StartCard)
  expect(await screen.findByRole('link', { name: /Open: Train a model/ })).toBeTruthy()
  expect(screen.getByRole('link', { name: /Open: Run one of your own/ })).toBeTruthy()
})
