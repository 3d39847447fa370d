"""Statistics of trades: how often, how much, how long, at what cost, and where the money came from.

Only closed trades count, unless a name says otherwise: what is still open has not been won or lost yet. Costs are those
of all trades, and so is the gross profit that they are a share of. The return of a
trade is what it earned after all costs, as a share of what was entered. One that earned nothing is not won, nor lost.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.trading.daily import MICROSECONDS_A_DAY, Floats, day_of, weekday_of
from backend.domain.trading.layout import (
    ENTRY_LIMIT,
    ENTRY_MARKET,
    EXIT_SIGNAL,
    EXIT_STOP,
    EXIT_TARGET,
    EXIT_TRAIL,
    LIQUIDATION,
    STILL_OPEN,
)
from backend.domain.trading.statistics import Missing, Sheet, Statistics, over

Records = npt.NDArray[np.void]
Instants = npt.NDArray[np.int64]

WHY: Final = {
    ENTRY_MARKET: "market order",
    ENTRY_LIMIT: "limit order",
    EXIT_SIGNAL: "signal",
    EXIT_STOP: "stop",
    EXIT_TARGET: "target",
    EXIT_TRAIL: "trailing stop",
    LIQUIDATION: "liquidation",
    STILL_OPEN: "still open",
}
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR: Final = MICROSECONDS_A_DAY // 24
_SECOND: Final = 1_000_000
_HOURS: Final = 24

_NONE: Final = "There is no closed trade."


@dataclass(frozen=True, kw_only=True)
class Group:
    """Trades that have something in common."""

    key: str
    count: int
    won: int
    pnl: float
    mean_return: float


def trade_statistics(trades: Records, opened_at: Instants, *, mean_equity: float, years: float) -> Statistics:
    """`opened_at` tells when each bar opened, in microseconds since 1970, UTC."""
    sheet = Sheet()
    closed = _closed(trades)
    sheet.put("trades", lambda: len(closed))
    sheet.put("open_trades", lambda: len(trades) - len(closed))
    _results(sheet, closed)
    _streaks(sheet, closed)
    _times(sheet, closed, opened_at)
    _costs(sheet, trades, closed)
    _sides(sheet, closed)
    sheet.put("exposure", lambda: _exposure(trades, len(opened_at)))
    sheet.put("turnover", lambda: _turnover(trades, mean_equity, years))
    return sheet.done()


def _closed(trades: Records) -> Records:
    """Trades that are still open come last where a run made them, and then nothing has to be copied."""
    is_closed = trades["exit_why"] != STILL_OPEN
    count = int(np.count_nonzero(is_closed))
    return trades[:count] if is_closed[:count].all() else trades[is_closed]


def returns_of_trades(trades: Records) -> Floats:
    entered = np.abs(trades["quantity"]) * trades["entry_price"]
    returns: Floats = np.divide(trades["pnl"], entered, out=np.zeros(len(trades)), where=entered > 0)
    return returns


def groups(trades: Records, opened_at: Instants) -> dict[str, Sequence[Group]]:
    """Closed trades by how they ended, their side, and the time of their exit (UTC)."""
    closed = _closed(trades)
    exits = opened_at[closed["exit_bar"]] if len(closed) else np.empty(0, np.int64)
    months = exits.astype("datetime64[us]").astype("datetime64[M]")
    pnl = np.ascontiguousarray(closed["pnl"])
    earned = {"pnl": pnl, "won": (pnl > 0).astype(np.float64), "returns": returns_of_trades(closed)}
    return {
        "exit_reason": _grouped(earned, closed["exit_why"], lambda key: WHY[key]),
        "side": _grouped(earned, np.sign(closed["quantity"]).astype(int), lambda key: "long" if key > 0 else "short"),
        "weekday": _grouped(earned, weekday_of(day_of(exits)), lambda key: WEEKDAYS[key]),
        "hour": _grouped(earned, exits // _HOUR % _HOURS, lambda key: f"{key:02}:00"),
        "month": _grouped(earned, months.astype(int), lambda key: str(np.datetime64(key, "M"))),
        "year": _grouped(earned, months.astype("datetime64[Y]").astype(int), lambda key: str(np.datetime64(key, "Y"))),
    }


def _results(sheet: Sheet, closed: Records) -> None:
    pnl, returns = closed["pnl"], returns_of_trades(closed)
    won, lost = pnl > 0, pnl < 0
    sheet.put("won", lambda: int(won.sum()))
    sheet.put("lost", lambda: int(lost.sum()))
    sheet.put("net_profit", partial(_sum, pnl))
    sheet.put("win_rate", partial(_share, won))
    sheet.put("profit_factor", lambda: over(float(pnl[won].sum()), float(-_some(pnl)[lost].sum()), _no_loss(closed)))
    sheet.put("expectancy", lambda: float(_some(pnl).mean()))
    sheet.put("payoff", lambda: over(_mean(pnl[won], "won"), -_mean(pnl[lost], "lost"), _no_loss(closed)))
    sheet.put("mean_trade", lambda: float(_some(returns).mean()))
    sheet.put("median_trade", lambda: float(np.median(_some(returns))))
    sheet.put("best_trade", lambda: float(_some(returns).max()))
    sheet.put("worst_trade", lambda: float(_some(returns).min()))
    sheet.put("mean_win", lambda: _mean(returns[won], "won"))
    sheet.put("mean_loss", lambda: _mean(returns[lost], "lost"))
    sheet.put("sqn", lambda: _sqn(pnl))
    sheet.put("mae", lambda: float(_some(closed["mae"]).mean()))
    sheet.put("mfe", lambda: float(_some(closed["mfe"]).mean()))


def _sum(values: Floats) -> float:
    return float(values.sum())


def _share(is_one: npt.NDArray[np.bool_]) -> float:
    return float(_some(is_one).mean())


def _some(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not len(values):
        raise Missing(_NONE)
    return values


def _mean(values: Floats, how: str) -> float:
    if not len(values):
        raise Missing(f"No trade was {how}.")
    return float(values.mean())


def _no_loss(closed: Records) -> str:
    return f"None of the {len(closed):,} closed trades lost money, so there is nothing to divide by."


def _sqn(pnl: Floats) -> float:
    """Van Tharp's system quality number."""
    if len(pnl) < 2:
        raise Missing(f"A spread needs at least 2 closed trades; there is {len(pnl)}.")
    return over(math.sqrt(len(pnl)) * float(pnl.mean()), float(pnl.std(ddof=1)), "All trades earned the same.")


def _streaks(sheet: Sheet, closed: Records) -> None:
    sheet.put("longest_win_streak", lambda: _longest_run(_some(closed["pnl"]) > 0))
    sheet.put("longest_loss_streak", lambda: _longest_run(_some(closed["pnl"]) < 0))


def _longest_run(is_one: npt.NDArray[np.bool_]) -> int:
    breaks = np.flatnonzero(~is_one)
    return int(np.diff(np.concatenate(([-1], breaks, [len(is_one)]))).max()) - 1


def _times(sheet: Sheet, closed: Records, opened_at: Instants) -> None:
    bars = closed["exit_bar"] - closed["entry_bar"]
    sheet.put("mean_bars_held", lambda: float(_some(bars).mean()))
    sheet.put("median_bars_held", lambda: float(np.median(_some(bars))))
    sheet.put("longest_bars_held", lambda: int(_some(bars).max()))
    sheet.put(
        "mean_seconds_held",
        lambda: float((opened_at[_some(closed)["exit_bar"]] - opened_at[closed["entry_bar"]]).mean() / _SECOND),
    )


def _costs(sheet: Sheet, trades: Records, closed: Records) -> None:
    """What was paid, by the open trades too."""
    fees, slippage, financing = (float(trades[name].sum()) for name in ("fees", "slippage", "financing"))
    sheet.put("fees", lambda: fees)
    sheet.put("slippage", lambda: slippage)
    sheet.put("financing", lambda: financing)
    sheet.put("costs_of_gross_profit", lambda: _share_of_gross(trades, fees + slippage + financing))
    sheet.put("break_even_bps", lambda: _break_even_bps(closed))


def _share_of_gross(trades: Records, costs: float) -> float:
    """Of all that the account gained before costs; what is open counts at its last price."""
    if not len(trades):
        raise Missing("There is no trade.")
    gross = float(trades["pnl"].sum()) + costs
    if gross <= 0:
        raise Missing("There was no profit before costs.")
    return costs / gross


def _break_even_bps(closed: Records) -> float:
    """At which cost a side, in basis points of the value, nothing would be left of these same orders."""
    _some(closed)
    gross = float((closed["pnl"] + closed["fees"] + closed["slippage"] + closed["financing"]).sum())
    if gross <= 0:
        raise Missing("There was no profit before costs, so no cost is low enough.")
    return over(gross, _traded(closed), "Nothing was traded.") * 1e4


def _traded(trades: Records) -> float:
    """The value of both sides."""
    return float((np.abs(trades["quantity"]) * (trades["entry_price"] + trades["exit_price"])).sum())


def _sides(sheet: Sheet, closed: Records) -> None:
    for name, side in (("long", closed["quantity"] > 0), ("short", closed["quantity"] < 0)):
        pnl = closed["pnl"][side]
        sheet.put(f"{name}_trades", partial(len, pnl))
        sheet.put(f"{name}_net_profit", partial(_sum, pnl))
        sheet.put(f"{name}_win_rate", partial(_share, pnl > 0))


def _exposure(trades: Records, bars: int) -> float:
    """The share of bars that ended with a position, or in which there was one."""
    if not bars:
        raise Missing("There is no bar.")
    if not len(trades):
        return 0.0
    order = np.argsort(trades["entry_bar"], kind="stable")
    starts = trades["entry_bar"][order].astype(np.int64)
    ends = np.maximum.accumulate(_held_until(trades)[order])
    before = np.concatenate(([0], ends[:-1]))
    return float(np.maximum(ends - np.maximum(starts, before), 0).sum()) / bars


def _held_until(trades: Records) -> npt.NDArray[np.int64]:
    """The bar behind the last one that was held: an exit at an open did not hold that bar."""
    at_open = trades["exit_why"] == EXIT_SIGNAL
    return trades["exit_bar"].astype(np.int64) + np.where(at_open, 0, 1)


def _turnover(trades: Records, mean_equity: float, years: float) -> float:
    """How often a year the account was traded over: the value of all sides, once for an open trade."""
    if mean_equity <= 0 or years <= 0:
        raise Missing("There was no money to be traded over.")
    left = np.where(trades["exit_why"] == STILL_OPEN, 0.0, trades["exit_price"])
    return float((np.abs(trades["quantity"]) * (trades["entry_price"] + left)).sum()) / mean_equity / years


def _grouped(earned: Mapping[str, Floats], keys: npt.NDArray[Any], name_of: Callable[[int], str]) -> Sequence[Group]:
    """Keys are whole numbers that lie close together, so each has a place of its own to be counted in."""
    if not len(keys):
        return ()
    first = int(keys.min())
    place = (keys - first).astype(np.int64)
    counts = np.bincount(place)
    pnl, won, returns = (np.bincount(place, earned[name]) for name in ("pnl", "won", "returns"))
    return tuple(
        Group(
            key=name_of(first + int(row)),
            count=int(counts[row]),
            won=int(won[row]),
            pnl=float(pnl[row]),
            mean_return=float(returns[row] / counts[row]),
        )
        for row in np.flatnonzero(counts)
    )
