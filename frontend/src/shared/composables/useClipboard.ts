/** Copies text and remembers for a moment that it did; also where the page has no secure context. */
import { onScopeDispose, readonly, ref, type Ref } from 'vue'

const ACKNOWLEDGED_FOR = 2000

export interface Clipboard {
  state: Readonly<Ref<'idle' | 'copied' | 'failed'>>
  copy: (text: string) => Promise<void>
}

export function useClipboard(): Clipboard {
  const state = ref<'idle' | 'copied' | 'failed'>('idle')
  let timer: ReturnType<typeof setTimeout> | undefined

  async function copy(text: string): Promise<void> {
    state.value = await write(text) ? 'copied' : 'failed'
    clearTimeout(timer)
    timer = setTimeout(() => { state.value = 'idle' }, ACKNOWLEDGED_FOR)
  }

  onScopeDispose(() => { clearTimeout(timer) })
  return { state: readonly(state), copy }
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // No secure context (plain http on a local network) or no permission: the old way needs neither.
    return writeThroughSelection(text)
  }
}

function writeThroughSelection(text: string): boolean {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.setAttribute('readonly', '')
  area.className = 'fixed opacity-0'
  // Beside the focused element, since a dialog takes back every focus that leaves it.
  const beside = focused?.closest('[role=dialog], [role=alertdialog], [role=menu]') ?? document.body
  beside.append(area)
  area.select()
  try {
    return document.execCommand('copy')
  } catch {
    return false
  } finally {
    area.remove()
    if (focused instanceof HTMLElement) focused.focus()
  }
}
