/** What differs between two versions, line by line. */

export interface DiffLine {
  kind: 'same' | 'added' | 'removed'
  text: string
}

/** The longest common part stays; what is not in it was removed or added. */
export function linesDiff(before: readonly string[], after: readonly string[]): DiffLine[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1))
  for (let left = before.length - 1; left >= 0; left -= 1) {
    for (let right = after.length - 1; right >= 0; right -= 1) {
      const row = lengths[left]
      if (row === undefined) continue
      row[right] = before[left] === after[right]
        ? (lengths[left + 1]?.[right + 1] ?? 0) + 1
        : Math.max(lengths[left + 1]?.[right] ?? 0, row[right + 1] ?? 0)
    }
  }
  const made: DiffLine[] = []
  let [left, right] = [0, 0]
  while (left < before.length || right < after.length) {
    if (left < before.length && right < after.length && before[left] === after[right]) {
      made.push({ kind: 'same', text: before[left] ?? '' })
      left += 1
      right += 1
    } else if (right >= after.length || (left < before.length && (lengths[left + 1]?.[right] ?? 0) >= (lengths[left]?.[right + 1] ?? 0))) {
      made.push({ kind: 'removed', text: before[left] ?? '' })
      left += 1
    } else {
      made.push({ kind: 'added', text: after[right] ?? '' })
      right += 1
    }
  }
  return made
}

export function jsonLines(rules: unknown) {
  return JSON.stringify(sorted(rules), null, 2).split('\n')
}

/** The database keeps no order of names, so a difference in it is none. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]))
}
