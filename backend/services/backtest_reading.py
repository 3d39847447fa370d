"""What came out of a backtest, in the forms that are read: parts of tables, charts, files. No transaction is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from backend.domain.backtest_ports import RunBars, TablePacking
from backend.domain.backtests import Backtest, Part, Rows
from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.config import RunConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.indicators.catalogue import indicator
from backend.domain.market_ports import Loaded
from backend.domain.strategies.base import Plot, TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.bars_at_hand import series_of

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.record import Record

MOST_CHART_BARS: Final = 50_000
_CURVES: Final = ("equity", "benchmark")


def config_of(found: Backtest) -> RunConfig:
    """The form that it was made from, without what a study has besides."""
    return RunConfig.model_validate(_form_of(found))


def _form_of(found: Backtest) -> dict[str, Any]:
    return {name: value for name, value in found.config.items() if name != "study"}


def rows_of(parts: Sequence[Part], rows: Rows, tables: TablePacking) -> "tuple[int, pd.DataFrame]":
    """Exactly the wanted rows, and the number of the first."""
    table = tables.unpacked(parts)
    if not parts:
        return 0, table
    begin = parts[0].first_row
    first, last = max(rows.first - begin, 0), len(table)
    if rows.count is not None:
        last = min(last, rows.first + rows.count - begin)
    for column in ("ts", "entry_time"):
        if column in table.columns:
            times = table[column]
            if rows.start is not None and times.is_monotonic_increasing:
                first = max(first, int(times.searchsorted(rows.start)))
            if rows.end is not None and times.is_monotonic_increasing:
                last = min(last, int(times.searchsorted(rows.end)))
    return begin + first, table.iloc[first : max(last, first)]


def thinned(table: "pd.DataFrame", points: int) -> "pd.DataFrame":
    """So many rows of curves: of each stretch the lowest and the highest of each, so that no peak or trough is lost."""
    if len(table) <= points:
        return table
    curves = [table[name].to_numpy(np.float64) for name in _CURVES if name in table.columns]
    stretches = max(points // (2 * len(curves)), 1)
    edges = np.linspace(0, len(table), stretches + 1).astype(np.int64)
    kept = {0, len(table) - 1}
    for begin, end in pairwise(edges.tolist()):
        for curve in curves:
            kept |= {begin + place for place in _extremes(curve[begin:end])}
    return table.iloc[sorted(kept)]


def _extremes(stretch: npt.NDArray[np.float64]) -> set[int]:
    if np.isnan(stretch).all():
        return set()
    return {int(np.nanargmin(stretch)), int(np.nanargmax(stretch))}


def chart_of(
    found: Backtest,
    owner: UUID,
    *,
    symbol: str | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    bars: RunBars,
    strategies: StrategyRegistry,
) -> dict[str, Any]:
    """Bars of one symbol of the run, with the indicators that its strategy declares.

    They are computed from the beginning of the run, as the strategy saw them.
    """
    loaded, strategy = seen_of(found, owner, symbol=symbol, bars=bars, strategies=strategies)
    times = loaded.bars["ts"]
    first = 0 if start is None else int(times.searchsorted(start))
    last = len(times) if end is None else int(times.searchsorted(end))
    shown = slice(first, min(last, first + limit))
    following = times.iloc[shown.stop] if shown.stop < last else None
    return {
        **drawn(loaded, lines_of(loaded, strategy), shown),
        "next_start": None if following is None else following.isoformat(),
    }


def seen_of(
    found: Backtest, owner: UUID, *, symbol: str | None, bars: RunBars, strategies: StrategyRegistry
) -> tuple[Loaded, TradingStrategy]:
    """The bars of one symbol of the run, the first unless one is named, and the strategy that saw them."""
    config = config_of(found)
    wanted = next((one for one in config.series if symbol is None or one.symbol == symbol), None)
    if wanted is None:
        known = ", ".join(one.symbol for one in config.series[:10])
        raise InvalidInput([InputError(pointer="/query/symbol", detail=f"The run has {known}.")])
    loaded = bars.load(series_of(wanted, owner), config.start, config.end)
    return loaded, strategies.get(config.strategy).strategy.given(config.parameters)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """A declared indicator over all bars."""

    plot: Plot
    name: str
    pane: str
    values: Mapping[str, npt.NDArray[np.float64]]

    def within(self, shown: slice) -> dict[str, list[float | None]]:
        return {
            name: [value if np.isfinite(value) else None for value in values[shown].tolist()]
            for name, values in self.values.items()
        }


def lines_of(loaded: Loaded, strategy: TradingStrategy) -> list[Lines]:
    """The indicators that the strategy declares, from the first bar of the run on."""
    inputs = Market.of(loaded.bars, loaded.instrument, loaded.series.timeframe).inputs
    return [_computed(plot, inputs) for plot in strategy.plots()]


def _computed(plot: Plot, inputs: Any) -> Lines:
    meant = indicator(plot.indicator)
    given = meant.complete(plot.parameters)
    named = meant.compute(inputs, given)
    return Lines(
        plot=plot,
        name=" ".join([plot.indicator.upper(), *(f"{value:g}" for value in given.values())]),
        pane=meant.pane.value,
        values={name: named[name] for name in plot.outputs or meant.outputs},
    )


def drawn(loaded: Loaded, lines: Sequence[Lines], shown: slice) -> dict[str, Any]:
    """Some of the bars, by columns, with the indicators there."""
    columns = {name: loaded.bars[name].to_numpy()[shown].tolist() for name in COLUMNS}
    return {
        "symbol": loaded.series.symbol,
        "timeframe": loaded.series.timeframe.value,
        "bars": {"ts": (start_microseconds(loaded.bars)[shown] // 1000).tolist(), **columns},
        "indicators": [
            {"name": one.name, "pane": one.pane, "levels": list(one.plot.levels), "lines": one.within(shown)}
            for one in lines
        ],
    }


def study_document(found: Backtest) -> dict[str, Any]:
    """A study as it is exported, but for its trials."""
    return {
        "id": str(found.id),
        "saved_at": (found.finished_at or found.created_at).isoformat(),
        "name": found.name,
        "kind": found.kind.value,
        "config": dict(found.config),
        **(found.figures or {}),
    }


def without_trades(empty: "pd.DataFrame") -> "pd.DataFrame":
    """With the columns that `with_rules` of the runs adds."""
    return empty.assign(entry_rule=empty["entry_reason"], exit_rule=empty["exit_reason"])


def record_of(found: Backtest, trades: Sequence[Part], equity: Sequence[Part], tables: TablePacking) -> "Record":
    """As the report and the exports take it."""
    from backend.backtesting.record import Record, no_trades  # noqa: PLC0415 - loaded by who exports

    record = Record.of(
        {**_form_of(found), "source": {}},
        found.manifest or {},
        {**(found.figures or {}), "trust": found.trust},
        lambda: tables.unpacked(trades) if trades else without_trades(no_trades()),
        lambda: tables.unpacked(equity),
    )
    return record.stored_as(str(found.id), found.finished_at or found.created_at)
