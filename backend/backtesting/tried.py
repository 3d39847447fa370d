"""The loop over trials: it goes from one bar where something can happen to the next, and marks equity at day ends only.

It skips exactly what `replay` finds quiet, and calls the same `step`, so that a trial is a backtest.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.backtesting.kernel import (
    Columns,
    Detail,
    SignalColumns,
    brings_levels,
    has_room,
    meanings,
    take_bar,
    take_signal,
)
from backend.backtesting.measures import Days, Sheets, measure
from backend.domain.compiled import borrowing, compiled
from backend.domain.signals import KEEP
from backend.domain.trading.execution import step
from backend.domain.trading.layout import Records, State
from backend.domain.trading.portfolio import sign
from backend.domain.trading.trades import gather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# So many bars are looked over at once for one that reaches a price.
BLOCK: Final = 64
# Signals that are passed over at once while they change nothing.
_LOOK_AHEAD: Final = 32
_MICROSECONDS_A_YEAR = 365.0 * 86_400e6


class Course(NamedTuple):
    """The bars of one symbol, and what is made of them once for all trials."""

    bars: Columns
    lows: Floats  # the lowest of each block of bars
    highs: Floats
    detail: Detail


class Desk(NamedTuple):
    """Where one thread works: the state of a run as it begins, and one that is worked on."""

    blank: State
    state: State
    now: Records
    said: Records
    trades: Records
    under_way: Records


class Said(NamedTuple):
    """What several trials say, as in Turns; the bars are those of the course."""

    first: Ints
    rows: npt.NDArray[np.int32]
    columns: SignalColumns


@compiled
def extremes(values: Floats, highest: bool) -> Floats:
    """Of each block of bars."""
    blocks = (len(values) + BLOCK - 1) // BLOCK
    found = np.empty(blocks)
    for block in range(blocks):
        part = values[block * BLOCK : (block + 1) * BLOCK]
        found[block] = part.max() if highest else part.min()
    return found


@compiled
def try_all(course: Course, desk: Desk, said: Said, days: Days, sheets: Sheets, periods: float, at: int) -> int:
    """The trials from `at` on. Returns where it stopped: at the end, or where the tape needs more room."""
    account = desk.state.account[0]
    turns, rows = meanings(account.rules), np.zeros(2, np.int64)
    while at < len(said.first) - 1:
        desk.state.account[:] = desk.blank.account
        desk.state.books[:] = desk.blank.books
        days.path[0] = account.cash
        if not _run(course, desk, said, days, turns, rows, said.first[at], said.first[at + 1]):
            return at
        desk.under_way[0].quantity = 0.0
        bars = len(course.bars.close)
        fills = desk.state.fills[: account.fills]
        count = gather(fills, desk.state.books, bars - 1, desk.trades, desk.under_way)
        measure(sheets, at, days, periods, desk.trades[:count], bars, account.start_cash)
        at += 1
    return at


@borrowing
def _run(course: Course, desk: Desk, said: Said, days: Days, turns: Ints, rows: Ints, event: int, last: int) -> bool:
    """One trial, whose events lie between these rows. Returns whether the tape was long enough."""
    account, book, bars = desk.state.account[0], desk.state.books[0], course.bars
    count, day, at = len(bars.close), 0, 0
    columns = said.columns
    levels = len(columns.stop) + len(columns.target) + len(columns.trail_percent)
    moves = levels + len(columns.stop_percent) + len(columns.target_percent) > 0
    while at < count:
        cash, quantity, side = account.cash, book.quantity, sign(book.quantity)
        resting = KEEP if book.order_side != 0 else side
        while event < last and said.rows[event] < at - 1:
            event += 1
        # The next bar that has something to hear, as far as one looks: a stop may come before it and change that.
        behind = min(last, event + _LOOK_AHEAD)
        heard = _heard(columns, turns, resting, moves and side != 0, event, behind)
        until = min(count, said.rows[heard] + 1) if heard < last else count
        is_awake = heard < behind or behind == last
        if book.wake_below > -np.inf or book.wake_above < np.inf:
            reached = _first_reached(course, book.wake_below, book.wake_above, at, until)
            is_awake, until = is_awake or reached < until, reached
        if until > at:
            book.mark = bars.close[until - 1]
            account.equity = cash + quantity * book.mark
        while days.ends[day] < until:
            days.path[day + 1] = cash + quantity * days.closes[day]
            day += 1
            if day == len(days.ends):
                return True
        at = until
        if not is_awake:
            continue
        if not has_room(desk.state):
            return False
        take_bar(desk.now[0], bars, at)
        while event < last and said.rows[event] < at - 1:
            event += 1
        take_signal(desk.said[0], columns, event if event < last and said.rows[event] == at - 1 else -1)
        years = (bars.starts[at] - bars.starts[at - 1]) / _MICROSECONDS_A_YEAR if at > 0 else 0.0
        if len(course.detail.first) > 0:
            rows[0], rows[1] = course.detail.first[at], course.detail.first[at + 1]
        equity = step(desk.state, at, years, desk.now, desk.said, course.detail.prices, rows)
        if days.ends[day] == at:
            days.path[day + 1] = equity
            day += 1
        at += 1
    return True


@borrowing
def _heard(columns: SignalColumns, turns: Ints, resting: int, moves: bool, event: int, behind: int) -> int:
    """The first signal from `event` on that changes something, or `behind`."""
    while event < behind:
        if turns[columns.direction[event] + 1] not in (resting, KEEP) or (moves and brings_levels(columns, event)):
            break
        event += 1
    return event


@borrowing
def _first_reached(course: Course, below: float, above: float, at: int, until: int) -> int:
    """The first bar from `at` on that reaches one of the prices, or `until`."""
    lows, highs = course.bars.low, course.bars.high
    while at < until:
        block = at // BLOCK
        end = min((block + 1) * BLOCK, until)
        if not (course.lows[block] > below and course.highs[block] < above):
            while at < end:
                if not (lows[at] > below and highs[at] < above):
                    return at
                at += 1
        at = end
    return until
