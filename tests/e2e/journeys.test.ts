/** Whole journeys, each in two ways: by mouse on a desk in light, and by keyboard on a phone in the dark over a killed server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { desktop, expectNoSidewaysScroll, phone, visit, withoutRefusals } from './browser'
import { confirming } from './confirming'
import { exchangeKeys } from './exchange-keys'
import { type Hand, KeyboardHand, MouseHand } from './hands'
import { account } from './journeys/account'
import { demo } from './journeys/demo'
import { keys } from './journeys/keys'
import { model } from './journeys/model'
import { rules } from './journeys/rules'
import type { Traveller } from './journeys/traveller'
import { upload } from './journeys/upload'
import { outage } from './outage'
import { signUp } from './people'
import { closeWorld, openWorld, type World } from './world'

let world: World

beforeAll(async () => { world = await openWorld() })
afterAll(async () => { await closeWorld(world) })

const journeys: Record<string, (traveller: Traveller) => Promise<void>> = {
  'the demo, to its first backtest': demo,
  'an account, confirmed by mail, on two devices': account,
  'a file, tested, compared, exported and shared': upload,
  'rules, swept, and their best trial': rules,
  'a model, asked and traded': model,
  'a key, rotated and deleted': keys,
}

interface Way {
  hand: new (...of: ConstructorParameters<typeof MouseHand>) => Hand
  viewport: typeof desktop
  colorScheme: 'light' | 'dark'
  isKilled: boolean
}

const ways: Record<string, Way> = {
  'by mouse, wide, in light': { hand: MouseHand, viewport: desktop, colorScheme: 'light', isKilled: false },
  'by keyboard, at 360 px, in the dark, over a kill': { hand: KeyboardHand, viewport: phone, colorScheme: 'dark', isKilled: true },
}

describe.each(Object.entries(ways))('%s', (_way, { hand: Hand, viewport, colorScheme, isKilled }) => {
  it.each(Object.entries(journeys))('%s', async (_name, travel) => {
    const { browser, mail, tidemark } = world
    const letterTo = (email: string) => mail.letterTo(email)
    const { page, complaints, close } = await visit(browser, { url: tidemark.url, viewport, colorScheme, acceptDownloads: true })
    const foreign: string[] = []
    page.on('request', (request) => { if (/^http/.test(request.url()) && !request.url().startsWith(tidemark.url)) foreign.push(request.url()) })
    const hand = new Hand(page)
    await travel({
      page, hand, letterTo,
      arrive: async () => { await signUp(page, undefined, letterTo) },
      elsewhere: () => visit(browser, { url: tidemark.url }),
      interrupt: async () => { if (isKilled) await killAndResume() },
    })
    await expectNoSidewaysScroll(page)
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe(colorScheme)
    expect(foreign).toEqual([])
    expect(hand.lost).toEqual([])
    // While a number is typed, the server says what is wrong with it; one that is away says nothing at all.
    expect(withoutRefusals(complaints, 422).filter((text) => !isKilled || !text.includes('net::ERR_'))).toEqual([])
    await close()

    async function killAndResume() {
      const banner = page.getByText('Tidemark does not answer.', { exact: true })
      await tidemark.kill()
      await banner.waitFor()
      await expectNoSidewaysScroll(page)
      await tidemark.resume()
      await banner.waitFor({ state: 'detached' })
    }
  })
})

describe('confirming an email', () => { confirming(() => world) })
describe('API keys', () => { exchangeKeys(() => world) })
describe('without the server', () => { outage(() => world) })
