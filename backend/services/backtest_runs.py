"""The work of a backtest in a process without a database: a stored form in, a result that can be kept out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from backend.backtesting.families import written_down
from backend.backtesting.record import Record, record_of
from backend.backtesting.run import Run, run
from backend.backtesting.trust import Examined, Family, examine, quality_of
from backend.backtesting.verdicts import Trust, trust_document
from backend.domain.backtest_ports import RunBars, TablePacking
from backend.domain.config import RunConfig
from backend.domain.market_ports import Loaded, TradingCalendar
from backend.domain.strategies.registry import StrategyRegistry
from backend.domain.trading.trade_statistics import WHY
from backend.services.bars_at_hand import series_of
from backend.services.earlier_trials import Remembered

if TYPE_CHECKING:
    import pandas as pd

    from backend.domain.ml.walk_forward import WalkForward

# Longer curves are kept thinned, the whole is made again by a replay.
MOST_EQUITY_ROWS: Final = 250_000
CURVE_POINTS: Final = 80
_SUMMARY: Final = {"total_return": "total_return", "sharpe_ratio": "sharpe", "max_drawdown": "max_drawdown"}


class Stopped(BaseException):
    """Its user does not want it any more. No Exception: strategies, inside of which it may be raised, catch those."""


class Told(Protocol):
    """How far it is."""

    def __call__(self, stage: str, percent: float | None = None, message: str = "", **more: Any) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What runs are made with."""

    bars: RunBars
    strategies: StrategyRegistry
    tables: TablePacking
    calendar: TradingCalendar  # that bars are compared with
    predictions: "Callable[[], WalkForward]"  # opened for strategies that ask models


def run_backtest(
    payload: Mapping[str, Any], owner: UUID, bench: Bench, told: Told, is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """What a task of the kind backtest comes to. Raises Stopped, and what a person can act on."""
    done = trade(RunConfig.model_validate(payload["config"]), owner, bench, told, is_cancelled)
    told("figures", 80.0)
    record = record_of(done)
    heed(is_cancelled)
    told("checks", 85.0)
    family = Remembered.of(payload)
    trust = examined(done, bench.calendar, family=written_down(done, family))
    heed(is_cancelled)
    told("packing", 97.0)
    came = result_of(record, trust, bench.tables, trades=with_rules(record.trades, done))
    return {**came, "family": family.own()}


def guard_backtest(
    payload: Mapping[str, Any], owner: UUID, bench: Bench, told: Told, is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """The same run once more, looked at thoroughly."""
    done = trade(RunConfig.model_validate(payload["config"]), owner, bench, told, is_cancelled)
    heed(is_cancelled)
    told("checks", 40.0)
    family = written_down(done, Remembered.of(payload))
    return {"trust": trust_document(examined(done, bench.calendar, family=family, thorough=True))}


def bars_of(config: RunConfig, owner: UUID, bench: Bench) -> tuple[list[Loaded], dict[str, Loaded]]:
    """Of all series, and by symbol the shorter ones that decide inside of their bars."""
    detail = config.trading.execution.detail
    wanted = [series_of(one, owner) for one in config.series]
    shorter = [series_of(one.model_copy(update={"timeframe": detail}), owner) for one in config.series if detail]
    return (
        [bench.bars.load(one, config.start, config.end) for one in wanted],
        {one.symbol: bench.bars.load(one, config.start, config.end) for one in shorter},
    )


def trade(config: RunConfig, owner: UUID, bench: Bench, told: Told, is_cancelled: Callable[[], bool]) -> Run:
    """Bars, signals and fills."""
    told("bars", 0.0)
    histories, details = bars_of(config, owner, bench)
    heed(is_cancelled)
    told("signals", 15.0, f"{sum(len(one.bars) for one in histories):,} bars")

    is_traded = False

    def watch(until: int, equity: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]) -> None:
        nonlocal is_traded
        is_traded = True
        heed(is_cancelled)
        date = datetime.fromtimestamp(int(starts[until - 1]) / 1e6, tz=UTC)
        told(
            "trading",
            30.0 + 50.0 * until / len(starts),
            f"{until:,} of {len(starts):,} bars",
            current_date=date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            curve=_curve(until, equity, starts),
        )

    def learn(done: int, of: int) -> None:
        heed(is_cancelled)
        if not is_traded:  # guards ask for models too, long after
            told("signals", 15.0 + 15.0 * done / of, f"model {done + 1:,} of {of:,}")

    listed = bench.strategies.get(config.strategy)
    predictions = bench.predictions().watched(learn) if listed.strategy.learns else None
    return run(config, histories, listed, details=details, watch=watch, predictions=predictions)


def examined(done: Run, calendar: TradingCalendar, *, family: Family | None = None, thorough: bool = False) -> Trust:
    quality = quality_of(done.histories, calendar)
    return examine(Examined.of(done, family=family, quality=quality), thorough=thorough)


def with_rules(trades: "pd.DataFrame", done: Run) -> "pd.DataFrame":
    """With the rules by which they were filled, which a strategy's own words may hide."""
    rules = np.array([WHY[code] for code in sorted(WHY)], dtype=object)
    filled = done.result.trades
    return trades.assign(entry_rule=rules[filled["entry_why"]], exit_rule=rules[filled["exit_why"]])


def result_of(record: Record, trust: Trust, tables: TablePacking, *, trades: "pd.DataFrame") -> dict[str, Any]:
    """As tasks end with it: a summary, documents, and tables in pieces."""
    equity = record.equity
    every = -(-len(equity) // MOST_EQUITY_ROWS)
    if every > 1:
        # The last bar of each stretch, and the very last.
        kept = np.unique(np.append(np.arange(every - 1, len(equity), every), len(equity) - 1))
        equity = equity.iloc[kept]
    number = record.statistics.number
    return {
        "summary": {
            **{name: number(statistic) for name, statistic in _SUMMARY.items()},
            "trades": int((~trades["is_open"]).sum()),
        },
        "figures": {**_without_trust(record), "equity_every": every, "bars": len(record.equity)},
        "manifest": dict(record.manifest),
        "trust": trust_document(trust),
        "tables": [*tables.packed("trades", trades), *tables.packed("equity", equity)],
    }


def _without_trust(record: Record) -> dict[str, Any]:
    """It has a place of its own, since a thorough look replaces it."""
    return {name: value for name, value in record.figures().items() if name != "trust"}


def heed(is_cancelled: Callable[[], bool]) -> None:
    """Raises Stopped once its user does not want it any more."""
    if is_cancelled():
        raise Stopped


def _curve(until: int, equity: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]) -> list[tuple[int, float]]:
    at = np.unique(np.linspace(0, until - 1, CURVE_POINTS).astype(np.int64))
    at = at[np.isfinite(equity[at])]
    return list(zip((starts[at] // 1_000_000).tolist(), equity[at].tolist(), strict=True))
