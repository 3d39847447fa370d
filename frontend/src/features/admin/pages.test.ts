/** The administration as it looks to somebody: who gets in, what is asked of the server, and what a refusal says. */
import userEvent from '@testing-library/user-event'
import { screen, waitFor, within } from '@testing-library/vue'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { exportAudit } from '@/api/administration'
import { notify } from '@/shared/composables/notify'
import { saveBlob } from '@/shared/saveBlob'
import { adaId, line, page, plan, somebodysTask, user } from '@/testing/administration'
import { renderPage } from '@/testing/render'
import { problem, profile, server, useServer } from '@/testing/server'
import AdminPages from './AdminPages.vue'

vi.mock('@/shared/saveBlob', () => ({ saveBlob: vi.fn() }))
// The network of the tests gives no Blobs.
vi.mock('@/api/administration', async (original) => ({
  ...await original<object>(), exportAudit: vi.fn(() => Promise.resolve(new Blob(['PAR1']))),
}))
useServer()

const asked = vi.fn()

beforeEach(() => {
  // Without layout the virtual window would be empty.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(480)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(960)
  asked.mockReset()
  server.use(
    http.get('/api/me', () => HttpResponse.json(profile({ is_admin: true }), { headers: { ETag: '"3"' } })),
    http.get('/api/admin/plans', () => HttpResponse.json({ items: [plan(), plan({ name: 'large', users: 0, most_queued: 9_000 })] })),
    http.get('/api/admin/users', ({ request }) => {
      asked(new URL(request.url).search)
      return HttpResponse.json(page(user()))
    }),
    http.get(`/api/admin/users/${adaId}`, () => HttpResponse.json(user())),
  )
})

const open = (at: string) => renderPage(AdminPages, { at })

async function confirm(button: string, reason: string) {
  const dialog = await screen.findByRole('alertdialog')
  await userEvent.type(within(dialog).getByLabelText('Reason'), reason)
  await userEvent.click(within(dialog).getByRole('button', { name: button }))
}

describe('who is no administrator', () => {
  it('is told so, and nothing is asked', async () => {
    server.use(http.get('/api/me', () => HttpResponse.json(profile(), { headers: { ETag: '"3"' } })))
    await open('/admin/users')
    await screen.findByRole('heading', { name: 'For administrators' })
    expect(asked).not.toHaveBeenCalled()
  })

  it('any longer is told so as soon as something is refused, and gets in again once they are', async () => {
    let isAdmin = true
    server.use(
      http.get('/api/me', () => HttpResponse.json(profile({ is_admin: isAdmin }), { headers: { ETag: '"3"' } })),
      http.get('/api/admin/users', () => {
        isAdmin = false
        return problem(403, 'admin_needed', 'Only administrators may do this')
      }, { once: true }),
    )
    await open('/admin')
    await screen.findByRole('heading', { name: 'For administrators' })
    isAdmin = true
    await userEvent.click(screen.getByRole('button', { name: 'Look again' }))
    await screen.findByRole('tab', { name: 'Users' })
  })
})

describe('users', () => {
  it('are asked for as the address says, and opened with the filters kept', async () => {
    const { router } = await open('/admin/users?q=ada&state=active&role=user&plan=standard')
    const cell = await screen.findByRole('link', { name: 'ada@example.com' })
    expect(asked.mock.calls[0]).toEqual(['?search=ada&role=user&state=active&plan=standard&limit=100'])
    await userEvent.click(cell)
    await screen.findByRole('heading', { level: 1, name: 'ada@example.com' })
    expect(router.currentRoute.value.fullPath).toBe(`/admin/users/${adaId}?q=ada&state=active&role=user&plan=standard`)
    expect(screen.getByRole('link', { name: 'Users' }).getAttribute('href')).toContain('q=ada')
  })

  it('do not fit: the filters are cleared with one press', async () => {
    server.use(http.get('/api/admin/users', () => HttpResponse.json(page())))
    const { router } = await open('/admin/users?role=admin')
    await userEvent.click(await screen.findByRole('button', { name: 'Clear filters' }))
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/admin/users')
  })
})

describe('a user', () => {
  it('is suspended for a reason only, for as long as is chosen', async () => {
    const sent = vi.fn()
    server.use(http.post(`/api/admin/users/${adaId}/suspend`, async ({ request }) => {
      sent(await request.json())
      return HttpResponse.json(user({ state: 'suspended', suspended_until: '2126-11-27T12:00:00Z' }))
    }))
    await open(`/admin/users/${adaId}`)
    await userEvent.click(await screen.findByRole('button', { name: 'Suspend' }))
    const dialog = await screen.findByRole('alertdialog', { name: 'Suspend ada@example.com?' })
    within(dialog).getByText('4 tasks end: what waits is cancelled, what runs is stopped.')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Suspend' }))
    within(dialog).getByText('Say why. It is kept in the audit log.')
    await userEvent.selectOptions(within(dialog).getByLabelText('For how long'), 'hours')
    await userEvent.type(within(dialog).getByRole('spinbutton', { name: 'Hours' }), '9000')
    await confirm('Suspend', 'Floods the queue.')
    expect(sent).not.toHaveBeenCalled()
    await userEvent.selectOptions(within(dialog).getByLabelText('For how long'), 'ever')
    await userEvent.click(within(dialog).getByRole('button', { name: 'Suspend' }))
    await screen.findByText('Nobody gets in until somebody restores it.')
    expect(sent.mock.calls).toEqual([[{ hours: null, reason: 'Floods the queue.' }]])
    expect(screen.getByRole('button', { name: 'Restore' })).toBeTruthy()
  })

  it('keeps the dialog open with what the server refused', async () => {
    server.use(http.patch(`/api/admin/users/${adaId}`, () => problem(409, 'demo_account', 'A demo account cannot be this')))
    await open(`/admin/users/${adaId}`)
    await userEvent.click(await screen.findByRole('button', { name: 'Make administrator' }))
    await confirm('Make administrator', 'Helps out.')
    expect((await screen.findByRole('alert')).textContent).toContain('A demo account cannot be this.')
    screen.getByRole('alertdialog')
  })

  it('gets another plan, with its numbers said first', async () => {
    const sent = vi.fn()
    server.use(http.patch(`/api/admin/users/${adaId}`, async ({ request }) => {
      sent(await request.json())
      return HttpResponse.json(user({ plan: 'large' }))
    }))
    await open(`/admin/users/${adaId}`)
    await userEvent.click(await screen.findByRole('button', { name: 'Change plan' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(within(dialog).getAllByRole('option').map(({ textContent }) => textContent.trim())).toEqual(['Choose a plan', 'large'])
    await userEvent.selectOptions(within(dialog).getByLabelText('New plan'), 'large')
    within(dialog).getByText(/^From now on 9,000 tasks may wait/)
    await confirm('Change plan', 'Bought it.')
    await screen.findByText('Against the quotas of the plan large.')
    expect(sent.mock.calls).toEqual([[{ plan: 'large', reason: 'Bought it.' }]])
  })

  it('who is oneself can be neither suspended nor demoted from here', async () => {
    const me = user({ id: profile().user_id, role: 'admin' })
    server.use(http.get(`/api/admin/users/${me.id}`, () => HttpResponse.json(me)))
    await open(`/admin/users/${me.id}`)
    await screen.findByText(/^This is you: another administrator/)
    for (const name of ['Suspend', 'Take the role away']) expect(screen.queryByRole('button', { name })).toBeNull()
    screen.getByRole('button', { name: 'Change plan' })
  })
})

describe('tasks of everybody', () => {
  const task = somebodysTask({ state: 'running', started_at: '2026-11-20T09:31:00Z' })

  it('are narrowed to somebody by the address, and cancelled for a reason', async () => {
    const sent = vi.fn()
    server.use(
      http.get('/api/admin/tasks', ({ request }) => {
        asked(new URL(request.url).search)
        return HttpResponse.json(page(task))
      }),
      http.get(`/api/admin/tasks/${task.id}`, () => HttpResponse.json(task)),
      http.post(`/api/admin/tasks/${task.id}/cancel`, async ({ request }) => {
        sent(await request.json())
        return HttpResponse.json(task)
      }),
    )
    const { router } = await open('/admin/tasks?state=running')
    await userEvent.type(await screen.findByLabelText('User: email or id'), 'ADA@example.com{Enter}')
    await expect.poll(() => router.currentRoute.value.query).toEqual({ state: 'running', user_id: adaId })
    await expect.poll(() => asked.mock.calls.at(-1)).toEqual([`?user_id=${adaId}&state=running&limit=100`])
    await screen.findByRole('button', { name: 'User: no longer only ada@example.com' })
    await userEvent.click(await screen.findByText('Running', { selector: 'span' }))
    const drawer = await screen.findByRole('dialog')
    expect(router.currentRoute.value.params.id).toBe(task.id)
    await userEvent.click(await within(drawer).findByRole('button', { name: 'Cancel task' }))
    await confirm('Cancel task', 'Takes the machine.')
    await expect.poll(() => sent.mock.calls).toEqual([[{ reason: 'Takes the machine.' }]])
  })

  it('of an address that nobody has are not asked for', async () => {
    server.use(
      http.get('/api/admin/tasks', () => HttpResponse.json(page(task))),
      http.get('/api/admin/users', () => HttpResponse.json(page(user({ email: 'ada@example.com.au' })))),
    )
    const { router } = await open('/admin/tasks')
    await userEvent.type(await screen.findByLabelText('User: email or id'), 'ada@example.com{Enter}')
    await screen.findByText('Nobody has this address. Type all of it, or an id.')
    expect(router.currentRoute.value.query).toEqual({})
  })
})

describe('the audit log', () => {
  it('is narrowed by the address, opened at a line, and exported as it is filtered', async () => {
    vi.spyOn(notify, 'success').mockImplementation(() => undefined)
    server.use(
      http.get('/api/admin/audit', ({ request }) => {
        asked(new URL(request.url).search)
        return HttpResponse.json(page(line()))
      }),
    )
    const filters = 'action=user.suspend&at=2026-11-01..2026-11-30'
    await open(`/admin/audit/line-1?${filters}`)
    const drawer = await screen.findByRole('dialog', { name: 'Suspended a user' })
    for (const text of ['Floods the queue.', 'grace@example.com', '192.0.2.7', '24']) within(drawer).getByText(text)
    const wanted = 'action=user.suspend&since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00.000Z'
    expect(decodeURIComponent(String(asked.mock.calls[0]?.[0]))).toBe(`?${wanted}&limit=100`)
    await userEvent.click(within(drawer).getByRole('button', { name: 'Close' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Export' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: /^Parquet/ }))
    await waitFor(() => { expect(saveBlob).toHaveBeenCalledOnce() })
    expect(vi.mocked(saveBlob).mock.calls[0]?.[0]).toBe('audit-log.parquet')
    expect(vi.mocked(exportAudit).mock.calls[0]?.slice(0, 2)).toEqual([{
      actor_id: '', subject_id: '', action: 'user.suspend', since: '2026-11-01T00:00:00Z', until: '2026-12-01T00:00:00.000Z',
    }, 'parquet'])
  })

  it('says when the line of a link is not there', async () => {
    server.use(http.get('/api/admin/audit', () => HttpResponse.json({ items: [line()], next_cursor: 'next' })))
    await open('/admin/audit/line-of-old')
    await screen.findByText('The line of this address is not among those that are loaded.')
    expect(screen.getAllByRole('button', { name: 'Load more' })).toHaveLength(2)
  })
})

describe('plans', () => {
  it('are changed only when a number is another one, and say for how many it holds', async () => {
    const sent = vi.fn()
    server.use(http.put('/api/admin/plans/large', async ({ request }) => {
      sent(await request.json())
      return HttpResponse.json(plan({ name: 'large' }))
    }))
    const { router } = await open('/admin/plans/large')
    const form = await screen.findByRole('dialog', { name: 'Plan large' })
    await userEvent.click(within(form).getByRole('button', { name: 'Change plan' }))
    within(form).getByText('These are the numbers that it has.')
    const models = within(form).getByRole('spinbutton', { name: 'Models kept' })
    await userEvent.clear(models)
    await userEvent.click(within(form).getByRole('button', { name: 'Change plan' }))
    within(form).getByText('Give a number.')
    await userEvent.type(models, '300')
    await userEvent.click(within(form).getByRole('button', { name: 'Change plan' }))
    await screen.findByText('Models kept: 300 in place of 200.')
    await confirm('Change plan', 'They grew.')
    await expect.poll(() => sent.mock.calls).toEqual([[
      { most_queued: 9_000, most_running: 16, most_backtests: 20_000, most_models: 300, reason: 'They grew.' },
    ]])
    await expect.poll(() => router.currentRoute.value.fullPath).toBe('/admin/plans')
  })

  it('that somebody has cannot be deleted', async () => {
    await open('/admin/plans/standard')
    const form = await screen.findByRole('dialog', { name: 'Plan standard' })
    within(form).getByText(/so it cannot be deleted\.$/)
    expect(within(form).queryByRole('button', { name: 'Delete' })).toBeNull()
  })
})

describe('limits', () => {
  it('name the setting that changes them, and are found by it', async () => {
    server.use(http.get('/api/admin/limits', () => HttpResponse.json({ groups: [
      { name: 'Disk', limits: [{ name: 'user_disk', value: 2 ** 30, unit: 'bytes', meaning: 'Of one user.', setting: 'TIDEMARK_USER_DISK_GIB' }] },
      { name: 'Plan standard', limits: [{ name: 'queued', value: 5, unit: 'tasks', meaning: 'That wait.', setting: 'plan' }] },
    ] })))
    const { router } = await open('/admin/limits')
    await screen.findByText('1.0 GiB')
    expect(screen.getByRole('link', { name: 'By the plan' }).getAttribute('href')).toBe('/admin/plans')
    await userEvent.type(screen.getByLabelText('Search limits'), 'disk_gib')
    await expect.poll(() => screen.queryByText('Plan standard')).toBeNull()
    expect(router.currentRoute.value.query).toEqual({ q: 'disk_gib' })
  })
})
