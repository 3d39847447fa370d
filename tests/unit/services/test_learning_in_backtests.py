"""Backtests, sweeps and previews of a strategy that asks models: they get them, tell how far they are, and can stop."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from backend.data.research_bars import simulated
from backend.data.run_tables import ParquetTables
from backend.domain.jobs import JobKind
from backend.domain.market import Series, Span, Timeframe
from backend.domain.market_ports import Loaded
from backend.domain.ml.walk_forward import WalkForward
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.backtest_runs import Bench, Stopped, run_backtest
from backend.services.strategy_preview import PreviewWanted, preview
from backend.services.study_runs import study
from tests.fake_calendars import FakeCalendars
from tests.fake_forecaster import FakeForecaster

USER = UUID(int=7)
SETTINGS = {"horizon": 3, "first_training_bars": 700, "retrain_every": 300, "rounds": 5, "least_in_leaf": 20}
CONFIG = {
    "strategy": "ml_predictive",
    "parameters": {**SETTINGS, "threshold": 0.5},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-03-01T00:00:00Z",
}


class Made:
    """Bars of the simulated market, in memory."""

    def load(self, series: Series, start: datetime | None, end: datetime | None) -> Loaded:
        assert start is not None
        assert end is not None
        return simulated(series, Span(start=start, end=end))


def bench(forecaster: FakeForecaster) -> Bench:
    predictions = WalkForward(lambda: forecaster)
    return Bench(
        bars=Made(),
        strategies=StrategyRegistry(points=tuple),
        tables=ParquetTables(),
        calendar=FakeCalendars(),
        predictions=lambda: predictions,
    )


def quiet(*_: Any, **__: Any) -> None:
    return


def test_a_backtest_tells_of_each_model_and_its_guards_train_hardly_any() -> None:
    forecaster, told = FakeForecaster(), list[tuple[Any, ...]]()
    done = run_backtest(
        {"config": CONFIG}, USER, bench(forecaster), lambda *said, **_: told.append(said), lambda: False
    )

    assert done["summary"]["trades"] > 5
    assert list(dict.fromkeys(said for said in told if "model" in str(said[-1]))) == [
        ("signals", 15.0, "model 1 of 3"),
        ("signals", 20.0, "model 2 of 3"),
        ("signals", 25.0, "model 3 of 3"),
    ]
    percents = [said[1] for said in told]
    assert percents == sorted(percents)
    checks = {check["code"]: check["verdict"] for check in done["trust"]["checks"]}
    assert (checks["look_ahead"], checks["recursive"], checks["shuffled"]) == ("good", "unknown", "unknown")
    assert len(forecaster.lessons) < 3 + 12


def test_a_backtest_that_nobody_wants_any_more_stops_while_it_learns() -> None:
    forecaster = FakeForecaster()

    with pytest.raises(Stopped):
        run_backtest({"config": CONFIG}, USER, bench(forecaster), quiet, lambda: len(forecaster.lessons) == 2)
    assert len(forecaster.lessons) == 2


def test_a_sweep_over_thresholds_trains_once() -> None:
    forecaster = FakeForecaster()
    payload = {"config": CONFIG, "space": {"threshold": [0.5, 0.52, 0.54]}, "plan": {}}
    study(payload, USER, bench(forecaster), quiet, lambda: False, kind=JobKind.SWEEP)

    assert len(forecaster.lessons) == 3


def test_a_preview_says_what_its_models_say() -> None:
    series = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
    strategy = StrategyRegistry(points=tuple).strategy("ml_predictive", CONFIG["parameters"])  # type: ignore[arg-type]
    until = datetime.fromisoformat("2024-09-01T00:00:00+00:00")
    wanted = PreviewWanted(strategy="ml_predictive", parameters={}, series=series, bars=400)
    shown = preview(
        wanted,
        strategy,
        simulated,
        instrument=simulated(series, Span(start=until.replace(month=8), end=until)).instrument,
        until=until,
        predictions=WalkForward(FakeForecaster),
    )

    assert len(shown["bars"]["ts"]) == 400
    assert len(shown["signals"]["ts"]) > 3
    assert {shown["reasons"][code] for code in shown["signals"]["reason"]} <= set(shown["reasons"])
