"""What waits and what protects: how a signal becomes an order, a stop and a target."""

import math

from backend.domain.compiled import borrowing, inlined_borrowing
from backend.domain.signals import FLAT, KEEP, LONG, SHORT
from backend.domain.trading.costs import on_tick
from backend.domain.trading.layout import EXIT_SIGNAL, EXIT_STOP, EXIT_TRAIL, Record
from backend.domain.trading.portfolio import sign


@borrowing
def allowed(rules: Record, direction: int) -> int:
    """A way that may not be traded means: be out."""
    if (direction == LONG and not rules.long) or (direction == SHORT and not rules.short):
        return FLAT
    return direction


@inlined_borrowing
def hear(rules: Record, book: Record, signal: Record) -> None:
    """Take the signal of the bar before."""
    side = sign(book.quantity)
    wanted = allowed(rules, signal.direction)
    if wanted == KEEP or (wanted == side and side != 0):
        if side != 0:
            _protect_anew(book, signal, side)
        if wanted == side and book.exit_why == EXIT_SIGNAL:
            book.exit_due = 0  # the rest of an exit that is not wanted any more
        return
    if side != 0:
        book.exit_due, book.exit_why, book.exit_reason = 1, EXIT_SIGNAL, signal.reason
    if wanted == FLAT:
        book.order_side = 0
    else:
        _place(rules, book, signal, wanted)


@inlined_borrowing
def _place(rules: Record, book: Record, signal: Record, side: int) -> None:
    """An entry that waits for the open, or for its limit. It replaces the one before."""
    book.order_side, book.order_left, book.order_age = side, math.nan, 0
    book.order_limit = on_tick(book.tick, signal.limit, -side)
    book.order_size, book.order_rank, book.order_reason = signal.size, signal.rank, signal.reason
    book.order_volatility = signal.volatility
    book.order_stop = signal.stop
    book.order_target = signal.target
    book.order_stop_share = _first(signal.stop_share, rules.stop_share)
    book.order_target_share = _first(signal.target_share, rules.target_share)
    book.order_trail_share = _first(signal.trail_share, rules.trail_share)
    book.entry_value = book.entry_fee = 0.0


@inlined_borrowing
def protect(book: Record, first: bool) -> None:
    """Stop and target of a position that has just been filled. Percentages are measured from its average price."""
    side = sign(book.quantity)
    average = book.entry_price
    if first:
        book.trail_share, book.best = book.order_trail_share, average
        book.percent_stop = book.order_stop_share if math.isnan(book.order_stop) else math.nan
        book.percent_target = book.order_target_share if math.isnan(book.order_target) else math.nan
        book.stop = on_tick(book.tick, book.order_stop, -side)
        book.target = on_tick(book.tick, book.order_target, side)
    if not math.isnan(book.percent_stop):
        book.stop = on_tick(book.tick, average * (1.0 - side * book.percent_stop), -side)
    if not math.isnan(book.percent_target):
        book.target = _above_zero(on_tick(book.tick, average * (1.0 + side * book.percent_target), side))


@borrowing
def _protect_anew(book: Record, signal: Record, side: int) -> None:
    """What comes while the position stands takes the place of what was there."""
    average = book.entry_price
    if not math.isnan(signal.stop):
        book.stop, book.percent_stop = on_tick(book.tick, signal.stop, -side), math.nan
    elif not math.isnan(signal.stop_share):
        book.percent_stop = signal.stop_share
        book.stop = on_tick(book.tick, average * (1.0 - side * signal.stop_share), -side)
    if not math.isnan(signal.target):
        book.target, book.percent_target = on_tick(book.tick, signal.target, side), math.nan
    elif not math.isnan(signal.target_share):
        book.percent_target = signal.target_share
        book.target = _above_zero(on_tick(book.tick, average * (1.0 + side * signal.target_share), side))
    if not math.isnan(signal.trail_share):
        if math.isnan(book.trail_share):
            book.best = book.mark
        book.trail_share = signal.trail_share


@borrowing
def stop_level(book: Record) -> float:
    """The nearer of the stop and the trailing stop; NaN = none."""
    side = sign(book.quantity)
    trail = _trail_level(book, side)
    if math.isnan(book.stop):
        return trail
    if math.isnan(trail):
        return book.stop
    return max(book.stop, trail) if side > 0 else min(book.stop, trail)


@borrowing
def stop_why(book: Record) -> int:
    return EXIT_STOP if stop_level(book) == book.stop else EXIT_TRAIL


@borrowing
def _trail_level(book: Record, side: int) -> float:
    return on_tick(book.tick, book.best * (1.0 - side * book.trail_share), -side)


@borrowing
def _above_zero(price: float) -> float:
    """A short's target of 100 % and more is none: no price gets there."""
    return price if price > 0.0 else math.nan


@inlined_borrowing
def _first(one: float, other: float) -> float:
    return other if math.isnan(one) else one
