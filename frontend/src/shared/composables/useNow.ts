/** The time, ticking; for ages and countdowns. */
import { onScopeDispose, readonly, ref, type Ref } from 'vue'

export function useNow(everyMilliseconds = 1000): Readonly<Ref<Date>> {
  const now = ref(new Date())
  const timer = setInterval(() => { now.value = new Date() }, everyMilliseconds)
  onScopeDispose(() => { clearInterval(timer) })
  return readonly(now) as Readonly<Ref<Date>>
}
