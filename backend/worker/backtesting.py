"""The work of backtests, done in a child: it knows the folders of bars and strategies, and whose job it is."""

import importlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from backend.domain.jobs import JobKind

PREPARES = "backend.worker.backtesting:prepare"


def prepare() -> Iterator[None]:
    """Load all that a run needs, in steps of some tenths of a second, ending with a small one; then for trainings."""
    for module in _LOADED:
        importlib.import_module(module)
        yield
    _done(importlib.import_module("backend.services.backtest_runs").run_backtest, _SMALL, _say_nothing, lambda: False)
    yield
    yield from importlib.import_module("backend.worker.learning").prepare()


def run(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.services.backtest_runs import run_backtest  # noqa: PLC0415 - loaded by who backtests

    return _done(run_backtest, payload, report, is_cancelled)


def guard(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.services.backtest_runs import guard_backtest  # noqa: PLC0415 - loaded by who backtests

    return _done(guard_backtest, payload, report, is_cancelled)


def sweep(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    return _studied(JobKind.SWEEP, payload, report, is_cancelled)


def optimize(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    return _studied(JobKind.OPTIMIZE, payload, report, is_cancelled)


def walk_forward(
    payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    return _studied(JobKind.WALK_FORWARD, payload, report, is_cancelled)


def _studied(
    kind: JobKind, payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    from backend.services.study_runs import study  # noqa: PLC0415 - loaded by who studies

    return _done(partial(study, kind=kind), payload, report, is_cancelled)


_LOADED = (
    "numpy",
    "pandas",
    "numba",
    "pyarrow.parquet",
    "backend.backtesting.record",
    "backend.bootstrap_market",
    "backend.services.backtest_runs",
)
_SMALL = {
    "user_id": "00000000-0000-0000-0000-000000000000",
    "config": {
        "strategy": "sma_cross",
        "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
        "start": "2024-01-01T00:00:00Z",
        "end": "2024-02-01T00:00:00Z",
    },
}


def _say_nothing(*_: Any, **__: Any) -> None:
    return


def _done(
    work: Callable[..., dict[str, Any]],
    payload: dict[str, Any],
    report: Callable[..., None],
    is_cancelled: Callable[[], bool],
) -> dict[str, Any]:
    from backend.bootstrap_market import bench_of  # noqa: PLC0415 - loaded by who backtests
    from backend.services.backtest_runs import Stopped  # noqa: PLC0415 - loaded by who backtests

    try:
        return work(payload, UUID(payload["user_id"]), bench_of(os.environ), report, is_cancelled)
    except Stopped:
        return {}
