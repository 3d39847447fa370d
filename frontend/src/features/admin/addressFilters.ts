/** Filters that stand in the address, each as the text of one choice. */
import { computed, type Ref } from 'vue'
import { type TableView, withFilter } from '@/shared/table'

export function useAddressFilters(view: Ref<TableView>) {
  function text(name: string) {
    const filter = view.value.filters[name]
    return typeof filter === 'string' ? filter : ''
  }

  /** A choice that nobody offers, as an old link may name it, is none. */
  function oneOf<Value extends string>(name: string, options: readonly { value: Value }[]): Value | '' {
    return options.find(({ value }) => value === text(name))?.value ?? ''
  }

  function by<Value extends string = string>(name: string, options?: readonly { value: Value }[]) {
    return computed<Value | ''>({
      get: () => (options === undefined ? text(name) as Value : oneOf(name, options)),
      set: (value) => { view.value = withFilter(view.value, name, value) },
    })
  }

  function clear() {
    view.value = { ...view.value, search: '', filters: {} }
  }

  return { by, clear }
}
