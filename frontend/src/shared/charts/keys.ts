/** What each key does in a chart. Letters and signs act only while single-key shortcuts are switched on. */

export type ChartAction
  = { do: 'move', by: number } | { do: 'end', at: 'first' | 'last' } | { do: 'zoom', factor: number }
    | { do: 'trade', step: 1 | -1 } | { do: 'log' } | { do: 'leave' }

const always: Record<string, ChartAction> = {
  ArrowLeft: { do: 'move', by: -1 },
  ArrowRight: { do: 'move', by: 1 },
  PageUp: { do: 'move', by: -20 },
  PageDown: { do: 'move', by: 20 },
  Home: { do: 'end', at: 'first' },
  End: { do: 'end', at: 'last' },
  Escape: { do: 'leave' },
}
const singles: Record<string, ChartAction> = {
  '+': { do: 'zoom', factor: 0.7 },
  '=': { do: 'zoom', factor: 0.7 },
  '-': { do: 'zoom', factor: 1 / 0.7 },
  '[': { do: 'trade', step: -1 },
  ']': { do: 'trade', step: 1 },
  'l': { do: 'log' },
}

interface Pressed {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
  shiftKey: boolean
}

export function actionOf({ key, ctrlKey, metaKey, altKey, shiftKey }: Pressed, singleKeys: boolean): ChartAction | null {
  // AltGr writes brackets on many keyboards and arrives as Ctrl and Alt; for anything else these belong to the browser.
  const isBracket = key === '[' || key === ']'
  if ((ctrlKey || metaKey || altKey) && !(isBracket && ctrlKey === altKey && !metaKey)) return null
  const action = (Object.hasOwn(always, key) ? always[key] : undefined)
    ?? (singleKeys && Object.hasOwn(singles, key) ? singles[key] : undefined) ?? null
  return shiftKey && action?.do === 'move' ? { do: 'move', by: action.by * 10 } : action
}
