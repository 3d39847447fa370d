/** The keyboard: Ctrl/Cmd-K always, single keys unless the person switched them off. */
import { onBeforeUnmount, onMounted, type Ref } from 'vue'
import { useRouter } from 'vue-router'
import { dialogIsOpen, isTyping } from '@/shared/keyboard'
import { type Destination, useDestinations } from './navigation'

const goWithinMilliseconds = 1_500

export interface Shortcut {
  keys: string[]
  does: string
  single: boolean
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent)
export const paletteKeys = isMac ? ['⌘', 'K'] : ['Ctrl', 'K']

export const shortcutsTo = (destinations: readonly Destination[]): Shortcut[] => [
  { keys: paletteKeys, does: 'Open the command palette', single: false },
  { keys: ['?'], does: 'Show all shortcuts', single: true },
  { keys: ['/'], does: 'Search the list, or pages, actions and backtests', single: true },
  { keys: ['n'], does: 'New backtest', single: true },
  ...destinations.map(({ key, label }) => ({ keys: ['g', key], does: `Go to ${label}`, single: true })),
]

interface Handlers {
  singleKeys: Ref<boolean>
  openPalette: () => void
  openSheet: () => void
}

export function useShortcuts({ singleKeys, openPalette, openSheet }: Handlers) {
  const router = useRouter()
  const destinations = useDestinations()
  let goPressedAt = -Infinity

  function press(event: KeyboardEvent) {
    if (event.defaultPrevented || event.isComposing) return
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      openPalette()
      return
    }
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey
    if (!singleKeys.value || !isPlain || isTyping(event.target) || dialogIsOpen()) return
    if (singleKey(event.key, event.timeStamp)) event.preventDefault()
  }

  function singleKey(key: string, now: number) {
    const afterGo = now - goPressedAt < goWithinMilliseconds
    goPressedAt = -Infinity
    if (afterGo) {
      const destination = destinations.value.find((candidate) => candidate.key === key.toLowerCase())
      if (destination !== undefined) void router.push({ name: destination.name })
      return destination !== undefined
    }
    if (key === 'g') goPressedAt = now
    else if (key === '?') openSheet()
    else if (key === '/') openPalette()
    else if (key === 'n') void router.push('/backtests/new')
    else return false
    return true
  }

  onMounted(() => { window.addEventListener('keydown', press) })
  onBeforeUnmount(() => { window.removeEventListener('keydown', press) })
}
