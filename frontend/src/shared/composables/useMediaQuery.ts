/** A CSS media query as a value that follows the window. */
import { onScopeDispose, readonly, ref } from 'vue'

export function useMediaQuery(query: string) {
  const list = window.matchMedia(query)
  const matches = ref(list.matches)
  const follow = (event: MediaQueryListEvent) => { matches.value = event.matches }
  list.addEventListener('change', follow)
  onScopeDispose(() => { list.removeEventListener('change', follow) })
  return readonly(matches)
}

export const useIsPhone = () => useMediaQuery('(width < 40rem)')
