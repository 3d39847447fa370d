/** Short messages that come and go. The library behind them arrives after the first page, which does not need it. */

type Tone = 'success' | 'info' | 'warning' | 'error'

function say(tone: Tone) {
  return (message: string) => { void import('vue-sonner').then(({ toast }) => { toast[tone](message) }) }
}

/** Done, and can be taken back for a while. */
function undoable(message: string, undo: () => void) {
  void import('vue-sonner').then(({ toast }) => { toast.success(message, { action: { label: 'Undo', onClick: undo }, duration: 10_000 }) })
}

export const notify = { success: say('success'), info: say('info'), warning: say('warning'), error: say('error'), undoable }
