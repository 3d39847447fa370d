/** The parts that speak: numbers, times, faces, banners, copying, confirming. */
import userEvent from '@testing-library/user-event'
import { render, screen } from '@testing-library/vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import AsyncView from './AsyncView.vue'
import Button from './Button.vue'
import ConfirmDialog from './ConfirmDialog.vue'
import CopyAs from './CopyAs.vue'
import CopyButton from './CopyButton.vue'
import Dialog from './Dialog.vue'
import DropdownMenu from './DropdownMenu.vue'
import EnvironmentBand from './EnvironmentBand.vue'
import ErrorState from './ErrorState.vue'
import NumberText from './NumberText.vue'
import ProgressBar from './ProgressBar.vue'
import Skeleton from './Skeleton.vue'
import StaleBanner from './StaleBanner.vue'
import StatusBadge from './StatusBadge.vue'
import Tabs from './Tabs.vue'
import TimeText from './TimeText.vue'

/** Text as a screen reader gets it: without what is hidden from it. */
function spoken(element: Element): string {
  const copy = element.cloneNode(true) as Element
  for (const hidden of copy.querySelectorAll('[aria-hidden=true]')) hidden.remove()
  return copy.textContent.trim()
}

describe('NumberText', () => {
  it('tells a direction by sign, arrow and colour', () => {
    const { container } = render(NumberText, { props: { value: '-0.0371', kind: 'change' } })
    expect(container.textContent).toContain('−3.71%')
    expect(container.querySelector('svg')).not.toBeNull()
    expect(container.firstElementChild?.className).toContain('text-loss')
  })

  it('gives a change that rounds to nothing no direction', () => {
    const { container } = render(NumberText, { props: { value: '-0.00001', kind: 'change' } })
    expect(container.textContent).toBe('0.00%')
    expect(container.querySelector('svg')).toBeNull()
  })

  it.each([null, undefined, 'NaN'])('shows %s as a dash with a name', (value) => {
    const { container } = render(NumberText, { props: { value, kind: 'money' } })
    expect(container.textContent).toContain('—')
    expect(spoken(container)).toBe('no value')
  })
})

describe('TimeText', () => {
  it('shows the zone, and the machine gets UTC', () => {
    const { container } = render(TimeText, { props: { value: '2026-11-20T14:32:10Z', zone: 'Europe/Berlin' } })
    expect(container.textContent).toBe('2026-11-20 15:32:10 UTC+1')
    expect(container.querySelector('time')?.getAttribute('datetime')).toBe('2026-11-20T14:32:10Z')
  })

  it('ages by itself', async () => {
    vi.useFakeTimers({ now: new Date('2026-11-20T14:32:20Z') })
    const { container } = render(TimeText, { props: { value: '2026-11-20T14:32:10Z', kind: 'relative' } })
    expect(container.textContent).toBe('10 s ago')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(container.textContent).toBe('1 min ago')
    vi.useRealTimers()
  })
})

describe('Button', () => {
  it('takes no second click and sends no form while it works', async () => {
    const submit = vi.fn((event: Event) => { event.preventDefault() })
    const { emitted, container } = render(Button, { props: { loading: true, type: 'submit' }, slots: { default: 'Save' } })
    const form = document.createElement('form')
    form.addEventListener('submit', submit)
    document.body.append(form)
    form.append(container)
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    expect(emitted().click).toBeUndefined()
    expect(submit).not.toHaveBeenCalled()
    expect(screen.getByRole('button')).toHaveProperty('ariaBusy', 'true')
  })
})

describe('Skeleton', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  it('shows nothing for the first 150 ms', async () => {
    render(Skeleton, { props: { label: 'Loading backtests' } })
    await vi.advanceTimersByTimeAsync(149)
    expect(screen.queryByText('Loading backtests')).toBeNull()
    await vi.advanceTimersByTimeAsync(1)
    expect(screen.getByText('Loading backtests')).toBeTruthy()
  })
})

describe('AsyncView', () => {
  const slots = { default: 'the content', empty: 'nothing yet', loading: 'wait' }
  const face = (props: Record<string, unknown>) => {
    return render(AsyncView, { props: { what: 'backtests', hasContent: false, ...props }, slots }).container.textContent
  }

  it('has five faces', () => {
    expect(face({ loading: true })).toBe('wait')
    expect(face({ hasContent: true })).toBe('the content')
    expect(face({ hasContent: true, empty: true })).toBe('nothing yet')
    expect(face({ error: { message: 'Try again.' } })).toContain('The backtests could not be loaded')
    expect(face({ hasContent: true, stale: true })).toContain('This may be out of date.')
  })

  it('keeps the last content when a refresh fails', () => {
    const text = face({ hasContent: true, error: { message: 'No answer.' }, asOf: '2026-11-20T14:32:10Z' })
    expect(text).toContain('the content')
    expect(text).toContain('as of 14:32:10 UTC')
  })

  it('keeps the error in place while it tries again', () => {
    expect(face({ loading: true, error: { message: 'No answer.' } })).toContain('could not be loaded')
  })
})

describe('ErrorState', () => {
  it('says what failed, offers Retry and copies the request id', async () => {
    const user = userEvent.setup()
    const { emitted } = render(ErrorState, { props: { title: 'It failed', description: 'Wait.', requestId: 'req_1' } })
    await user.click(screen.getByRole('button', { name: 'Retry' }))
    expect(emitted().retry).toHaveLength(1)
    await user.click(screen.getByRole('button', { name: 'Copy request id' }))
    expect(await navigator.clipboard.readText()).toBe('req_1')
    expect(await screen.findByText('Copied')).toBeTruthy()
  })
})

describe('CopyButton', () => {
  it('says so when the browser refuses', async () => {
    const user = userEvent.setup()
    vi.spyOn(navigator.clipboard, 'writeText').mockRejectedValue(new Error('not allowed'))
    render(CopyButton, { props: { text: 'x', label: 'Copy id' } })
    await user.click(screen.getByRole('button', { name: 'Copy id' }))
    expect(await screen.findByText(/Could not copy/)).toBeTruthy()
  })
})

describe('CopyAs', () => {
  it('offers the ways that exist, and copies the whole command', async () => {
    const user = userEvent.setup()
    render(CopyAs, { props: { action: 'Read your profile', commands: { curl: 'curl \\\n  /api/me' } } })
    await user.click(screen.getByRole('button', { name: /Copy as.*Read your profile/ }))
    expect(screen.queryByRole('menuitem', { name: /Copy as command/ })).toBeNull()
    await user.click(await screen.findByRole('menuitem', { name: /Copy as curl/ }))
    expect(await navigator.clipboard.readText()).toBe('curl \\\n  /api/me')
  })

  it('is not there when there is nothing to copy', () => {
    const { container } = render(CopyAs, { props: { action: 'Nothing', commands: {} } })
    expect(container.textContent).toBe('')
  })
})

describe('Dialog', () => {
  it('begins in the first field of its form, and at its first control where it has none', async () => {
    const { unmount } = render(Dialog, { props: { open: true, title: 'Rename' }, slots: { default: '<input aria-label="Name">' } })
    await expect.poll(() => document.activeElement?.getAttribute('aria-label')).toBe('Name')
    unmount()
    render(Dialog, { props: { open: true, title: 'Keys' }, slots: { default: '<p>All of them.</p>' } })
    await expect.poll(() => document.activeElement?.getAttribute('aria-label')).toBe('Close')
  })
})

describe('ConfirmDialog', () => {
  const props = {
    open: true, title: 'Delete 3 backtests?', description: 'This cannot be undone.', consequences: ['3 results are removed.'],
    confirmLabel: 'Delete backtests', typeToConfirm: 'delete',
  }

  it('names what will happen, and waits for the word', async () => {
    const user = userEvent.setup()
    const { emitted } = render(ConfirmDialog, { props })
    const dialog = await screen.findByRole('alertdialog', { name: 'Delete 3 backtests?' })
    expect(dialog.textContent).toContain('3 results are removed.')
    const confirm = screen.getByRole('button', { name: 'Delete backtests' })
    expect(confirm).toHaveProperty('disabled', true)
    await user.type(screen.getByLabelText('Type delete to confirm'), 'delete')
    await user.click(confirm)
    expect(emitted().confirm).toHaveLength(1)
  })

  it('leaves by Escape without confirming', async () => {
    const { emitted } = render(ConfirmDialog, { props })
    await screen.findByRole('alertdialog')
    await userEvent.keyboard('{Escape}')
    expect(emitted()['update:open']).toEqual([[false]])
    expect(emitted().confirm).toBeUndefined()
  })
})

describe('DropdownMenu', () => {
  it('opens, moves and chooses with the keyboard alone', async () => {
    const user = userEvent.setup()
    const chosen = vi.fn()
    const items = [{ label: 'Rename' }, { label: 'Delete', danger: true, onSelect: chosen }]
    render({ components: { DropdownMenu, Button }, setup: () => ({ items }), template: '<DropdownMenu :items="items"><Button>More</Button></DropdownMenu>' })
    await user.tab()
    await user.keyboard('{Enter}')
    await screen.findByRole('menuitem', { name: 'Rename' })
    await nextTick()
    await user.keyboard('{ArrowDown}{Enter}')
    expect(chosen).toHaveBeenCalledOnce()
  })
})

describe('Tabs', () => {
  it('moves with arrows and skips what is switched off', async () => {
    const user = userEvent.setup()
    const tabs = [{ value: 'a', label: 'Alpha' }, { value: 'b', label: 'Beta', disabled: true }, { value: 'c', label: 'Gamma', count: 1284 }]
    const { emitted } = render(Tabs, { props: { label: 'Result', tabs, modelValue: 'a' }, slots: { a: 'first', c: 'third' } })
    screen.getByRole('tab', { name: 'Alpha' }).focus()
    await user.keyboard('{ArrowRight}')
    expect(emitted()['update:modelValue']).toEqual([['c']])
    expect(screen.getByRole('tab', { name: /Gamma/ }).textContent).toContain('1,284')
  })
})

describe('signs', () => {
  it('says the environment in words', () => {
    render(EnvironmentBand, { props: { environment: 'LIVE' } })
    expect(screen.getByRole('complementary', { name: 'Environment' }).textContent).toContain('LIVE')
  })

  it('says a status in a word beside its icon', () => {
    const { container } = render(StatusBadge, { props: { status: 'failed' } })
    expect(container.textContent.trim()).toBe('Failed')
    expect(container.querySelector('svg')?.getAttribute('aria-hidden')).toBe('true')
  })

  it('never says 100 before the end, and says stage and time left', () => {
    render(ProgressBar, { props: { label: 'Backtest', percent: 99.9, stage: 'Replaying bars', etaSeconds: 42 } })
    const bar = screen.getByRole('progressbar', { name: 'Backtest' })
    expect(bar.getAttribute('aria-valuetext')).toBe('Replaying bars, 99 %, 42 s left')
  })

  it('has no value while nobody knows how far it is', () => {
    render(ProgressBar, { props: { label: 'Download' } })
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBeNull()
  })

  it('does not read the countdown aloud', () => {
    const { container } = render(StaleBanner, { props: { kind: 'offline', retryIn: 3 } })
    expect(container.textContent).toContain('Reconnecting in 3 s')
    expect(spoken(container)).not.toContain('Reconnecting')
  })
})
