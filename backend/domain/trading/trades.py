"""Trades, made from fills: a position from its first fill to its last, or to the last bar if it is still open."""

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import borrowing, compiled, inlined_borrowing
from backend.domain.signals import NO_REASON
from backend.domain.trading.layout import ENTRY_LIMIT, STILL_OPEN, TRADE, Record, Records
from backend.domain.trading.portfolio import averaged, sign

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]


def trades_of(fills: Records, books: Records, last_bar: int) -> Records:
    """In the order of their exits; at the end those that are still open, marked where the books stand."""
    trades = np.zeros(len(fills) // 2 + len(books), TRADE)
    count = gather(fills, books, last_bar, trades, np.zeros(len(books), TRADE))
    # To copy records is slow. What is left over is little where each trade has two fills.
    return trades[:count] if 2 * count > len(trades) else trades[:count].copy()


@borrowing
def measure_excursions(
    trades: Records, places: Places, opens: Floats, highs: Floats, lows: Floats, closes: Floats
) -> None:
    """How far each trade went against and for its entry, in bars that it was surely in.

    Of the bar of its exit the open and the exit count, of a bar that a limit entered the close does besides the entry.
    `places[t, s]` is where the bars of symbol s have that time; without it they are where the trades say.
    """
    for i in range(len(trades)):
        trade = trades[i]
        first, last = trade.entry_bar, trade.exit_bar
        low, high = _at_an_end(trade, first, places, opens, highs, lows, closes)
        if last > first:
            lower, higher = _at_an_end(trade, last, places, opens, highs, lows, closes)
            low, high = min(low, lower), max(high, higher)
        for at in range(first + 1, last):
            place = places[at, trade.symbol] if len(places) > 0 else at
            if place >= 0:
                low, high = min(low, lows[place]), max(high, highs[place])
        worst, best = (low, high) if trade.quantity > 0.0 else (high, low)
        side = sign(trade.quantity)
        trade.mae = side * (worst / trade.entry_price - 1.0)
        trade.mfe = side * (best / trade.entry_price - 1.0)


@inlined_borrowing
def _at_an_end(
    trade: Record, at: int, places: Places, opens: Floats, highs: Floats, lows: Floats, closes: Floats
) -> tuple[float, float]:
    """The lowest and the highest price of the trade's first or last bar, the entry among them."""
    entry = trade.entry_price
    place = places[at, trade.symbol] if len(places) > 0 else at
    if place < 0:
        return entry, entry
    low, high = lows[place], highs[place]
    leaves = at == trade.exit_bar and trade.exit_why != STILL_OPEN
    if at == trade.entry_bar and trade.entry_why == ENTRY_LIMIT:
        low = high = trade.exit_price if leaves else closes[place]
    elif leaves:
        low, high = min(opens[place], trade.exit_price), max(opens[place], trade.exit_price)
    return min(entry, low), max(entry, high)


@compiled
def positions(fills: Records, symbol: int, bars: int) -> Floats:
    """Units held at the close of each bar, below 0 when short."""
    held = np.zeros(bars)
    quantity, at = 0.0, 0
    for i in range(len(fills)):
        fill = fills[i]
        if fill.symbol == symbol:
            held[at : fill.bar] = quantity
            quantity, at = 0.0 if fill.closes else quantity + fill.quantity, fill.bar
    held[at:] = quantity
    return held


@compiled
def gather(fills: Records, books: Records, last_bar: int, trades: Records, under_way: Records) -> int:
    count = 0
    left = np.zeros(len(books))  # what has been sold of each trade under way
    for i in range(len(fills)):
        fill = fills[i]
        trade = under_way[fill.symbol]
        if trade.quantity == 0.0:
            _begin(trade, fill)
            left[fill.symbol] = 0.0
        if trade.quantity * fill.quantity >= 0.0:
            trade.quantity += fill.quantity
            trade.entry_price = averaged(trade.entry_price, fill.price, fill.quantity / trade.quantity)
        else:
            left[fill.symbol] += abs(fill.quantity)
            trade.exit_price = averaged(trade.exit_price, fill.price, abs(fill.quantity) / left[fill.symbol])
        _pay(trade, fill)
        if fill.closes:
            trade.exit_bar, trade.exit_why, trade.exit_reason = fill.bar, fill.why, fill.reason
            trades[count] = trade
            trade.quantity = 0.0
            count += 1
    for s in range(len(books)):
        trade, book = under_way[s], books[s]
        if trade.quantity != 0.0:
            trade.exit_bar, trade.exit_why, trade.exit_reason = last_bar, STILL_OPEN, NO_REASON
            trade.exit_price = averaged(trade.exit_price, book.mark, abs(book.quantity) / abs(trade.quantity))
            trade.financing += book.financing
            trade.pnl += book.quantity * book.mark - book.financing
            trades[count] = trade
            count += 1
    return count


@borrowing
def _begin(trade: Record, fill: Record) -> None:
    trade.entry_bar, trade.symbol = fill.bar, fill.symbol
    trade.entry_why, trade.entry_reason = fill.why, fill.reason
    trade.entry_price = trade.exit_price = trade.fees = trade.slippage = trade.financing = trade.pnl = 0.0


@borrowing
def _pay(trade: Record, fill: Record) -> None:
    trade.fees += fill.fee
    trade.slippage += fill.slippage
    trade.financing += fill.financing
    trade.pnl -= fill.quantity * fill.price + fill.fee + fill.financing
