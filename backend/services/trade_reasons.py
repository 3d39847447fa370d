"""Why one trade was made: its signal, its fills by their rules, what the strategy looked at, and what it cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from backend.backtesting.record import rows_of
from backend.domain.backtest_ports import RunBars
from backend.domain.backtests import Backtest
from backend.domain.errors import NotFound
from backend.domain.market_ports import Loaded
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.backtest_reading import Lines, config_of, drawn, lines_of, seen_of

if TYPE_CHECKING:
    import pandas as pd

BARS_BEFORE: Final = 60
BARS_AFTER: Final = 20
MOST_BARS: Final = 1_000
_OPEN: Final = "still open"
# docs/fills.md has them with examples.
_RULES: Final = {
    "market order": "Known at the close of the bar before, a market order fills at the next open: {open}.",
    "limit order": "A limit fills once the price was beyond it, at the limit or, when the bar opens beyond it, there.",
    "signal": "The signal to leave was known at the close of the bar before and acts at the next open: {open}.",
    "stop": "A stop fills on a touch, at its price, or at the open when the bar opens beyond it.",
    "target": "A target is a limit: the price has to go through it. The bar opened at {open}.",
    "trailing stop": "It follows the best price of completed bars; a touch fills it, an open beyond it there.",
    "liquidation": "The equity was gone: everything was closed at what could be had.",
    "still open": "The bars ended before it was left: it is marked at the last close.",
}
# These were decided one bar before they were filled.
_FROM_THE_BAR_BEFORE: Final = ("market order", "signal")


def require_trade(number: int, total: int, table: "pd.DataFrame") -> dict[str, Any]:
    """The row as plain values. Raises NotFound."""
    if not len(table):
        raise NotFound(f"There is no trade {number:,}: this backtest has {total:,}, numbered from 0.")
    return rows_of(table)[0]


def reasons_of(
    found: Backtest,
    owner: UUID,
    trade: Mapping[str, Any],
    times: "tuple[pd.Timestamp, pd.Timestamp]",
    *,
    bars: RunBars,
    strategies: StrategyRegistry,
) -> dict[str, Any]:
    """`times` are those of its entry and its exit."""
    loaded, strategy = seen_of(found, owner, symbol=trade["symbol"], bars=bars, strategies=strategies)
    lines = lines_of(loaded, strategy)
    entered, left = (int(loaded.bars["ts"].searchsorted(at)) for at in times)
    first = max(entered - BARS_BEFORE, 0)
    shown = slice(first, min(left + BARS_AFTER + 1, len(loaded.bars), first + MOST_BARS))
    moments = [*_moments(trade, "entry", entered), *_moments(trade, "exit", left)]
    return {
        **drawn(loaded, lines, shown),
        "is_cut": shown.stop <= left,
        "moments": [{**moment, **_seen_at(loaded, lines, at)} for moment, at in moments if 0 <= at < len(loaded.bars)],
        "orders": _orders(trade, loaded, entered, left),
        "costs": _costs(trade),
        "notes": _notes(found, loaded),
    }


def _moments(trade: Mapping[str, Any], end: str, at: int) -> list[tuple[dict[str, Any], int]]:
    """Of an end of the trade: when it was decided, where that is known, and when it was filled."""
    rule, why = trade.get(f"{end}_rule", ""), trade[f"{end}_reason"]
    filled = ({"what": f"{end}_fill", "why": why}, at)
    if rule in _FROM_THE_BAR_BEFORE:
        return [({"what": f"{end}_signal", "why": why}, at - 1), filled]
    return [filled]


def _seen_at(loaded: Loaded, lines: Sequence[Lines], at: int) -> dict[str, Any]:
    """One bar, and the indicators at its close."""
    one = drawn(loaded, lines, slice(at, at + 1))
    return {
        "bar": {name: values[0] for name, values in one["bars"].items()},
        "indicators": [
            {"name": each["name"], "values": {name: line[0] for name, line in each["lines"].items()}}
            for each in one["indicators"]
        ],
    }


def _orders(trade: Mapping[str, Any], loaded: Loaded, entered: int, left: int) -> list[dict[str, Any]]:
    is_long = trade["side"] == "long"
    ends = [("entry", entered, is_long), ("exit", left, not is_long)]
    return [_order(trade, end, loaded, at, is_buy=is_buy) for end, at, is_buy in ends]


def _order(trade: Mapping[str, Any], end: str, loaded: Loaded, at: int, *, is_buy: bool) -> dict[str, Any]:
    rule, price = trade.get(f"{end}_rule", ""), trade[f"{end}_price"]
    is_there = 0 <= at < len(loaded.bars)
    opened = float(loaded.bars["open"].iloc[at]) if is_there else None
    at_open = opened is not None and rule in _FROM_THE_BAR_BEFORE
    worse = (price / opened - 1.0) * (1 if is_buy else -1) * 10_000 if at_open and opened else None
    return {
        "end": end,
        "side": "buy" if is_buy else "sell",
        "quantity": trade["quantity"],
        "price": price,
        "time": trade[f"{end}_time"],
        "rule": rule,
        "sentence": _RULES.get(rule, "").format(open="-" if opened is None else f"{opened:,.10g}"),
        "why": trade[f"{end}_reason"],
        "is_filled": rule != _OPEN,
        "worse_than_open_bps": worse,
    }


def _costs(trade: Mapping[str, Any]) -> dict[str, Any]:
    """In money, and as a share of what was entered. Slippage lies in the prices, the others are paid beside them."""
    entered = (trade["quantity"] or 0.0) * (trade["entry_price"] or 0.0)
    parts = {name: trade[name] or 0.0 for name in ("fees", "slippage", "financing")}
    parts["total"] = sum(parts.values())
    return {
        "entered_value": entered,
        "pnl_before_costs": (trade["pnl"] or 0.0) + parts["total"],
        "parts": [
            {"name": name, "money": money, "bps": money / entered * 10_000 if entered else None}
            for name, money in parts.items()
        ],
    }


def _notes(found: Backtest, loaded: Loaded) -> list[str]:
    notes = []
    data = (found.manifest or {}).get("data", [])
    then = next((one["content_hash"] for one in data if one["symbol"] == loaded.series.symbol), None)
    if then != loaded.content_hash:
        notes.append("The bars changed since the run: what is shown here is not what the strategy saw.")
    if config_of(found).trading.execution.volume_percent is not None:
        notes.append("An order may have been filled in several pieces; prices are their averages.")
    return notes
