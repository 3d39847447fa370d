"""What a fill costs and how prices and quantities are rounded: always against the trader."""

import math

from backend.domain.compiled import borrowing, inlined_borrowing
from backend.domain.trading.layout import Record

# Decimal steps are not exact in binary: 0.3 / 0.1 is a little less than 3.
_STEP_SLACK = 1e-9


@inlined_borrowing
def slipped(rules: Record, book: Record, price: float, side: int, quantity: float, volume: float) -> float:
    """What a market order of this side (1 buys) gets where the price stands at `price`."""
    share = rules.slippage
    if rules.impact > 0.0 and volume > 0.0 and book.volume_known:
        share += rules.impact * math.sqrt(quantity / volume)
    if share == 0.0:
        return price
    return max(on_tick(book.tick, price * (1.0 + side * share), side), 0.0)


@borrowing
def on_tick(tick: float, price: float, side: int) -> float:
    """The next price that the market has: above for a buyer, below for a seller."""
    if tick <= 0.0 or math.isnan(price):
        return price
    steps = price / tick
    near = round(steps)
    if abs(steps - near) <= _STEP_SLACK * max(1.0, abs(steps)):
        return near * tick
    return (math.ceil(steps) if side > 0 else math.floor(steps)) * tick


@inlined_borrowing
def in_lots(lot: float, quantity: float) -> float:
    """The largest quantity that the market has and that is not above it."""
    if lot <= 0.0:
        return quantity
    steps = quantity / lot
    return math.floor(steps + _STEP_SLACK * max(1.0, steps)) * lot


@inlined_borrowing
def fee_of(rules: Record, share: float, value: float, value_before: float, fee_before: float) -> float:
    """The fee of one more fill of an order; the minimum is the order's, not the fill's."""
    return max(max(share * (value_before + value), rules.minimum_fee) - fee_before, 0.0)
