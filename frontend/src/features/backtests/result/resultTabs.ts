/** The tabs of a result, by the names that stand in its address. */

export const resultTabs = ['study', 'overview', 'trades', 'chart', 'costs', 'risk', 'periods', 'config', 'reproduce'] as const
export type ResultTab = typeof resultTabs[number]

export function tabIn(value: unknown): ResultTab {
  return resultTabs.find((tab) => tab === value) ?? 'overview'
}
