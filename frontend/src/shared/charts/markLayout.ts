/** Where the marks in view go, in pixels: thinned where they stand too close, labelled where there is room. */
import { marksBetween, tradesBetween, type MarkBook, type PlacedMark, type Trade } from './marks'

/** How the chart maps bars and prices to pixels at this moment. */
export interface Geometry {
  width: number
  /** The bars at the left and the right edge; fractions lie between two. */
  first: number
  last: number
  x: (bar: number) => number
  y: (price: number) => number | null
}

export interface Spot {
  x: number
  y: number
  mark: PlacedMark
  isSelected: boolean
  label: string
}

export interface Join {
  from: [number, number]
  to: [number, number]
  profit: number
  isSelected: boolean
}

export interface MarkLayout {
  spots: Spot[]
  joins: Join[]
  /** Too many to draw each one: one glyph stands for those of its kind within a few pixels. */
  isThinned: boolean
}

export const roomyWidth = 5
const cell = 6
const mostJoins = 300
const labelRoom = { width: 64, height: 16 }
const kinds = ['entry', 'exit', 'stop', 'target'] as const

export function layoutMarks(book: MarkBook, selected: number | null, geometry: Geometry): MarkLayout {
  const { width, first, last } = geometry
  const [from, to] = marksBetween(book, first - 1, last + 1)
  const isThinned = (to - from) * roomyWidth > width
  const spots = isThinned ? thinned(book, from, to, geometry) : spotsOf(book.marks.slice(from, to), geometry)
  const chosen = selected === null ? undefined : book.byIndex.get(selected)
  markChosen(spots, book, chosen, geometry)
  if (!isThinned && (to - from) * 24 <= width) label(spots)
  return { spots, joins: joinsOf(book, chosen, geometry), isThinned }
}

function thinned({ marks }: MarkBook, from: number, to: number, geometry: Geometry): Spot[] {
  const taken = new Set<number>()
  const kept: PlacedMark[] = []
  for (let at = from; at < to; at += 1) {
    const mark = marks[at]
    if (mark === undefined) continue
    const place = Math.round(geometry.x(mark.bar) / cell) * 16 + kinds.indexOf(mark.kind) * 2 + (mark.side === 'long' ? 0 : 1)
    if (taken.has(place)) continue
    taken.add(place)
    kept.push(mark)
  }
  return spotsOf(kept, geometry)
}

function spotsOf(marks: readonly PlacedMark[], geometry: Geometry): Spot[] {
  return marks.flatMap((mark) => {
    const y = geometry.y(mark.price)
    return y === null ? [] : [{ x: geometry.x(mark.bar), y, mark, isSelected: false, label: '' }]
  })
}

/** The chosen trade is always drawn, on top and with its words. */
function markChosen(spots: Spot[], { marks }: MarkBook, chosen: Trade | undefined, geometry: Geometry) {
  if (chosen === undefined) return
  const isMine = (mark: PlacedMark) => mark.tradeIndex === chosen.index
  const others = spots.filter(({ mark }) => !isMine(mark))
  const [from, to] = marksBetween({ marks } as MarkBook, chosen.first, chosen.last)
  const mine = spotsOf(marks.slice(from, to).filter(isMine), geometry)
  spots.splice(0, spots.length, ...others, ...mine.map((spot) => ({ ...spot, isSelected: true, label: spot.mark.label ?? '' })))
}

/** From the left, each label that does not touch one that is there already. */
function label(spots: Spot[]) {
  const placed = spots.filter((spot) => spot.label !== '')
  for (const spot of spots) {
    const { label: words = '' } = spot.mark
    if (spot.label !== '' || words === '') continue
    const isFree = placed.slice(-8).every(({ x, y }) => Math.abs(x - spot.x) > labelRoom.width || Math.abs(y - spot.y) > labelRoom.height)
    if (!isFree) continue
    spot.label = words
    placed.push(spot)
  }
}

function joinsOf(book: MarkBook, chosen: Trade | undefined, geometry: Geometry): Join[] {
  const found = tradesBetween(book, geometry.first, geometry.last, mostJoins + 1)
  const drawn = found.length > mostJoins ? [] : found.filter((trade) => trade !== chosen)
  return [...drawn, ...(chosen === undefined ? [] : [chosen])].flatMap((trade) => joinOf(trade, trade === chosen, geometry))
}

function joinOf({ entry, exit }: Trade, isSelected: boolean, { x, y }: Geometry): Join[] {
  if (entry === null || exit === null) return []
  const [start, end] = [y(entry.price), y(exit.price)]
  if (start === null || end === null) return []
  const moved = (exit.price - entry.price) * (entry.side === 'long' ? 1 : -1)
  return [{ from: [x(entry.bar), start], to: [x(exit.bar), end], profit: exit.profit ?? moved, isSelected }]
}
