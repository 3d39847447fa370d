"""A new run's state, made from its configuration."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from backend.domain.config import IntrabarMode, Remainder, Sides, SizingMethod, TradingConfig
from backend.domain.trading import layout
from backend.domain.trading.layout import ACCOUNT, BOOK, FILL, RULES, Records, State

_MODES: Final = {
    IntrabarMode.PESSIMISTIC: layout.PESSIMISTIC,
    IntrabarMode.NEUTRAL: layout.NEUTRAL,
    IntrabarMode.OPTIMISTIC: layout.OPTIMISTIC,
}
_SIZINGS: Final = {
    SizingMethod.ALL_IN: layout.ALL_IN,
    SizingMethod.FRACTION: layout.FRACTION,
    SizingMethod.NOTIONAL: layout.NOTIONAL,
    SizingMethod.QUANTITY: layout.QUANTITY,
    SizingMethod.VOLATILITY: layout.VOLATILITY,
    SizingMethod.RISK: layout.RISK,
}


def new_state(
    config: TradingConfig,
    *,
    ticks: Sequence[float | None],
    lots: Sequence[float | None],
    volumes_known: Sequence[bool],
    room: int,
) -> State:
    """An account with its cash and an empty book a symbol. `room` is how many fills fit on the tape."""
    account = np.zeros(1, ACCOUNT)
    account["rules"] = rules_of(config)[0]
    account["cash"] = account["start_cash"] = account["equity"] = config.cash
    books = np.zeros(len(ticks), BOOK)
    books["tick"] = [tick or 0.0 for tick in ticks]
    books["lot"] = [lot or 0.0 for lot in lots]
    books["volume_known"] = volumes_known
    for name in ("stop", "target", "trail_share", "percent_stop", "percent_target"):
        books[name] = np.nan
    books["wake_below"], books["wake_above"] = -np.inf, np.inf
    books["exit_reason"] = books["entered_row"] = -1
    return State(account=account, books=books, fills=np.empty(room, FILL))


def with_room(state: State, room: int) -> State:
    """The same state with a longer tape."""
    fills = np.empty(room, FILL)
    count = int(state.account["fills"][0])
    fills[:count] = state.fills[:count]
    return state._replace(fills=fills)


def rules_of(config: TradingConfig) -> Records:
    costs, sizing, execution = config.costs, config.sizing, config.execution
    rules = np.zeros(1, RULES)
    values = {
        "maker": costs.maker_bps / 10_000,
        "taker": costs.taker_bps / 10_000,
        "minimum_fee": costs.minimum_fee,
        "slippage": (costs.slippage_bps + costs.spread_bps / 2) / 10_000,
        "impact": costs.impact_bps / 10_000,
        "borrow": costs.borrow_percent_a_year / 100,
        "sizing": _SIZINGS[sizing.method],
        "sizing_share": (sizing.percent or 0.0) / 100,
        "sizing_amount": sizing.amount or 0.0,
        "mode": _MODES[execution.intrabar],
        "long": execution.sides is not Sides.SHORT,
        "short": execution.sides is not Sides.LONG,
        "limit_life": execution.limit_life_bars or 0,
        "stop_share": _share(execution.stop_percent),
        "target_share": _share(execution.target_percent),
        "trail_share": _share(execution.trail_percent),
        "volume_share": (execution.volume_percent or 0.0) / 100,
        "carry": execution.remainder is Remainder.CARRY,
        "leverage": execution.leverage,
        "most_positions": execution.most_positions or np.iinfo(np.int64).max,
        "detailed": execution.detail is not None,
    }
    for name, value in values.items():
        rules[name] = value
    return rules


def _share(percent: float | None) -> float:
    return np.nan if percent is None else percent / 100
