import userEvent from '@testing-library/user-event'
import { fireEvent, screen } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { describe, expect, it, vi } from 'vitest'
import { defineComponent, h, ref } from 'vue'
import { meQuery } from '@/api/accounts'
import { ApiError, takeTokensFrom } from '@/api/client'
import { useSession } from '@/features/auth/session'
import { checkNow } from '@/api/connection'
import { queryClient } from '@/api/queries'
import { showStream } from '@/api/stream'
import { useAppearance } from '@/shared/composables/appearance'
import { localZone } from '@/shared/composables/localZone'
import { backtestRow, strategy } from '@/testing/backtests'
import { serveEvents } from '@/testing/eventServer'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import CommandPalette from './CommandPalette.vue'
import ErrorBoundary from './ErrorBoundary.vue'
import LeaveDemoDialog from './LeaveDemoDialog.vue'
import LiveDot from './LiveDot.vue'
import { useProfilePreferences } from './preferences'
import { useShortcuts } from './shortcuts'
import { useLiveUpdates } from './useLiveUpdates'
import { useSignOut } from './useSignOut'

useServer()

describe('ErrorBoundary', () => {
  function breaking(error: Error) {
    vi.stubGlobal('reportError', vi.fn())
    const Broken = defineComponent({ setup() { throw error } })
    return defineComponent({ render: () => h(ErrorBoundary, null, { default: () => h(Broken) }) })
  }

  it('shows the page\'s own error with the id to report', async () => {
    await renderPage(breaking(new ApiError({ status: 500, code: 'x', title: 'It broke', detail: 'Try again.', requestId: 'req-5' })))
    expect(screen.getByRole('alert').textContent).toMatch(/It broke.*Try again\..*req-5/s)
  })

  it('has words for what nobody expected', async () => {
    await renderPage(breaking(new Error('undefined is not a function')))
    expect(screen.getByRole('alert').textContent).toMatch(/This page broke.*Reload/s)
  })
})

describe('CommandPalette', () => {
  it('finds a command by other words for it, and runs it on Enter', async () => {
    const page = defineComponent({ setup: () => () => h(CommandPalette, { open: true }) })
    const { router } = await renderPage(page)
    const field = await screen.findByLabelText('Search pages, actions, backtests')
    await userEvent.type(field, 'password')
    expect(screen.getAllByRole('option').map((option) => option.textContent.trim())).toEqual([expect.stringMatching(/^Settings/)])
    await userEvent.keyboard('{Enter}')
    await expect.poll(() => router.currentRoute.value.name).toBe('settings')
  })

  it('puts the page that is called so before those that have a word for it', async () => {
    await renderPage(defineComponent({ setup: () => () => h(CommandPalette, { open: true }) }))
    await userEvent.type(await screen.findByLabelText('Search pages, actions, backtests'), 'strategies')
    expect(screen.getAllByRole('option').map((option) => option.textContent.trim())[0]).toMatch(/^Strategies/)
  })

  it.each([[true, 1], [false, 0]])('leads to the administration only those who may go there: %s', async (isAdmin, count) => {
    queryClient.setQueryData(meQuery.queryKey, { ...profile({ is_admin: isAdmin }), etag: '"3"' })
    await renderPage(defineComponent({ setup: () => () => h(CommandPalette, { open: true }) }))
    await screen.findByRole('option', { name: /^Settings/ })
    expect(screen.queryAllByRole('option', { name: /^Administration/ })).toHaveLength(count)
  })

  it('says so when nothing matches', async () => {
    server.use(
      http.get('/api/strategies', () => HttpResponse.json({ items: [], broken: [] })),
      http.get('/api/backtests', () => HttpResponse.json({ items: [], next_cursor: null })),
    )
    await renderPage(defineComponent({ setup: () => () => h(CommandPalette, { open: true }) }))
    await userEvent.type(await screen.findByLabelText('Search pages, actions, backtests'), 'zzz')
    expect(await screen.findByText(/Nothing is called “zzz”/)).toBeTruthy()
  })

  it('finds backtests and strategies that are called so, and opens one', async () => {
    const asked: string[] = []
    server.use(
      http.get('/api/strategies', () => HttpResponse.json({ items: [strategy(), strategy({ name: 'own', title: 'Slow dip' })], broken: [] })),
      http.get('/api/backtests', ({ request }) => {
        asked.push(new URL(request.url).search)
        return HttpResponse.json({ items: [backtestRow({ name: 'Slow cross' })], next_cursor: null })
      }),
    )
    const { router } = await renderPage(defineComponent({ setup: () => () => h(CommandPalette, { open: true }) }))
    await userEvent.type(await screen.findByLabelText('Search pages, actions, backtests'), 'slow')
    expect(await screen.findByRole('option', { name: 'Slow dip' })).toBeTruthy()
    await userEvent.click(await screen.findByRole('option', { name: 'Slow cross' }))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe(`/backtests/${backtestRow().id}`)
    expect(asked).toEqual(['?search=slow&limit=6'])
  })
})

describe('the dot in the header', () => {
  const since = new Date('2026-11-20T14:32:10Z')

  it('says in words how live the page is, and since when', async () => {
    await renderPage(LiveDot)
    showStream({ phase: 'live', since, nextAttemptAt: null })
    await userEvent.click(await screen.findByRole('button', { name: /^Updates: live since \d\d:\d\d:10/ }))
    await screen.findByText('What happens to your tasks is shown as it happens.')
    expect(screen.getByRole('menuitem', { name: 'Open the status centre' }).getAttribute('href')).toBe('/status')
  })

  it('knows a cut stream from a server that is gone', async () => {
    await renderPage(LiveDot)
    showStream({ phase: 'reconnecting', since, nextAttemptAt: new Date(Date.now() + 4_500) })
    await userEvent.click(await screen.findByRole('button', { name: /^Updates: reconnecting since/ }))
    await screen.findByText(/^Tidemark answers, but the stream of events was cut/)
    await screen.findByText(/^Reconnecting in [45] s\.$/)
    server.use(http.get('/healthz', () => HttpResponse.error()))
    await checkNow()
    await screen.findByText(/^Tidemark does not answer/)
    await screen.findByText('Updates: offline', { selector: ':not(.sr-only)' })
    server.use(http.get('/healthz', () => HttpResponse.json({})))
    await checkNow()
    await screen.findByText(/^Tidemark answers/)
  })
})

describe('live updates', () => {
  it('follow whoever is signed in, and nobody after that', async () => {
    const streams = serveEvents()
    const user = { id: 'u-1', aud: '', app_metadata: {}, user_metadata: {}, created_at: '' }
    const Frame = defineComponent({
      setup() {
        const session = useSession()
        takeTokensFrom({ token: () => Promise.resolve('kept') })
        session.user = user
        useLiveUpdates()
        return () => h('p', session.user?.id)
      },
    })
    const { unmount } = await renderPage(Frame)
    await expect.poll(() => streams.length).toBe(1)
    useSession().user = { ...user, email: 'changed@example.com' }
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(streams).toHaveLength(1)
    useSession().user = { ...user, id: 'u-2' }
    await expect.poll(() => streams.map(({ isCut }) => isCut)).toEqual([true, false])
    unmount()
    await expect.poll(() => streams.map(({ isCut }) => isCut)).toEqual([true, true])
  })
})

describe('signing out of a demo', () => {
  const items = [{ name: 'backtests', count: 3, file: 'backtests.json', about: 'What it is.' }]

  async function page(isDemo: boolean) {
    server.use(http.get('/api/me/data', () => HttpResponse.json({ items, disk_bytes: 0, has_password: false, most_exports_a_day: 5 })))
    const Page = defineComponent({
      setup() {
        const session = useSession()
        session.user = { id: 'u-1', aud: 'authenticated', is_anonymous: isDemo, app_metadata: {}, user_metadata: {}, created_at: '' }
        vi.spyOn(session, 'signOut').mockResolvedValue(true)
        return { signOut: useSignOut() }
      },
      render() { return [h('button', { onClick: this.signOut }, 'Sign out'), h(LeaveDemoDialog)] },
    })
    const { router } = await renderPage(Page)
    const drop = vi.fn(() => Promise.resolve())
    takeTokensFrom({ token: () => Promise.resolve('token'), drop })
    await userEvent.click(screen.getByRole('button', { name: 'Sign out' }))
    return { router, drop }
  }

  async function leave() {
    const button = await screen.findByRole<HTMLButtonElement>('button', { name: 'Leave demo' })
    await expect.poll(() => button.disabled).toBe(false)
    await userEvent.click(button)
  }

  it('says in numbers what goes with it, and can be thought over', async () => {
    const { drop } = await page(true)
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toMatch(/Leave the demo\?.*nobody can come back/)
    await screen.findByText('3 backtests')
    await userEvent.click(screen.getByRole('button', { name: 'Stay' }))
    await expect.poll(() => screen.queryByRole('alertdialog')).toBeNull()
    expect(drop).not.toHaveBeenCalled()
  })

  it('deletes it with everything in it', async () => {
    let sent: unknown
    server.use(http.delete('/api/me', async ({ request }) => {
      sent = await request.json()
      return new HttpResponse(null, { status: 204 })
    }))
    const { drop } = await page(true)
    await leave()
    await expect.poll(() => drop.mock.calls.length).toBe(1)
    expect(sent).toEqual({ confirm: 'delete my account' })
  })

  it('stays, and says why, when it could not be deleted', async () => {
    server.use(http.delete('/api/me', () => problem(503, 'unavailable', 'The database does not answer')))
    const { drop } = await page(true)
    await leave()
    expect((await screen.findByRole('alert')).textContent).toContain('The database does not answer')
    expect(drop).not.toHaveBeenCalled()
  })

  it('asks nobody who has an account', async () => {
    const { router } = await page(false)
    await expect.poll(() => router.currentRoute.value.name).toBe('sign-in')
    expect(screen.queryByRole('alertdialog')).toBeNull()
  })
})

describe('shortcuts', () => {
  async function page(isOn = true) {
    const openPalette = vi.fn()
    const openSheet = vi.fn()
    const Keys = defineComponent({
      setup() {
        useShortcuts({ singleKeys: ref(isOn), openPalette, openSheet })
        return () => h('input', { 'aria-label': 'field' })
      },
    })
    const { router } = await renderPage(Keys)
    return { router, openPalette, openSheet }
  }

  it('go by g and a letter, and forget the g after a while', async () => {
    const { router } = await page()
    const now = vi.spyOn(Event.prototype, 'timeStamp', 'get').mockReturnValue(0)
    await fireEvent.keyDown(document.body, { key: 'g' })
    now.mockReturnValue(2_000)
    await fireEvent.keyDown(document.body, { key: 's' })
    expect(router.currentRoute.value.path).toBe('/')
    await fireEvent.keyDown(document.body, { key: 'g' })
    await fireEvent.keyDown(document.body, { key: 's' })
    await expect.poll(() => router.currentRoute.value.name).toBe('settings')
  })

  it('leave the keys to a field that is typed into', async () => {
    const { openPalette, openSheet } = await page()
    await userEvent.type(screen.getByLabelText('field'), '?/')
    expect(openSheet).not.toHaveBeenCalled()
    expect(openPalette).not.toHaveBeenCalled()
  })

  it('can be switched off, all but Ctrl or Cmd with K', async () => {
    const { openPalette, openSheet } = await page(false)
    await fireEvent.keyDown(document.body, { key: '?' })
    await fireEvent.keyDown(document.body, { key: '/' })
    expect(openSheet).not.toHaveBeenCalled()
    expect(openPalette).not.toHaveBeenCalled()
    await fireEvent.keyDown(document.body, { key: 'k', metaKey: true })
    expect(openPalette).toHaveBeenCalledOnce()
  })
})

describe('preferences', () => {
  const Frame = defineComponent({
    setup() {
      useProfilePreferences()
      return () => h('p', 'frame')
    },
  })
  const { appearance, choose } = useAppearance()

  it('of a profile that was edited before win over this browser', async () => {
    choose({ theme: 'light', palette: 'default', density: 'comfortable' })
    const preferences = { ...profile().preferences, theme: 'dark' as const, density: 'compact' as const }
    server.use(http.get('/api/me', () => HttpResponse.json(profile({ version: 2, preferences }), { headers: { ETag: '"2"' } })))
    await renderPage(Frame)
    await expect.poll(() => ({ ...appearance })).toEqual({ theme: 'dark', palette: 'default', density: 'compact' })
    expect(document.documentElement.dataset).toMatchObject({ theme: 'dark', density: 'compact' })
  })

  it('chosen before signing up are kept in the new profile, with the time zone of the device', async () => {
    choose({ theme: 'dark', palette: 'colour_blind', density: 'spacious' })
    let kept: unknown
    server.use(
      http.get('/api/me', () => HttpResponse.json(profile({ version: 1 }), { headers: { ETag: '"1"' } })),
      http.patch('/api/me', async ({ request }) => {
        kept = await request.json()
        const preferences = { ...profile().preferences, theme: 'dark' as const, palette: 'colour_blind' as const, density: 'spacious' as const }
        return HttpResponse.json(profile({ version: 2, preferences }), { headers: { ETag: '"2"' } })
      }),
    )
    await renderPage(Frame)
    await expect.poll(() => kept).toEqual({
      preferences: { theme: 'dark', palette: 'colour_blind', density: 'spacious', timezone: localZone },
    })
    expect({ ...appearance }).toEqual({ theme: 'dark', palette: 'colour_blind', density: 'spacious' })
  })
})
