"""How much an entry buys or sells, at the price of its fill and with its fee."""

import math

from backend.domain.compiled import borrowing, inlined_borrowing
from backend.domain.trading.costs import in_lots, slipped
from backend.domain.trading.layout import (
    ALL_IN,
    FRACTION,
    NO_STOP,
    NO_VOLATILITY,
    NOTIONAL,
    QUANTITY,
    VOLATILITY,
    Record,
    Records,
)
from backend.domain.trading.portfolio import equity_of, note, spendable


@inlined_borrowing
def quantity_wanted(account: Record, books: Records, book: Record, bar: int, price: float, fee: float) -> float:
    """What the sizing gives at this price, before volume and lots; below 0, with a note, where it cannot say."""
    rules = account.rules
    most = affordable(account, books, price, fee)
    share = 1.0 if math.isnan(book.order_size) else book.order_size
    if rules.sizing == ALL_IN:
        return min(most * share, most)
    if rules.sizing == FRACTION:
        wanted = rules.sizing_share * equity_of(account, books) / (price * (1.0 + fee))
    elif rules.sizing == NOTIONAL:
        wanted = rules.sizing_amount / (price * (1.0 + fee))
    elif rules.sizing == QUANTITY:
        wanted = rules.sizing_amount
    elif rules.sizing == VOLATILITY:
        wanted = _by_volatility(account, books, book, bar, price)
    else:
        wanted = _by_risk(account, books, book, bar, price)
    return min(wanted * share, most)


@inlined_borrowing
def affordable(account: Record, books: Records, price: float, fee: float) -> float:
    """The most that can be bought or sold short with its fee, so that nothing is spent that is not there."""
    rules = account.rules
    money = spendable(account, books)
    by_share = money / (price * (1.0 + rules.leverage * fee))
    by_minimum = (money - rules.leverage * rules.minimum_fee) / price
    return max(min(by_share, by_minimum), 0.0)


@inlined_borrowing
def quantity_to_enter(
    account: Record, books: Records, book: Record, bar: int, base: float, fee: float, volume: float, slips: bool
) -> tuple[float, float]:
    """What to fill now, in whole lots, and what of it must wait for more volume."""
    rules, side = account.rules, book.order_side
    wanted = _wanted(account, books, book, bar, slipped(rules, book, base, side, 0.0, volume) if slips else base, fee)
    now = in_lots(book.lot, min(wanted, volume_left(rules, book, volume)))
    if slips and rules.impact > 0.0 and now > 0.0:
        # Quantity and price depend on each other. An odd number of rounds ends with a quantity that can be paid.
        for _ in range(3):
            wanted = _wanted(account, books, book, bar, slipped(rules, book, base, side, now, volume), fee)
            now = in_lots(book.lot, min(wanted, volume_left(rules, book, volume)))
    return now, in_lots(book.lot, wanted - now)


@inlined_borrowing
def volume_left(rules: Record, book: Record, volume: float) -> float:
    """What this bar can still fill."""
    if rules.volume_share <= 0.0 or not book.volume_known:
        return math.inf
    return max(rules.volume_share * volume - book.volume_used, 0.0)


@inlined_borrowing
def _wanted(account: Record, books: Records, book: Record, bar: int, price: float, fee: float) -> float:
    """The sizing's quantity, or what an order that was filled in part has left."""
    if math.isnan(book.order_left):
        return quantity_wanted(account, books, book, bar, price, fee)
    return min(book.order_left, affordable(account, books, price, fee))


@borrowing
def _by_volatility(account: Record, books: Records, book: Record, bar: int, price: float) -> float:
    if not book.order_volatility > 0.0:
        note(account, NO_VOLATILITY, bar)
        return -1.0
    return account.rules.sizing_share * equity_of(account, books) / (book.order_volatility * price)


@borrowing
def _by_risk(account: Record, books: Records, book: Record, bar: int, price: float) -> float:
    """The distance is that from the fill to the stop it will have."""
    side = book.order_side
    stop = book.order_stop
    if math.isnan(stop):
        stop = price * (1.0 - side * book.order_stop_share)
    distance = side * (price - stop)
    if not distance > 0.0:
        note(account, NO_STOP, bar)
        return -1.0
    return account.rules.sizing_share * equity_of(account, books) / distance
