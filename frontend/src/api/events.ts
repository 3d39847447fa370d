/** The events of one's tasks: one typed stream for the whole app, whichever tab of this browser reads it. */
import { onScopeDispose, readonly, shallowRef } from 'vue'
import { shareStream } from './eventSharing'
import type { StreamEvent } from './eventStream'
import { hearProgress, type LiveProgress } from './progress'
import { queryClient } from './queries'
import { showStream } from './stream'
import { askAllAgain, hearChanges, keepAnswersCurrent, type TaskChanged } from './taskCache'

export type { TaskChanged, TaskInBrief } from './taskCache'

const mostRemembered = 200
const changes = new Set<string>(['task_queued', 'task_running', 'task_completed', 'task_failed', 'task_cancelled'])
const listeners = new Set<(events: readonly TaskChanged[]) => void>()
const remembered = shallowRef<readonly TaskChanged[]>([])

/** What happened since this page was opened, the newest first. */
export const activity = readonly(remembered)

/** For as long as somebody is signed in. Returns how to stop. */
export function followEvents(userId: string): () => void {
  remembered.value = []
  showStream({ phase: 'connecting', since: new Date(), nextAttemptAt: null })
  const rest = keepAnswersCurrent()
  const leave = shareStream(userId, { heard: hear, anew: () => { void askAllAgain(); for (const key of ['backtests', 'models']) void queryClient.invalidateQueries({ queryKey: [key] }) }, changed: showStream })
  return () => {
    leave()
    rest()
  }
}

/** Hands over every change, in order and once, until the component is gone. */
export function useTaskEvents(listener: (events: readonly TaskChanged[]) => void) {
  listeners.add(listener)
  onScopeDispose(() => { listeners.delete(listener) })
}

function hear(events: readonly StreamEvent[]) {
  const changed = events.filter(isChange)
  if (changed.length > 0) {
    hearChanges(changed)
    remembered.value = [...changed.toReversed(), ...remembered.value].slice(0, mostRemembered)
    for (const listener of listeners) listener(changed)
  }
  for (const { task } of events.filter(isProgress)) hearProgress(task)
}

function isChange(event: StreamEvent): event is StreamEvent & TaskChanged {
  return event.id !== null && changes.has(event.type)
}

function isProgress(event: StreamEvent): event is StreamEvent & { task: LiveProgress } {
  return event.type === 'task_progress'
}
