/** Whether the sidebar is 224 or 56 px wide: as chosen in this browser, else by the room there is. */
import { computed, ref } from 'vue'
import { useMediaQuery } from '@/shared/composables/useMediaQuery'

const storageKey = 'tidemark.sidebar'

export function useSidebar() {
  const isRoomy = useMediaQuery('(width >= 64rem)')
  const chosen = ref(read())
  const isNarrow = computed(() => (chosen.value ?? (isRoomy.value ? 'wide' : 'narrow')) === 'narrow')

  function toggle() {
    chosen.value = isNarrow.value ? 'wide' : 'narrow'
    try {
      localStorage.setItem(storageKey, chosen.value)
    } catch {
      // The width then holds until the page is closed.
    }
  }

  return { isNarrow, toggle }
}

function read(): 'wide' | 'narrow' | null {
  try {
    const value = localStorage.getItem(storageKey)
    return value === 'wide' || value === 'narrow' ? value : null
  } catch {
    return null
  }
}
