/** Models without a page: what is sent, how a form is filled, what the numbers are said to mean. */
import { describe, expect, it } from 'vitest'
import { model, modelCard, modelForm, modelRow, spec, trustedCard } from '@/testing/models'
import { scaleOf as lossScale, shapeOf } from './charts/lossShape'
import { scaleOf } from './charts/scales'
import { predictCommands, trainCommands } from './modelCommands'
import { intervalWords, lookOf, questionWords } from './modelWords'
import { trainedAs } from './page/reproduce'
import { aucSentence, costSentence, icSentence, lossSentence, luckSentence, toneOf } from './page/verdictWords'
import { advancedNames, draftOf, dropDraft, formOf, keepDraft, newForm, shownSchema, wantedOf } from './trainForm'

const now = new Date('2026-11-27T12:00:00Z')

describe('the form of a training', () => {
  it('asks for a symbol first, and sends whole days', () => {
    expect(wantedOf(newForm(now))).toBeNull()
    expect(wantedOf({ ...newForm(now), symbols: ['BTC/USDT'], to: '2026-01-31', spec: { horizon: 6 }, name: ' mine ' })).toEqual({
      series: { provider: 'demo', symbol: 'BTC/USDT', timeframe: '1h', adjustment: 'raw' }, start: '2021-11-27T00:00:00Z',
      end: '2026-02-01T00:00:00Z', spec: { horizon: 6 }, name: 'mine',
    })
  })

  it('filled from a model asks the same question, from its first bar to the newest', () => {
    const form = formOf(model(), now)
    expect(wantedOf(form)).toMatchObject({ start: '2024-11-20T00:00:00Z', end: null, spec })
  })

  it('asks for a barrier where there is one, and keeps the rest behind a click', () => {
    const names = (label: string, part: 'plain' | 'advanced') => Object.keys(shownSchema(modelForm.form, { label }, part).properties ?? {})
    expect(names('direction', 'plain')).toEqual(['horizon', 'label', 'folds', 'cost_bps'])
    expect(names('triple_barrier', 'plain')).toEqual(['horizon', 'label', 'barrier', 'folds', 'cost_bps'])
    expect(names('direction', 'advanced')).toEqual(['embargo', 'rounds'])
    expect(advancedNames(modelForm.form)).toEqual(['embargo', 'rounds'])
  })

  it('is kept as a draft of the same beginning', () => {
    const form = { ...newForm(now), symbols: ['ETH/USDT'] }
    keepDraft('ada', '', form)
    expect(draftOf('ada', '', now)).toEqual(form)
    expect(draftOf('ada', 'from=x', now)).toBeNull()
    dropDraft('ada')
    expect(draftOf('ada', '', now)).toBeNull()
  })
})

describe('commands', () => {
  it('train the same model again', () => {
    const { cli, python, curl } = trainCommands(trainedAs({ ...model(), card: modelCard() }))
    expect(cli).toMatch(/^tidemark model train --provider demo --symbol BTC\/USDT --timeframe 1h --start 2024-11-20 --end 2026-11-20T09:00:00Z --horizon 12 --label direction --folds 2 /)
    expect(cli).not.toContain('barrier')
    expect(python).toContain('bars = load_bars("demo", "BTC/USDT", "1h", start="2024-11-20", end="2026-11-20T09:00:00Z")')
    expect(python).toContain('horizon=12, label="direction"')
    expect(curl).toContain('/api/models/train')
  })

  it('predict by the model that is named', () => {
    const { cli, python } = predictCommands({ series: model().series, spec }, '2024-11-20T00:00:00Z')
    expect(cli).toMatch(/^tidemark model predict --provider demo --symbol BTC\/USDT --timeframe 1h --start 2024-11-20 --horizon 12 /)
    expect(python).toContain('prediction = predict(bars, horizon=12, ')
    expect(predictCommands({ model_id: 'x' }, '2024-11-20T00:00:00Z').cli).toBeUndefined()
    expect(predictCommands({ model_id: 'x' }, '2024-11-20T00:00:00Z').curl).toContain(String.raw`-d '{"model_id":"x"}'`)
  })
})

describe('what the numbers mean', () => {
  const card = modelCard()
  const trusted = trustedCard()

  it('is said where there is no signal', () => {
    expect(aucSentence(card.pooled.auc)).toMatch(/holds 0\.5, which is a coin/)
    expect(icSentence(card.pooled.ic)).toMatch(/holds 0/)
    expect(lossSentence(card.pooled, card.baselines)).toMatch(/no better than that/)
    expect(costSentence(card)).toBe('No tenth made money after 15 bps an order: the best one made −0.090% a trade.')
    expect(aucSentence({ value: 0.44, low: 0.42, high: 0.46 })).toMatch(/wrong more often/)
    expect(icSentence({ value: -0.1, low: -0.2, high: -0.05 })).toMatch(/point apart/)
    expect(aucSentence({ value: null, low: null, high: null })).toBe('Too few bars to tell.')
  })

  it('is said where there is one', () => {
    expect(aucSentence(trusted.pooled.auc)).toMatch(/the right one 56\.1% of the time/)
    expect(icSentence(trusted.pooled.ic)).toMatch(/by more than chance/)
    expect(lossSentence(trusted.pooled, trusted.baselines)).toMatch(/it is 1\.72% better/)
    expect(costSentence(trusted)).toMatch(/number 10, made \+0\.340% a trade/)
  })

  it('tells luck by how many were scored', () => {
    expect(luckSentence(0)).toBe('')
    expect(luckSentence(30)).toMatch(/by 15% either way\. Do not read much into it yet\.$/)
    expect(luckSentence(400)).toBe('')
  })

  it('has a tone only where chance is left out', () => {
    const above = toneOf({ value: 0.6, low: 0.55, high: 0.65 }, 0.5)
    const below = toneOf({ value: 0.4, low: 0.3, high: 0.45 }, 0.5)
    expect([above, below, toneOf(card.pooled.auc, 0.5)]).toEqual(['gain', 'loss', 'muted'])
  })
})

describe('words and scales', () => {
  it('name a question, an interval and a state', () => {
    expect(questionWords({ label: 'direction', horizon: 1 })).toBe('Up after 1 bar')
    expect(questionWords({ label: 'triple_barrier', horizon: 1_200 })).toBe('First barrier within 1,200 bars')
    expect(intervalWords({ value: 0.53, low: 0.51, high: null })).toBe('0.530')
    expect(intervalWords({ value: 0.53, low: 0.51, high: 0.55 })).toBe('0.530 (0.510 to 0.550)')
    expect(lookOf(modelRow({ state: 'training', task_state: 'failed' })).word).toBe('Not trained')
  })

  it('hold what means nothing', () => {
    const [low, high] = scaleOf([{ value: 0.6, low: 0.55, high: 0.65 }, null, undefined], 0.5)
    expect(low).toBeCloseTo(0.488)
    expect(high).toBeCloseTo(0.662)
  })

  it('draw the losses of all folds on one scale', () => {
    const curves = [[1, [[1, 0.7, 0.71], [11, 0.6, 0.7]]], [2, [[1, 0.8, 0.8]]]] as const
    const scale = lossScale(curves)
    if (scale === null) throw new Error('there are losses')
    expect(scale).toEqual({ rounds: 11, low: 0.6, high: 0.8 })
    expect(shapeOf(curves[0], scale, 100, 20)).toMatchObject({ learned: 'M0 10L100 20', stop: 'M0 9L100 10', round: 11, loss: 0.6, stopLoss: 0.7 })
    expect(lossScale([])).toBeNull()
  })
})
