"""Backtests: one strategy over the bars of one symbol, or of several on one account."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.research.bars import Bars, held_of, source_of
from backend.research.first_time import first_time
from backend.research.named import not_both, strategy_of
from backend.research.refusing import by_name, refused_by
from backend.research.results import Backtest

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from backend.domain.config import RunConfig
    from backend.domain.strategies.base import TradingStrategy
    from backend.domain.strategies.registry import Listed


def backtest(
    strategy: "str | Path | type[TradingStrategy] | TradingStrategy",
    bars: "Bars | pd.DataFrame | Iterable[Bars]",
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    **options: Any,
) -> "Backtest":
    """Trade a strategy on bars, of one symbol or of several on one account.

    >>> result = backtest("buy_and_hold", load_bars("demo", "BTC/USDT", "1d", "2023", "2024"), cash=10_000)
    >>> round(float(result.equity["equity"].iloc[-1]), 2) == round(result.statistics["end_equity"], 2)
    True

    The strategy is a name, the path of a .py file, or a class of your own. Options that are trading rules (cash,
    fee_bps, slippage_bps, sizing, size_percent, sides, stop_percent, leverage, intrabar ...) are taken as such, all
    others as parameters of the strategy; `parameters` is for names that are both. A pandas frame in place of `Bars`
    needs the columns ts, open, high, low, close and volume.
    """
    with first_time("backtest"):
        from backend.backtesting.options import OPTIONS

        held, asked = held_of(bars), by_name("parameters", parameters)
        listed, given = strategy_of(strategy)
        rules = {name: value for name, value in options.items() if name in OPTIONS}
        free = {name: value for name, value in options.items() if name not in OPTIONS}
        not_both(listed, rules)
        return _run(listed, held, {**given, **free, **asked}, rules, seed)


def run_backtest(
    strategy: "str | Path | type[TradingStrategy] | TradingStrategy",
    bars: Sequence[Bars],
    parameters: Mapping[str, Any],
    rules: Mapping[str, Any],
    *,
    seed: int = 0,
) -> "Backtest":
    """The same with rules and parameters apart; rules that are None keep their default."""
    with first_time("backtest"):
        return _run(strategy_of(strategy)[0], bars, parameters, rules, seed)


def _run(
    listed: "Listed", held: Sequence[Bars], parameters: Mapping[str, Any], rules: Mapping[str, Any], seed: int
) -> Backtest:
    from backend.backtesting.options import trading_config
    from backend.backtesting.run import run
    from backend.bootstrap_research import predictions_for

    details = {one.symbol: one.detail for one in held if one.detail is not None}
    lengths = [detail.series.timeframe for detail in details.values()]
    config = config_of(
        listed.name, parameters, held, trading_config({"detail": next(iter(lengths), None), **rules}), seed
    )
    loaded = [one.loaded for one in held]
    return Backtest.of(
        run(config, loaded, listed, details=details, predictions=predictions_for(listed)), source_of(held)
    )


def config_of(
    strategy: str, parameters: Mapping[str, Any], held: Sequence[Bars], trading: Any, seed: int
) -> "RunConfig":
    """The stored form of a run over these bars, from their first to their last. Raises InvalidInput."""
    from pydantic import ValidationError

    from backend.domain.config import RunConfig, SeriesConfig

    starts = [one.frame["ts"] for one in held]
    length = held[0].loaded.series.timeframe.length
    series = tuple(
        SeriesConfig(
            provider=one.loaded.series.provider,
            symbol=one.symbol,
            timeframe=one.loaded.series.timeframe,
            adjustment=one.loaded.series.adjustment,
        )
        for one in held
    )
    try:
        return RunConfig(
            strategy=strategy,
            parameters=dict(parameters),
            series=series,
            start=min(ts.iloc[0] for ts in starts).to_pydatetime(),
            end=max(ts.iloc[-1] for ts in starts).to_pydatetime() + length,
            trading=trading,
            seed=seed,
        )
    except ValidationError as problem:
        raise refused_by(problem) from None
