/** Whole seconds until the next attempt; 0 while it is made. */
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { useNow } from './useNow'

export function useCountdown(until: MaybeRefOrGetter<Date | null>) {
  const now = useNow(500)
  return computed(() => {
    const at = toValue(until)
    return at === null ? 0 : Math.max(0, Math.ceil((at.getTime() - now.value.getTime()) / 1_000))
  })
}
