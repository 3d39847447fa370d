"""The work of backtests, done in a child: it knows the folders of bars and strategies, and whose job it is."""

import os
from collections.abc import Callable
from typing import Any
from uuid import UUID


def run(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.services.backtest_runs import run_backtest  # noqa: PLC0415 - loaded by who backtests

    return _done(run_backtest, payload, report, is_cancelled)


def guard(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.services.backtest_runs import guard_backtest  # noqa: PLC0415 - loaded by who backtests

    return _done(guard_backtest, payload, report, is_cancelled)


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
