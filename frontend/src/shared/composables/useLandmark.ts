/** Where a menu or tooltip is put: into the landmark that its trigger lives in, so that no content floats outside all. */
import { getCurrentInstance, onMounted, shallowRef, type Ref } from 'vue'

const LANDMARKS = 'main, header, nav, aside, footer, [role=dialog], [role=alertdialog]'

export function useLandmark(): Ref<HTMLElement | undefined> {
  const landmark = shallowRef<HTMLElement>()
  const instance = getCurrentInstance()
  onMounted(() => {
    const own = instance?.proxy?.$el as Node | undefined
    landmark.value = own?.parentElement?.closest<HTMLElement>(LANDMARKS) ?? undefined
  })
  return landmark
}
