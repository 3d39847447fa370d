/** By how much a time zone is ahead of UTC: asked for every other week, searched for only where it changes in between. */

export interface Offsets {
  from: number
  to: number
  /** In milliseconds. */
  at: (time: number) => number
}

const sampling = 14 * 86_400_000

export function offsetsOf(zone: string, from: number, to: number, known: Offsets | null = null): Offsets {
  if (known !== null && known.from <= from && to <= known.to) return known
  const ask = asking(zone)
  const starts = [from]
  const offsets = [ask(from)]
  for (let time = from; time < to;) {
    const next = Math.min(to, time + sampling)
    const [before, after] = [offsets.at(-1) ?? 0, ask(next)]
    if (before !== after) {
      starts.push(changeBetween(ask, time, next))
      offsets.push(after)
    }
    time = next
  }
  return { from, to, at: (time) => offsets[lastAt(starts, time)] ?? 0 }
}

function changeBetween(ask: (time: number) => number, low: number, high: number) {
  const before = ask(low)
  while (high - low > 60_000) {
    const middle = Math.floor((low + high) / 2)
    if (ask(middle) === before) low = middle
    else high = middle
  }
  return Math.floor(high / 60_000) * 60_000
}

function lastAt(starts: readonly number[], time: number) {
  let at = starts.length - 1
  while (at > 0 && (starts[at] ?? 0) > time) at -= 1
  return at
}

function asking(zone: string) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  })
  return (time: number) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(time / 1_000) * 1_000
  }
}
