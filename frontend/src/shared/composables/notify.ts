/** Short messages that come and go. */
import { shallowRef } from 'vue'

export type Tone = 'success' | 'info' | 'warning' | 'error'

export interface Message {
  id: number
  tone: Tone
  text: string
  milliseconds: number
  undo?: () => void
}

const most = 4
let last = 0

/** What stands in the corner, the oldest first. */
export const messages = shallowRef<readonly Message[]>([])

function show(message: Omit<Message, 'id'>) {
  messages.value = [...messages.value, { ...message, id: ++last }].slice(-most)
}

export function dismiss(id: number) {
  messages.value = messages.value.filter((message) => message.id !== id)
}

function say(tone: Tone) {
  return (text: string) => { show({ tone, text, milliseconds: 5000 }) }
}

/** Done, and can be taken back for a while. */
function undoable(text: string, undo: () => void) {
  show({ tone: 'success', text, undo, milliseconds: 10_000 })
}

export const notify = { success: say('success'), info: say('info'), warning: say('warning'), error: say('error'), undoable }
