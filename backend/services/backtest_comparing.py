"""Several finished backtests side by side, from their stored parts. No transaction is open."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from backend.backtesting.comparison import Compared, compared
from backend.domain.backtest_ports import TablePacking
from backend.domain.backtests import Backtest, Part
from backend.domain.errors import InputError, InvalidInput
from backend.domain.jobs import JobKind
from backend.domain.market import Timeframe
from backend.domain.trading.daily import DailyEquity
from backend.services.backtest_reading import config_of

_TRADES = ("symbol", "side", "entry_time", "pnl")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One of them as it lies in the database."""

    found: Backtest
    equity: Sequence[Part] = field(repr=False)
    trades: Sequence[Part] = field(repr=False)


def require_comparable(found: Sequence[Backtest]) -> None:
    """Studies have no account of their own."""
    wrong = [
        InputError(pointer=f"/ids/{place}", detail=f"“{one.name}” is a {one.kind.replace('_', ' ')}, not one run.")
        for place, one in enumerate(found)
        if one.kind is not JobKind.BACKTEST
    ]
    if wrong:
        raise InvalidInput(wrong)


def comparison_of(stored: Sequence[Stored], tables: TablePacking, *, seed: int = 0) -> dict[str, Any]:
    """As `compared` tells it, with what each run is called."""
    runs = [_run(one, tables) for one in stored]
    return {
        "runs": [_named(one.found, run) for one, run in zip(stored, runs, strict=True)],
        **compared(runs, seed=seed),
    }


def _run(stored: Stored, tables: TablePacking) -> Compared:
    found, figures, facts = stored.found, stored.found.figures or {}, _facts(stored.found)
    config = config_of(found)
    timeframe = Timeframe(found.timeframe)
    curve = tables.unpacked(stored.equity, ("ts", "equity"))
    trades = tables.unpacked(stored.trades, _TRADES) if stored.trades else pd.DataFrame(columns=list(_TRADES))
    closes = curve["ts"].to_numpy("datetime64[us]").astype("int64") + timeframe.seconds * 1_000_000
    equity = curve["equity"].to_numpy()
    return Compared(
        id=str(found.id),
        statistics=figures["statistics"],
        missing=figures["missing"],
        # With the parameters that nobody gave.
        config={**config.model_dump(mode="json"), "parameters": (found.manifest or {})["parameters"]},
        times=closes,
        equity=equity,
        daily=DailyEquity.of(
            closes, equity, start=config.trading.cash, calendar=facts["calendar"], timeframe=timeframe
        ),
        trades=trades,
    )


def _named(found: Backtest, run: Compared) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": found.name,
        "strategy": found.strategy,
        "symbols": list(found.symbols),
        "timeframe": found.timeframe,
        "currency": _facts(found)["currency"],
        "days": len(run.daily),
    }


def _facts(found: Backtest) -> dict[str, Any]:
    facts: dict[str, Any] = (found.manifest or {})["data"][0]["instrument"]
    return facts
