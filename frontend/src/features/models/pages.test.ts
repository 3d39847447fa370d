/** The pages of models against a server that speaks HTTP: what is asked, shown, and said when there is no signal or no answer. */
import { configure, screen, waitFor, within } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { hearProgress } from '@/api/progress'
import { instrument, provider } from '@/testing/market'
import { drift, model, modelCard, modelForm, modelId, modelRow, prediction, scored, trackRecord, training, trustedCard } from '@/testing/models'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import { taskInFull } from '@/testing/tasks'
import ModelById from './ModelById.vue'
import ModelsPage from './ModelsPage.vue'
import NewModelPage from './NewModelPage.vue'

useServer()
const patience = 15_000 // a machine that is busy with something else is slow, not wrong
configure({ asyncUtilTimeout: patience })

const page = (items: object[]) => HttpResponse.json({ items, next_cursor: null })
const answer = (found: object) => http.get(`/api/models/${modelId}`, () => HttpResponse.json(found, { headers: { ETag: '"7"' } }))
const show = (query = '') => renderPage(ModelById, { at: `/predictions/models/${modelId}${query}`, props: { id: modelId } })

beforeEach(() => {
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480) // without layout the virtual window would be empty
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
  sessionStorage.clear()
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })),
    http.get('/api/models', () => page([modelRow()])),
    http.get('/api/predictions', () => page([])),
  )
})

describe('the list', () => {
  const strong = modelRow({ id: 'other', name: 'ETH tomorrow', state: 'candidate', is_trusted: true, headline: 'A small signal.', auc: { value: 0.56, low: 0.54, high: 0.58 } })

  it('shows state, verdict and figures with their intervals', async () => {
    await renderPage(ModelsPage, { at: '/predictions' })
    const row = await screen.findByRole('row', { name: /BTC, half a day ahead/ })
    expect(row.textContent).toMatch(/Champion\s*Not trusted\s*No signal.*0\.512\s*0\.494 to 0\.531\s*0\.011\s*−0\.021 to 0\.043\s*.* ago\s*2026-11-20\s*Up after 12 bars\s*BTC\/USDT/)
  })

  it('is narrowed by what stands in the address', async () => {
    server.use(http.get('/api/models', () => page([modelRow(), strong])))
    const { router } = await renderPage(ModelsPage, { at: '/predictions?trusted=trusted' })
    await screen.findByText('1 of 2 models')
    await userEvent.selectOptions(screen.getByLabelText('State'), 'Retired')
    await screen.findByText('No models match')
    expect(router.currentRoute.value.fullPath).toBe('/predictions?trusted=trusted&state=retired')
    await userEvent.click(screen.getByRole('button', { name: 'Clear filters' }))
    await screen.findByText('2 models')
  })

  it('says what a model is while there are none, and why there is no answer', async () => {
    server.use(http.get('/api/models', () => page([])))
    const view = await renderPage(ModelsPage, { at: '/predictions' })
    await screen.findByText('No models yet')
    view.unmount()
    server.use(http.get('/api/models', () => problem(403, 'forbidden', 'You may not see this')))
    const { queryClient } = await import('@/api/queries')
    queryClient.clear()
    await renderPage(ModelsPage, { at: '/predictions' })
    await screen.findByText('The models could not be loaded')
  })

  it('says why one was not trained', async () => {
    const failure = { code: 'too_few_bars', title: 'There is too little history', detail: 'There are 90 bars.', remedy: null }
    server.use(http.get('/api/models', () => page([{ ...training({ task_state: 'failed' }), failure }])))
    await renderPage(ModelsPage, { at: '/predictions' })
    expect((await screen.findByRole('row', { name: /BTC, half/ })).textContent).toMatch(/Not trained\s*There is too little history/)
  })
})

describe('the form', () => {
  const estimate = { bars: 43_800, needed: 2_400, is_enough: true, first: '2021-11-27T00:00:00Z', last: '2026-11-27T00:00:00Z', seconds: 6, memory_bytes: 829_000_000, cores: 1, notes: ['BTC/USDT is simulated.'] }
  let sent: unknown

  beforeEach(() => {
    sent = null
    server.use(
      http.get('/api/models/form', () => HttpResponse.json(modelForm)),
      http.get('/api/providers', () => HttpResponse.json({ items: [provider()] })),
      http.get('/api/data/instruments', () => HttpResponse.json({ items: [instrument()] })),
      http.post('/api/models/estimate', () => HttpResponse.json(estimate)),
      http.post('/api/models/train', async ({ request }) => {
        sent = await request.json()
        return HttpResponse.json({ id: modelId, kind: 'train', state: 'queued', name: 'x', why: 'It was asked for.' }, { status: 202 })
      }),
    )
  })

  async function fillIn() {
    const view = await renderPage(NewModelPage, { at: '/predictions/new' })
    const field = await screen.findByRole('combobox', { name: 'Symbol' })
    await userEvent.type(field, 'BTC/USDT')
    await userEvent.tab()
    return view
  }

  it('tells what a training takes, and starts it', async () => {
    const { router } = await fillIn()
    await screen.findByText('43,800')
    expect(screen.getByText('BTC/USDT is simulated.')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Train model' }))
    await expect.poll(() => router.currentRoute.value.fullPath, { timeout: patience }).toBe(`/predictions/models/${modelId}`)
    expect(sent).toMatchObject({ series: { symbol: 'BTC/USDT' }, spec: { horizon: 12, label: 'direction', folds: 5 }, name: null })
  })

  it('says that there is too little history, before it starts', async () => {
    server.use(http.post('/api/models/estimate', () => HttpResponse.json({ ...estimate, bars: 900, is_enough: false })))
    await fillIn()
    expect((await screen.findByRole('alert')).textContent).toMatch(/too little history.*There are 900 bars, and this needs at least 2,400/)
    expect(screen.getByRole('button', { name: 'Train model' })).toHaveProperty('disabled', true)
  })

  it('shows what the server has against a field', async () => {
    server.use(http.post('/api/models/estimate', () => problem(422, 'invalid_input', 'Some of the input is not valid', {
      errors: [{ pointer: '/spec/rounds', detail: 'So many take too long.' }],
    })))
    await fillIn()
    await screen.findByText('So many take too long.')
    expect(screen.getByText('How it learns').closest('details')).toHaveProperty('open', true)
  })

  it('does not start what the server refuses, marks the chosen range, and offers to start over at once', async () => {
    server.use(http.post('/api/models/estimate', () => problem(422, 'invalid_input', 'Some of the input is not valid', {
      errors: [{ pointer: '/series', detail: 'demo has no symbol BTC/USDT.' }],
    })))
    await fillIn()
    await screen.findByText('demo has no symbol BTC/USDT.')
    expect(screen.getByRole('button', { name: 'Train model' })).toHaveProperty('disabled', true)
    const pressed = () => screen.getAllByRole('button').filter((one) => one.getAttribute('aria-pressed') === 'true').map((one) => one.textContent.trim())
    expect(pressed()).toEqual(['5 years'])
    await userEvent.click(screen.getByRole('button', { name: '1 year' }))
    expect(pressed()).toEqual(['1 year'])
    await userEvent.click(screen.getByRole('button', { name: 'Start over' }))
    await waitFor(() => { expect(pressed()).toEqual(['5 years']) })
    expect(screen.queryByRole('button', { name: 'Start over' })).toBeNull()
  })
})

describe('a training', () => {
  const running = (change = {}) => http.get('/api/system/tasks/:id', () => HttpResponse.json(taskInFull({
    id: modelId, kind: 'train', state: 'running', attempts: 1, started_at: new Date().toISOString(), ...change,
  })))

  it('shows stage, percent, time left and the loss of each fold, and cancels', async () => {
    let asked = 0
    server.use(answer(training()), running(), http.post('/api/system/tasks/:id/cancel', () => { asked += 1; return HttpResponse.json(taskInFull(), { status: 202 }) }))
    await show()
    await screen.findByText('It has just started')
    const told = { id: modelId, attempt: 1, stage: 'folds', percent: 41.2, eta_seconds: 3 }
    hearProgress({ ...told, message: 'fold 1 of 2', fold: 1, curve: [[1, 0.69, 0.69], [34, 0.68, 0.691]] })
    await screen.findByRole('img', { name: /^Fold 1: .* at round 34/ })
    hearProgress({ ...told, message: 'fold 2 of 2', fold: 2, curve: [[1, 0.69, 0.69], [20, 0.685, 0.6905]] })
    const bar = await screen.findByRole('progressbar', { name: /fold by fold/ })
    await waitFor(() => { expect(bar.getAttribute('aria-valuetext')).toBe('Fold 2 of 2, 41 %, 3 s left') })
    expect(screen.getByRole('img', { name: /^Fold 1: / })).toBeTruthy()
    expect(screen.getByRole('img', { name: 'Fold 2: loss 0.6850 at round 20, 0.6905 on the bars after' })).toBeTruthy()
    expect(screen.getByText('Kept model').closest('li')?.textContent).toMatch(/Not yet/)
    await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    await expect.poll(() => asked, { timeout: patience }).toBe(1)
  })

  it('shows the curves of earlier folds to whoever comes later, and what was heard in full before what was told thinner', async () => {
    server.use(answer(training()), running())
    await show()
    await screen.findByText('It has just started')
    const told = { id: modelId, attempt: 1, stage: 'folds', percent: 41.2, eta_seconds: 3 }
    const first = [[1, 0.69, 0.69], [34, 0.68, 0.691]] as const
    hearProgress({ ...told, message: 'fold 2 of 2', fold: 2, curve: [[1, 0.69, 0.69], [20, 0.685, 0.69]], curves: [[1, first], [2, [[20, 0.685, 0.69]]]] })
    const line = async (name: RegExp) => (await screen.findByRole('img', { name })).querySelector('path')?.getAttribute('d')
    expect(await line(/^Fold 1: loss 0.6800 at round 34/)).toBeTruthy()
    expect((await line(/^Fold 2: loss 0.6850 at round 20/))?.split('L')).toHaveLength(2)
    hearProgress({ ...told, stage: 'contest', message: '', curves: [[1, first], [2, [[40, 0.67, 0.688]]], [0, [[9, 0.68, 0.69]]]] })
    await screen.findByRole('img', { name: /^Fold 2: loss 0.6700 at round 40/ })
    expect(screen.getByRole('img', { name: /^Kept model: loss 0.6800 at round 9/ })).toBeTruthy()
  })

  it('that failed says why and can be changed', async () => {
    const failure = { code: 'too_few_bars', title: 'There is too little history', detail: 'There are 90 bars; 2,400 are needed.', remedy: null, log_tail: null }
    server.use(answer(training({ task_state: 'failed' })), running({ state: 'failed', failure }))
    await show()
    await screen.findByText('There are 90 bars; 2,400 are needed.')
    expect(screen.getByRole('link', { name: 'Edit and train' }).getAttribute('href')).toBe(`/predictions/new?from=${modelId}`)
  })
})

describe('a model', () => {
  it('without a signal says so first, in words', async () => {
    server.use(answer(model()))
    await show()
    await screen.findByRole('heading', { name: 'Not trusted: No signal: it tells up from down no better than a coin.' })
    expect(screen.getByText(/Its interval holds 0\.5, which is a coin/)).toBeTruthy()
    expect(screen.getByText(/mean 0\.513, standard deviation 0\.025, from 0\.495 to 0\.530\. 1 of 2 lie above a coin/)).toBeTruthy()
    expect(within(screen.getByRole('table', { name: /simple guesses/ })).getByRole('row', { name: /A straight line/ })).toBeTruthy()
    expect(screen.getAllByText('Passed').length).toBe(2)
  })

  it('with one is trusted; what cheats is named', async () => {
    const leaks = [{ feature: 'return_1', auc: 0.9, text: 'Alone it has an AUC of 0.900.' }]
    const card = trustedCard()
    server.use(answer(model({ card: { ...card, controls: { ...card.controls, leaks } } })))
    await show()
    await screen.findByRole('heading', { name: /^Trusted: A small signal/ })
    expect(screen.getByText('Alone it has an AUC of 0.900.')).toBeTruthy()
    expect(screen.getByText('Failed')).toBeTruthy()
  })

  it('keeps its tab in the address', async () => {
    server.use(answer(model()), http.get(`/api/models/${modelId}/drift`, () => HttpResponse.json(drift())))
    const { router } = await show('?tab=deciles')
    await screen.findByText(/No tenth made money after 15 bps an order/)
    expect(screen.getByRole('row', { name: /^10 \+0\.210% −0\.240% to \+0\.060%\s*−0\.090% 55\.0% 320$/ })).toBeTruthy()
    await userEvent.click(screen.getByRole('tab', { name: 'Drift' }))
    await screen.findByText('It knows the market up to 41 bars ago.')
    expect(router.currentRoute.value.fullPath).toBe(`/predictions/models/${modelId}?tab=drift`)
    await userEvent.click(screen.getByRole('tab', { name: 'Importance' }))
    const [, first] = await within(await screen.findByRole('table', { name: /Features by how much/ })).findAllByRole('row')
    expect(first?.textContent).toMatch(/rsi 14.*Relative strength over 14 bars.*0\.0345/)
    await userEvent.click(screen.getByRole('tab', { name: 'Calibration' }))
    await screen.findByText(/is 1\.1 percentage points away from how often it came/)
    await userEvent.click(screen.getByRole('tab', { name: 'Card' }))
    expect((await screen.findByRole('region', { name: 'At the terminal' })).textContent).toMatch(/^tidemark model train/)
  })

  it('predicts, says why, and leads to the training where one is needed', async () => {
    const asked: unknown[] = []
    server.use(
      answer(model()),
      http.post('/api/predictions', async ({ request }) => {
        asked.push(await request.json())
        return asked.length === 1
          ? HttpResponse.json(prediction())
          : HttpResponse.json({ id: 'next', kind: 'train', state: 'queued', name: 'x', why: 'It is stale.' }, { status: 202 })
      }),
    )
    const { router } = await show('?tab=predictions')
    await screen.findByText('No predictions yet')
    server.use(http.get('/api/predictions', () => page([prediction(), scored()])))
    await userEvent.click(screen.getByRole('button', { name: 'Predict now' }))
    await screen.findByText('53.1%', { selector: 'dd' })
    expect(asked[0]).toEqual({ series: model().series, spec: model().spec })
    expect(screen.getByText('Between −2.10% and +2.40%, 90% of the time')).toBeTruthy()
    expect(screen.getByRole('row', { name: /rsi 14\s*61\.20 \+0\.080/ })).toBeTruthy()
    expect(screen.getByRole('row', { name: /2026-11-19.*Right, inside/ })).toBeTruthy()
    expect(screen.queryByText(/Nothing newer/)).toBeNull()
    await userEvent.click(screen.getByRole('button', { name: 'Predict now' }))
    await expect.poll(() => router.currentRoute.value.fullPath, { timeout: patience }).toBe('/predictions/models/next?tab=predictions')
  })

  it('has one button to predict, and says when the entry had passed', async () => {
    server.use(answer(model()), http.get('/api/predictions', () => page([prediction()])))
    await show('?tab=predictions')
    await screen.findByText(/counts from the open at 2026-11-20 09:00.*That was before the prediction was made/)
    expect(screen.queryByRole('link', { name: 'Predict now' })).toBeNull()
    expect(screen.getAllByRole('button', { name: 'Predict now' })).toHaveLength(1)
  })

  it('says when there is nothing newer to predict from', async () => {
    server.use(
      answer(model()), http.get('/api/predictions', () => page([prediction(), scored()])),
      http.post('/api/predictions', () => HttpResponse.json(prediction())),
    )
    await show('?tab=predictions&ask=1')
    const said = await screen.findByText(/Nothing newer: the last finished bar still closed at 2026-11-20 09:00/)
    expect(said.textContent).toMatch(/This is the prediction made/)
  })

  it('says how far features drifted, and how far they did within the training', async () => {
    server.use(answer(model()), http.get(`/api/models/${modelId}/drift`, () => HttpResponse.json(drift())))
    await show('?tab=drift')
    expect((await screen.findByRole('row', { name: /rsi 14/ })).textContent).toMatch(/0\.270\s*0\.200\s*Moved/)
    expect(screen.getByRole('row', { name: /sma gap/ }).textContent).toMatch(/5\.200\s*5\.900$/)
    expect(screen.getByRole('row', { name: /return 1/ }).textContent).toMatch(/0\.030\s*0\.020$/)
  })

  it('says why it cannot predict', async () => {
    server.use(answer(model({ state: 'retired' })), http.post('/api/predictions', () => problem(409, 'bars_too_old', 'The bars are too old to predict from')))
    await show('?tab=predictions&ask=1')
    expect((await screen.findByRole('alert')).textContent).toMatch(/No prediction was made.*too old/)
  })

  it('has a track record that says how much of it is luck', async () => {
    server.use(answer(model()), http.get(`/api/models/${modelId}/track-record`, () => HttpResponse.json(trackRecord())))
    await show('?tab=record')
    await screen.findByText('30 predictions are too few to tell skill from luck.')
    expect(screen.getByText(/luck alone moves the hit rate by 15% either way/)).toBeTruthy()
    expect(screen.getByText('of 41, 11 open')).toBeTruthy()
  })

  it('becomes champion when that is confirmed, with its verdict in view', async () => {
    let promoted = 0
    server.use(
      answer(model({ state: 'candidate' })),
      http.post(`/api/models/${modelId}/promote`, () => { promoted += 1; return HttpResponse.json(model()) }),
    )
    await show()
    await userEvent.click(await screen.findByRole('button', { name: 'More' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: /Make champion/ }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toMatch(/Its verdict speaks against it/)
    await userEvent.click(within(dialog).getByRole('button', { name: 'Make champion' }))
    await waitFor(() => { expect(screen.queryByRole('alertdialog')).toBeNull() })
    expect(promoted).toBe(1)
  })

  it('says in the dialog why it cannot be rolled back', async () => {
    server.use(answer(model()), http.post(`/api/models/${modelId}/rollback`, () => problem(409, 'model_not_usable', 'There was no champion before')))
    await show()
    await userEvent.click(await screen.findByRole('button', { name: 'More' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: /Roll back/ }))
    await userEvent.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'Roll back' }))
    await screen.findByText(/There was no champion before/)
  })

  it('takes a new name for the version that was read', async () => {
    const sent: unknown[] = []
    server.use(answer(model()), http.patch(`/api/models/${modelId}`, async ({ request }) => {
      sent.push(request.headers.get('if-match'), await request.json())
      return HttpResponse.json(model())
    }))
    await show()
    await userEvent.click(await screen.findByRole('button', { name: 'Rename model' }))
    const field = screen.getByLabelText('Name of the model')
    await userEvent.clear(field)
    await userEvent.type(field, 'Better{Enter}')
    await expect.poll(() => sent, { timeout: patience }).toEqual(['"7"', { name: 'Better' }])
  })

  it('tells of the contest that it won', async () => {
    const contest = { champion_id: 'old', bars: 1_500, gain: 0.0021, low: 0.0004, high: 0.0038, is_won: true, why: 'It was better on bars that neither had seen.' }
    server.use(answer(model({ card: modelCard({ contest }) })))
    await show()
    await screen.findByText('Won')
    expect(screen.getByText('Gain in log loss on 1,500 bars: +0.00210 (90% interval +0.00040 to +0.00380).')).toBeTruthy()
  })
})
