"""One bar of a run: `step` takes the bar and the signals of the bar before, and leaves fills and a new state.

The order is that of the rules: what is due at the open leaves first, then entries come at the open, then what happens
inside the bar, then the close is marked. A backtest calls it in a compiled loop, paper trading once a bar.
"""

import math

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import borrowing, compiled, inlined_borrowing
from backend.domain.trading.costs import in_lots, slipped
from backend.domain.trading.layout import (
    AMBIGUOUS,
    DETAIL_MISSING,
    ENTRY_LIMIT,
    ENTRY_MARKET,
    EXIT_TARGET,
    LIMIT_EXPIRED,
    LIQUIDATED,
    LIQUIDATION,
    NEUTRAL,
    NO_MONEY,
    NO_ROOM,
    OPTIMISTIC,
    REST_CANCELLED,
    TOO_SMALL,
    VOLUME_CAPPED,
    Record,
    Records,
    State,
)
from backend.domain.trading.orders import hear, protect, stop_level, stop_why
from backend.domain.trading.portfolio import (
    book_entry,
    book_exit,
    equity_of,
    note,
    open_positions,
    pay_interest,
    ruin_price,
    sign,
)
from backend.domain.trading.sizing import affordable, quantity_to_enter, volume_left

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# Columns of the detail.
OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3

# Detail bars may come from another file: their extremes are equal to the bar's within this.
_SAME_PRICE = 1e-9


@borrowing
def step(state: State, bar: int, years: float, bars: Records, signals: Records, detail: Floats, rows: Rows) -> float:
    """One bar of all symbols; returns the equity at its close.

    `years` have passed since the bar before. `signals` are those of the bar before. `detail` holds open, high, low and
    close of shorter bars, of which `rows[s]` and up to `rows[s + 1]` lie inside the bar of symbol s.
    """
    account, books, fills = state.account[0], state.books, state.fills
    if account.rules.borrow > 0.0:
        pay_interest(account, books, years)
    _see_the_open(books, bars)
    if account.halted == 0:
        if equity_of(account, books) <= 0.0:
            _liquidate(account, books, fills, bar, bars, True)
        _at_the_open(account, books, fills, bar, bars, signals)
        _inside(account, books, fills, bar, bars, detail, rows)
    return _see_the_close(account, books, fills, bar, bars)


@inlined_borrowing
def _see_the_open(books: Records, bars: Records) -> None:
    for s in range(len(bars)):
        book = books[s]
        if bars[s].present:
            book.mark = bars[s].open
            book.volume_used = 0.0
            book.entered_row = -1


# ---- At the open


@inlined_borrowing
def _at_the_open(account: Record, books: Records, fills: Records, bar: int, bars: Records, signals: Records) -> None:
    entries, last = 0, 0
    for s in range(len(bars)):
        if bars[s].present:
            hear(account.rules, books[s], signals[s])
            _leave_at_open(account, books, fills, s, bar, bars[s])
            if books[s].order_side != 0:
                entries, last = entries + 1, s
    if entries == 1:
        _enter_at_open(account, books, fills, last, bar, bars[last])
    elif entries > 1:
        _enter_by_rank(account, books, fills, bar, bars)


@borrowing
def _leave_at_open(account: Record, books: Records, fills: Records, s: int, bar: int, now: Record) -> None:
    """Exits that are due at the open: the signal's, and stops and targets that the market has jumped over."""
    book = books[s]
    if book.quantity == 0.0:
        book.exit_due = 0
        return
    if book.exit_due:
        _leave(account, books, fills, s, bar, now, now.open, True, book.exit_why, book.exit_reason)
        if book.quantity != 0.0 and not account.rules.carry:
            book.exit_due = 0
        return
    _leave_if_jumped(account, books, fills, s, bar, now, now.open)


@borrowing
def _leave_if_jumped(
    account: Record, books: Records, fills: Records, s: int, bar: int, now: Record, price: float
) -> None:
    book = books[s]
    side = sign(book.quantity)
    level = stop_level(book)
    if side * (price - level) <= 0.0:
        _leave(account, books, fills, s, bar, now, price, True, stop_why(book), -1)
    elif _is_through(account.rules, side * (price - book.target)):
        _leave(account, books, fills, s, bar, now, price, False, EXIT_TARGET, -1)


@borrowing
def _enter_at_open(account: Record, books: Records, fills: Records, s: int, bar: int, now: Record) -> None:
    """A market order, or a limit that the open is better than."""
    book, rules = books[s], account.rules
    if sign(book.quantity) == -book.order_side:
        return  # the rest of the opposite position has to leave first
    if math.isnan(book.order_limit):
        _enter(account, books, fills, s, bar, now, now.open, True, rules.taker, ENTRY_MARKET)
    elif _is_through(rules, book.order_side * (book.order_limit - now.open)):
        # A limit that waited is a maker, one that comes in and fills at once a taker.
        fee = rules.maker if book.order_age > 0 else rules.taker
        _enter(account, books, fills, s, bar, now, now.open, False, fee, ENTRY_LIMIT)


@compiled
def _enter_by_rank(account: Record, books: Records, fills: Records, bar: int, bars: Records) -> None:
    order = _by_rank(books, bars)
    for i in range(len(order)):
        _enter_at_open(account, books, fills, order[i], bar, bars[order[i]])


@compiled
def _by_rank(books: Records, bars: Records) -> npt.NDArray[np.int64]:
    """The symbols with a waiting entry, the lowest rank first; one without a rank comes last."""
    found = np.empty(len(bars), np.int64)
    count = 0
    for s in range(len(bars)):
        if not bars[s].present or books[s].order_side == 0:
            continue
        at = count
        while at > 0 and _comes_before(books[s].order_rank, books[found[at - 1]].order_rank):
            found[at] = found[at - 1]
            at -= 1
        found[at] = s
        count += 1
    return found[:count]


@borrowing
def _comes_before(one: float, other: float) -> bool:
    return one < other or (math.isnan(other) and not math.isnan(one))


@inlined_borrowing
def _enter(
    account: Record,
    books: Records,
    fills: Records,
    s: int,
    bar: int,
    now: Record,
    price: float,
    slips: bool,
    fee: float,
    why: int,
) -> None:
    """Fill a waiting entry as far as money, room, volume and lots allow."""
    rules, book = account.rules, books[s]
    first = book.quantity == 0.0
    if first and open_positions(books) >= rules.most_positions:
        note(account, NO_ROOM, bar)
        book.order_side = 0
        return
    quantity, rest = quantity_to_enter(account, books, book, bar, price, fee, now.volume, slips)
    if quantity > 0.0:
        side = book.order_side
        fill = slipped(rules, book, price, side, quantity, now.volume) if slips else price
        book_entry(account, book, fills, s, bar, why, side * quantity, fill, price, fee)
        protect(book, first)
    elif rest <= 0.0 and quantity == 0.0:
        note(account, TOO_SMALL if affordable(account, books, price, fee) > 0.0 else NO_MONEY, bar)
    _wait_with(account, book, bar, rest)


@inlined_borrowing
def _wait_with(account: Record, book: Record, bar: int, rest: float) -> None:
    """What of an entry the bar's volume did not fill waits for the next bar, or is given up."""
    if rest > 0.0:
        note(account, VOLUME_CAPPED, bar)
        if account.rules.carry:
            book.order_left = rest
            return
        note(account, REST_CANCELLED, bar)
    book.order_side = 0


@borrowing
def _leave(
    account: Record,
    books: Records,
    fills: Records,
    s: int,
    bar: int,
    now: Record,
    price: float,
    slips: bool,
    why: int,
    reason: int,
) -> None:
    """Sell a long or buy back a short, as far as the volume allows; ruin asks for no volume."""
    rules, book = account.rules, books[s]
    side, whole = sign(book.quantity), abs(book.quantity)
    room = math.inf if why == LIQUIDATION else volume_left(rules, book, now.volume)
    quantity = whole if whole <= room else in_lots(book.lot, room)
    if quantity > 0.0:
        fill = slipped(rules, book, price, -side, quantity, now.volume) if slips else price
        book_exit(
            account,
            book,
            fills,
            s,
            bar,
            why,
            reason,
            -side * quantity,
            fill,
            price,
            rules.taker if slips else rules.maker,
        )
    if book.quantity == 0.0:
        _forget_position(book, side)
        return
    note(account, VOLUME_CAPPED, bar)
    if rules.carry == 0:
        note(account, REST_CANCELLED, bar)
    elif why != EXIT_TARGET:  # a target goes on waiting at its price
        book.exit_due, book.exit_why, book.exit_reason = 1, why, reason


@inlined_borrowing
def _forget_position(book: Record, side: int) -> None:
    book.exit_due = 0
    book.stop = book.target = book.trail_share = math.nan
    book.exit_value = book.exit_fee = 0.0
    if book.order_side == side:  # the rest of its own entry
        book.order_side = 0


# ---- Inside the bar


@inlined_borrowing
def _inside(
    account: Record, books: Records, fills: Records, bar: int, bars: Records, detail: Floats, rows: Rows
) -> None:
    entries = 0
    for s in range(len(bars)):
        entries += bars[s].present and books[s].order_side != 0
    if entries > 0:
        _enter_inside(account, books, fills, bar, bars, detail, rows)
    for s in range(len(bars)):
        if bars[s].present and _is_watched(account, books, books[s]):
            _leave_inside(account, books, fills, s, bar, bars[s], detail[rows[s] : rows[s + 1]])


@compiled
def _enter_inside(
    account: Record, books: Records, fills: Records, bar: int, bars: Records, detail: Floats, rows: Rows
) -> None:
    """Limits that the bar trades through.

    They come before all exits inside it, since money and room that those would free may not be there yet.
    """
    order = _by_rank(books, bars)
    for i in range(len(order)):
        s = order[i]
        rules, book = account.rules, books[s]
        side, limit = book.order_side, book.order_limit
        reached = bars[s].low if side > 0 else bars[s].high
        if sign(book.quantity) == -side or not _is_through(rules, side * (limit - reached)):
            continue
        row, price = 0, limit
        inside = detail[rows[s] : rows[s + 1]]
        if rules.detailed and _is_whole(bars[s], inside):
            row, price = _first_fill(rules, side, limit, inside)
        elif rules.detailed:
            note(account, DETAIL_MISSING, bar)
        book.entered_row, book.entered_price = row, price
        _enter(account, books, fills, s, bar, bars[s], price, False, rules.maker, ENTRY_LIMIT)


@borrowing
def _first_fill(rules: Record, side: int, limit: float, inside: Floats) -> tuple[int, float]:
    """The shorter bar that fills the limit, and at which price: its open where that is better."""
    for row in range(len(inside)):
        if row > 0 and _is_through(rules, side * (limit - inside[row, OPEN])):
            return row, inside[row, OPEN]
        if _is_through(rules, side * (limit - inside[row, LOW if side > 0 else HIGH])):
            return row, limit
    return 0, limit


@inlined_borrowing
def _is_watched(account: Record, books: Records, book: Record) -> bool:
    """Whether anything inside a bar could end this position: not a long that is paid for and has no stop or target."""
    if book.quantity == 0.0:
        return False
    unprotected = math.isnan(book.stop) and math.isnan(book.target) and math.isnan(book.trail_share)
    return not unprotected or book.quantity < 0.0 or account.cash < 0.0 or len(books) > 1


@borrowing
def _leave_inside(
    account: Record, books: Records, fills: Records, s: int, bar: int, now: Record, inside: Floats
) -> None:
    """Stops, targets and ruin between the open and the close."""
    book = books[s]
    entered = book.entered_row >= 0
    start = book.entered_price if entered else now.open
    if not _anything_is_reached(account, books, s, now.high, now.low):
        return
    if account.rules.detailed:
        if _is_whole(now, inside):
            _leave_in_detail(account, books, fills, s, bar, now, inside)
            return
        note(account, DETAIL_MISSING, bar)
    _leave_within(account, books, fills, s, bar, now, start, now.high, now.low, entered)


@borrowing
def _leave_in_detail(
    account: Record, books: Records, fills: Records, s: int, bar: int, now: Record, inside: Floats
) -> None:
    """The same rules on the shorter bars, one after the other, from the one that the position was entered in."""
    book = books[s]
    for row in range(max(book.entered_row, 0), len(inside)):
        entered = row == book.entered_row
        start = book.entered_price if entered else inside[row, OPEN]
        if _leave_within(account, books, fills, s, bar, now, start, inside[row, HIGH], inside[row, LOW], entered):
            return


@borrowing
def _anything_is_reached(account: Record, books: Records, s: int, high: float, low: float) -> bool:
    book = books[s]
    side = sign(book.quantity)
    worst, best = (low, high) if side > 0 else (high, low)
    level = stop_level(book)
    return (
        side * (worst - level) <= 0.0
        or side * (worst - ruin_price(account, books, book)) <= 0.0
        or _is_through(account.rules, side * (best - book.target))
    )


@borrowing
def _leave_within(
    account: Record,
    books: Records,
    fills: Records,
    s: int,
    bar: int,
    now: Record,
    start: float,
    high: float,
    low: float,
    entered: bool,
) -> bool:
    """What the prices from `start` on hit first. Returns whether anything was."""
    rules, book = account.rules, books[s]
    side = sign(book.quantity)
    worst, best = (low, high) if side > 0 else (high, low)
    level, why = _worst_exit(account, books, s)
    stopped = side * (worst - level) <= 0.0
    # Inside the bar of a limit entry the high may have come before it.
    reached = _is_through(rules, side * (best - book.target)) and (not entered or rules.mode == OPTIMISTIC)
    if stopped and reached:
        stopped = _stop_comes_first(account, bar, side, start, level, book.target)
        reached = not stopped
    if stopped:
        price = min(start, level) if side > 0 else max(start, level)
        _leave(account, books, fills, s, bar, now, price, True, why, -1)
        if why == LIQUIDATION:
            _halt(account, books, bar)
    elif reached:
        price = max(start, book.target) if side > 0 else min(start, book.target)
        _leave(account, books, fills, s, bar, now, price, False, EXIT_TARGET, -1)
    return stopped or reached


@borrowing
def _worst_exit(account: Record, books: Records, s: int) -> tuple[float, int]:
    """The stop, or the price of ruin where that is nearer."""
    book = books[s]
    level, ruin = stop_level(book), ruin_price(account, books, book)
    if math.isnan(level) or sign(book.quantity) * (ruin - level) > 0.0:
        return ruin, LIQUIDATION
    return level, stop_why(book)


@borrowing
def _stop_comes_first(account: Record, bar: int, side: int, start: float, level: float, target: float) -> bool:
    """One bar hits both, and hides the order unless it starts beyond one of them."""
    if side * (start - level) <= 0.0:
        return True
    if _is_through(account.rules, side * (start - target)):
        return False
    note(account, AMBIGUOUS, bar)
    if account.rules.mode == NEUTRAL:
        return side * (start - level) <= side * (target - start)
    return bool(account.rules.mode != OPTIMISTIC)


@inlined_borrowing
def _is_through(rules: Record, margin: float) -> bool:
    """Whether a limit is filled that the price passed by so much. A touch will do in the optimistic mode alone."""
    return bool(margin > 0.0 or (margin == 0.0 and rules.mode == OPTIMISTIC))


@borrowing
def _is_whole(now: Record, inside: Floats) -> bool:
    """Whether the shorter bars tell all that happened: they reach the bar's own high and low."""
    if len(inside) == 0:
        return False
    high, low = inside[0, HIGH], inside[0, LOW]
    for row in range(1, len(inside)):
        high, low = max(high, inside[row, HIGH]), min(low, inside[row, LOW])
    return bool(abs(high - now.high) <= _SAME_PRICE * now.high and abs(low - now.low) <= _SAME_PRICE * now.low)


# ---- Ruin


@borrowing
def _liquidate(account: Record, books: Records, fills: Records, bar: int, bars: Records, at_open: bool) -> None:
    """Equity is gone: everything is closed at the market, as far as a price is known."""
    for s in range(len(bars)):
        if books[s].quantity != 0.0:
            price = books[s].mark
            if bars[s].present:
                price = bars[s].open if at_open else bars[s].close
            _leave(account, books, fills, s, bar, bars[s], price, True, LIQUIDATION, -1)
    _halt(account, books, bar)


@borrowing
def _halt(account: Record, books: Records, bar: int) -> None:
    if account.halted == 0:
        note(account, LIQUIDATED, bar)
    account.halted = 1
    for s in range(len(books)):
        books[s].order_side = 0


# ---- At the close


@inlined_borrowing
def _see_the_close(account: Record, books: Records, fills: Records, bar: int, bars: Records) -> float:
    for s in range(len(bars)):
        if bars[s].present:
            books[s].mark = bars[s].close
            _follow(books[s], bars[s])
            _age(account, books[s], bar)
    equity = equity_of(account, books)
    if open_positions(books) > 0 and (equity <= 0.0 or account.halted):
        _liquidate(account, books, fills, bar, bars, False)
        equity = equity_of(account, books)
    for s in range(len(bars)):
        _set_alarm(account, books, s)
    account.equity = equity
    return equity


@inlined_borrowing
def _follow(book: Record, now: Record) -> None:
    """A trailing stop moves when its bar is complete. Of a bar that a limit entered, only the close is surely later."""
    if book.quantity > 0.0:
        book.best = max(book.best, now.close if book.entered_row >= 0 else now.high)
    elif book.quantity < 0.0:
        book.best = min(book.best, now.close if book.entered_row >= 0 else now.low)


@inlined_borrowing
def _age(account: Record, book: Record, bar: int) -> None:
    if book.order_side == 0:
        return
    book.order_age += 1
    life = account.rules.limit_life
    if life > 0 and not math.isnan(book.order_limit) and book.order_age >= life:
        note(account, LIMIT_EXPIRED, bar)
        book.order_side = 0


@inlined_borrowing
def _set_alarm(account: Record, books: Records, s: int) -> None:
    """Between which prices nothing can happen to this symbol. Whoever loops over bars may skip `step` there."""
    book, rules = books[s], account.rules
    below, above = -np.inf, np.inf
    if _is_watched(account, books, book):
        side = sign(book.quantity)
        level, _ = _worst_exit(account, books, s)
        moves = book.best if not math.isnan(book.trail_share) else math.nan
        if side > 0:
            below, above = _or(level, below), min(_or(book.target, above), _or(moves, above))
        else:
            below, above = max(_or(book.target, below), _or(moves, below)), _or(level, above)
    if book.order_side > 0:
        below = max(below, _or(book.order_limit, np.inf))
    elif book.order_side < 0:
        above = min(above, _or(book.order_limit, -np.inf))
    pays = rules.borrow > 0.0 and (book.quantity < 0.0 or account.cash < 0.0)
    if book.exit_due or pays or (book.order_side != 0 and rules.limit_life > 0):
        below = np.inf
    book.wake_below, book.wake_above = below, above


@inlined_borrowing
def _or(price: float, instead: float) -> float:
    return instead if math.isnan(price) else price
