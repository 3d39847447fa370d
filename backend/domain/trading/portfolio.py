"""The account and its positions: what they are worth, what may be spent, and how a fill changes them."""

import math

import numpy as np

from backend.domain.compiled import borrowing, inlined_borrowing
from backend.domain.trading.costs import fee_of
from backend.domain.trading.layout import Record, Records

# What arithmetic leaves of an account that spent everything, relative to what it spent.
_DUST = 1e-12


@inlined_borrowing
def sign(quantity: float) -> int:
    return 1 if quantity > 0.0 else -1 if quantity < 0.0 else 0


@inlined_borrowing
def equity_of(account: Record, books: Records) -> float:
    """Cash and positions at the last known prices."""
    equity = account.cash
    for s in range(len(books)):
        equity += books[s].quantity * books[s].mark
    return equity


@inlined_borrowing
def spendable(account: Record, books: Records) -> float:
    """What positions may still grow by: equity times the leverage cap, less what they are worth."""
    equity, gross = account.cash, 0.0
    for s in range(len(books)):
        value = books[s].quantity * books[s].mark
        equity += value
        gross += abs(value)
    return account.rules.leverage * equity - gross


@borrowing
def open_positions(books: Records) -> int:
    count = 0
    for s in range(len(books)):
        count += books[s].quantity != 0.0
    return count


@inlined_borrowing
def note(account: Record, what: int, bar: int) -> None:
    """Count what is reported beside the result."""
    if account.notes[what, 0] == 0:
        account.notes[what, 1] = bar
    account.notes[what, 0] += 1


@inlined_borrowing
def book_entry(
    account: Record,
    book: Record,
    fills: Records,
    s: int,
    bar: int,
    why: int,
    quantity: float,
    price: float,
    base: float,
    fee: float,
) -> None:
    """A fill that opens or enlarges a position; `quantity` has its sign, `base` is the price before slippage."""
    size = abs(quantity)
    if book.quantity == 0.0:
        book.entry_quantity = book.entry_price = book.financing = 0.0
    due = fee_of(account.rules, fee, size * price, book.entry_value, book.entry_fee)
    book.entry_value += size * price
    book.entry_fee += due
    book.entry_quantity += size
    book.entry_price = averaged(book.entry_price, price, size / book.entry_quantity)
    _record(account, book, fills, s, bar, why, book.order_reason, quantity, price, base, due)


@inlined_borrowing
def averaged(before: float, price: float, share: float) -> float:
    """The average with one more price that has this share. One price alone stays what it is to the last bit."""
    return price if share == 1.0 else before + (price - before) * share


@inlined_borrowing
def book_exit(
    account: Record,
    book: Record,
    fills: Records,
    s: int,
    bar: int,
    why: int,
    reason: int,
    quantity: float,
    price: float,
    base: float,
    fee: float,
) -> None:
    """A fill that makes a position smaller."""
    size = abs(quantity)
    due = fee_of(account.rules, fee, size * price, book.exit_value, book.exit_fee)
    book.exit_value += size * price
    book.exit_fee += due
    _record(account, book, fills, s, bar, why, reason, quantity, price, base, due)


@inlined_borrowing
def _record(
    account: Record,
    book: Record,
    fills: Records,
    s: int,
    bar: int,
    why: int,
    reason: int,
    quantity: float,
    price: float,
    base: float,
    fee: float,
) -> None:
    account.cash -= quantity * price + fee
    if abs(account.cash) < _DUST * abs(quantity * price):
        account.cash = 0.0
    book.quantity += quantity
    book.volume_used += abs(quantity)
    fill = fills[account.fills]
    fill.bar, fill.symbol, fill.why, fill.reason = bar, s, why, reason
    fill.closes = book.quantity == 0.0
    fill.quantity, fill.price, fill.fee = quantity, price, fee
    fill.slippage, fill.financing = abs(quantity * (price - base)), book.financing
    book.financing = 0.0
    account.fills += 1


@borrowing
def pay_interest(account: Record, books: Records, years: float) -> None:
    """For what is sold short, and for cash that is owed, since the last bar."""
    borrow = account.rules.borrow
    longs = 0.0
    for s in range(len(books)):
        value = books[s].quantity * books[s].mark
        if value < 0.0:
            _charge(account, books[s], -value * borrow * years)
        longs += max(value, 0.0)
    owed = -account.cash
    if owed > 0.0 and longs > 0.0:
        for s in range(len(books)):
            share = max(books[s].quantity * books[s].mark, 0.0) / longs
            if share > 0.0:
                _charge(account, books[s], owed * share * borrow * years)


@borrowing
def _charge(account: Record, book: Record, interest: float) -> None:
    account.cash -= interest
    account.financing += interest
    book.financing += interest


@borrowing
def ruin_price(account: Record, books: Records, book: Record) -> float:
    """Where this position, the others standing still, takes the equity to nothing; NaN when it cannot."""
    if book.quantity == 0.0:
        return np.nan
    price = book.mark - equity_of(account, books) / book.quantity
    return price if price > 0.0 and not math.isinf(price) else np.nan
