"""The loops over bars: they call the domain's `step` where something can happen, and mark the position elsewhere."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import borrowing, compiled, inlined_borrowing
from backend.domain.signals import FLAT, KEEP, LONG, SHORT
from backend.domain.trading.execution import step
from backend.domain.trading.layout import MOST_FILLS, Record, Records, State
from backend.domain.trading.portfolio import sign

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MICROSECONDS_A_YEAR = 365.0 * 86_400e6


class Columns(NamedTuple):
    """Bars as arrays; those of several symbols one after the other."""

    starts: Ints  # microseconds since 1970
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class SignalColumns(NamedTuple):
    """Signals as arrays; what the strategy does not use is empty."""

    direction: npt.NDArray[np.int8]
    size: Floats
    limit: Floats
    stop: Floats
    target: Floats
    stop_percent: Floats
    target_percent: Floats
    trail_percent: Floats
    volatility: Floats
    rank: Floats
    reason: npt.NDArray[np.int16]


class Detail(NamedTuple):
    """Shorter bars; those of bar i are the rows from first[i] up to first[i + 1]. Without any, both are empty."""

    prices: Floats  # open, high, low, close
    first: Ints


@compiled
def replay(
    state: State,
    bars: Columns,
    signals: SignalColumns,
    detail: Detail,
    now: Records,
    said: Records,
    equity: Floats,
    at: int,
    until: int,
) -> int:
    """The bars of one symbol from `at` to `until`. Returns where it stopped: there, or when the tape is full."""
    turns, rows = meanings(state.account[0].rules), np.zeros(2, np.int64)
    return _replay(state, bars, signals, detail, now, said, equity, turns, rows, at, until)


@borrowing
def _replay(
    state: State,
    bars: Columns,
    signals: SignalColumns,
    detail: Detail,
    now: Records,
    said: Records,
    equity: Floats,
    turns: Ints,
    rows: Ints,
    at: int,
    until: int,
) -> int:
    account, book = state.account[0], state.books[0]
    count = until
    moves = len(signals.stop) + len(signals.target) + len(signals.stop_percent) + len(signals.target_percent)
    moves += len(signals.trail_percent)
    while at < count:
        # What is quiet is the same for many bars: it is looked up once for all of them.
        cash, quantity, side = account.cash, book.quantity, sign(book.quantity)
        below, above = book.wake_below, book.wake_above
        watched = below > -np.inf or above < np.inf
        asleep = not (moves > 0 and side != 0)
        # While an order waits, whatever is said is about it.
        resting = KEEP if book.order_side != 0 else side
        begun = at
        at = _quiet_until(bars, signals, turns, resting, watched, below, above, asleep, at, count)
        if at < count:
            # What comes next is fetched first: it is there when the closes of the quiet bars have been written.
            take_bar(now[0], bars, at)
            take_signal(said[0], signals, at - 1)
        for row in range(begun, at):
            equity[row] = cash + quantity * bars.close[row]
        if at > 0:
            # What was skipped changed nothing but the last price.
            book.mark, account.equity = bars.close[at - 1], equity[at - 1]
        if at == count or not has_room(state):
            break
        years = 0.0
        if at > 0 and account.rules.borrow > 0.0:
            years = (bars.starts[at] - bars.starts[at - 1]) / _MICROSECONDS_A_YEAR
        if len(detail.first) > 0:
            rows[0], rows[1] = detail.first[at], detail.first[at + 1]
        equity[at] = step(state, at, years, now, said, detail.prices, rows)
        at += 1
    return at


@inlined_borrowing
def _quiet_until(
    bars: Columns,
    signals: SignalColumns,
    turns: Ints,
    resting: int,
    watched: bool,
    below: float,
    above: float,
    asleep: bool,
    at: int,
    count: int,
) -> int:
    """The next bar on which anything may happen: a signal, a price that is watched, or a level that is brought."""
    if at == 0 and count > 0 and not (watched and not (bars.low[0] > below and bars.high[0] < above)):
        at = 1  # before the first bar nothing was said
    if asleep and not watched and at > 0:
        while at < count and _is_quiet(turns, signals.direction[at - 1], resting):
            at += 1
        return at
    while at > 0 and at < count:
        if not _is_quiet(turns, signals.direction[at - 1], resting):
            break
        if watched and not (bars.low[at] > below and bars.high[at] < above):
            break
        if not asleep and brings_levels(signals, at - 1):
            break
        at += 1
    return at


@inlined_borrowing
def _is_quiet(turns: Ints, direction: int, resting: int) -> bool:
    return bool(direction == KEEP or turns[direction + 1] == resting)


@compiled
def replay_many(
    state: State,
    timeline: Ints,
    places: npt.NDArray[np.int32],
    bars: Columns,
    signals: SignalColumns,
    detail: Detail,
    now: Records,
    said: Records,
    equity: Floats,
    at: int,
    until: int,
) -> int:
    """Several symbols on one account. `places[t, s]` is the bar of symbol s at that time, -1 = it has none."""
    symbols = places.shape[1]
    first = np.zeros(symbols, np.int64)
    for s in range(symbols):
        first[s] = _first_place(places, s)
    rows = np.zeros(symbols + 1, np.int64)
    inside = np.empty((0, 4))
    while at < until and has_room(state):
        for s in range(symbols):
            place = places[at, s]
            now[s].present = place >= 0
            if place >= 0:
                take_bar(now[s], bars, place)
                take_signal(said[s], signals, place - 1 if place > first[s] else -1)
        if len(detail.first) > 0:
            inside = _gather_detail(detail, places[at], rows)
        years = (timeline[at] - timeline[at - 1]) / _MICROSECONDS_A_YEAR if at > 0 else 0.0
        equity[at] = step(state, at, years, now, said, inside, rows)
        at += 1
    return at


@compiled
def rolling_volatility(close: Floats, bars: int, a_year: float) -> Floats:
    """The yearly standard deviation of log returns over so many bars up to each; NaN where there are fewer."""
    result = np.full(len(close), np.nan)
    returns = np.log(close[1:] / close[:-1])
    for at in range(bars, len(close)):
        # Each window anew: a running sum would carry the past's rounding along, and depend on where it began.
        result[at] = np.std(returns[at - bars : at]) * np.sqrt(bars / (bars - 1.0) * a_year)
    return result


@compiled
def meanings(rules: Record) -> Ints:
    """What each direction means where not every way may be traded: FLAT for one that may not."""
    turns = np.empty(4, np.int64)
    turns[SHORT + 1] = SHORT if rules.short else FLAT
    turns[FLAT + 1] = FLAT
    turns[LONG + 1] = LONG if rules.long else FLAT
    turns[KEEP + 1] = KEEP
    return turns


@borrowing
def brings_levels(signals: SignalColumns, at: int) -> bool:
    return not (
        np.isnan(_at(signals.stop, at))
        and np.isnan(_at(signals.target, at))
        and np.isnan(_at(signals.stop_percent, at))
        and np.isnan(_at(signals.target_percent, at))
        and np.isnan(_at(signals.trail_percent, at))
    )


@borrowing
def has_room(state: State) -> bool:
    most = MOST_FILLS * len(state.books)
    account = state.account[0]
    return bool(account.fills + most <= len(state.fills))


@inlined_borrowing
def take_bar(now: Record, bars: Columns, at: int) -> None:
    now.open, now.high, now.low, now.close = bars.open[at], bars.high[at], bars.low[at], bars.close[at]
    now.volume, now.present = bars.volume[at], 1


@inlined_borrowing
def take_signal(said: Record, signals: SignalColumns, at: int) -> None:
    said.direction = signals.direction[at] if at >= 0 else KEEP
    said.size = _at(signals.size, at)
    said.limit = _at(signals.limit, at)
    said.stop = _at(signals.stop, at)
    said.target = _at(signals.target, at)
    said.stop_share = _at(signals.stop_percent, at) / 100.0
    said.target_share = _at(signals.target_percent, at) / 100.0
    said.trail_share = _at(signals.trail_percent, at) / 100.0
    said.volatility = _at(signals.volatility, at)
    said.rank = _at(signals.rank, at)
    said.reason = signals.reason[at] if at >= 0 and len(signals.reason) > 0 else -1


@inlined_borrowing
def _at(column: Floats, at: int) -> float:
    return column[at] if at >= 0 and len(column) > 0 else np.nan


@compiled
def _first_place(places: npt.NDArray[np.int32], s: int) -> int:
    for at in range(len(places)):
        if places[at, s] >= 0:
            return places[at, s]
    return 0


@compiled
def _gather_detail(detail: Detail, places: npt.NDArray[np.int32], rows: Ints) -> Floats:
    """The shorter bars of one moment, symbol after symbol."""
    for s in range(len(places)):
        place = places[s]
        rows[s + 1] = rows[s] + (detail.first[place + 1] - detail.first[place] if place >= 0 else 0)
    inside = np.empty((rows[len(places)], 4))
    for s in range(len(places)):
        if places[s] >= 0:
            first = detail.first[places[s]]
            inside[rows[s] : rows[s + 1]] = detail.prices[first : first + rows[s + 1] - rows[s]]
    return inside
