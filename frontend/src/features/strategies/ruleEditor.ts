/** What every part of the rule builder shares: the document, what the server says of it, and the ways to change it. */
import { inject, type InjectionKey, nextTick, provide, type Ref } from 'vue'
import type { Grammar } from '@/api/strategies'
import { errorAt, type Json, type JsonObject, moved, movedPath, type Path, pointerOf, withAt, withMore, without } from './ruleTree'

export interface Problem {
  pointer: string
  detail: string
}

export interface RuleEditor {
  document: Readonly<Ref<JsonObject>>
  grammar: Readonly<Ref<Grammar>>
  set: (path: Path, value: Json | undefined) => void
  remove: (path: Path) => void
  add: (path: Path) => void
  move: (path: Path, by: -1 | 1) => void
  canMove: (path: Path, by: -1 | 1) => boolean
  problemAt: (path: Path) => string | undefined
}

const key: InjectionKey<RuleEditor> = Symbol('rule editor')

export function provideRuleEditor(document: Ref<JsonObject>, grammar: Readonly<Ref<Grammar>>, problems: Readonly<Ref<readonly Problem[]>>) {
  const change = (next: Json) => { document.value = next as JsonObject }
  const editor: RuleEditor = {
    document,
    grammar,
    set: (path, value) => { change(withAt(document.value, path, value)) },
    remove: (path) => {
      change(without(document.value, path))
      focusOn(path.slice(0, -1))
    },
    add: (path) => {
      const more = withMore(document.value, path)
      change(more.document)
      focusOn(more.path)
    },
    move: (path, by) => {
      const to = movedPath(document.value, path, by)
      if (to === null) return
      change(moved(document.value, path, by))
      focusOn(to)
    },
    canMove: (path, by) => movedPath(document.value, path, by) !== null,
    problemAt: (path) => errorAt(problems.value, path),
  }
  provide(key, editor)
  return editor
}

export function useRuleEditor() {
  const editor = inject(key)
  if (editor === undefined) throw new Error('A part of the rule builder stands outside of it')
  return editor
}

/** The condition there, or the nearest around it that is shown. */
export function focusOn(path: Path) {
  void nextTick(() => {
    for (let length = path.length; length > 0; length -= 1) {
      const place = document.querySelector<HTMLElement>(`[data-node="${pointerOf(path.slice(0, length))}"]`)
      if (place === null) continue
      place.focus()
      return
    }
  })
}
