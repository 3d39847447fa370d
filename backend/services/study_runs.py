"""The work of sweeps, searches and walks forward in a process without a database."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import pandas as pd

from backend.backtesting.studies import StudyPlan, run_study
from backend.backtesting.trials import Best
from backend.backtesting.wording import kind_of, written
from backend.domain.config import RunConfig
from backend.domain.jobs import JobKind
from backend.domain.optimisation_errors import NothingToTry
from backend.services.backtest_runs import Bench, Stopped, Told, bars_of, heed
from backend.services.earlier_trials import Remembered

# The document is read with the backtest; the others of its best trials lie in a table of their own.
MOST_IN_DOCUMENT: Final = 50
_SUMMARY: Final = {"total_return": "total_return", "sharpe_ratio": "sharpe", "max_drawdown": "max_drawdown"}


def study(
    payload: Mapping[str, Any],
    owner: UUID,
    bench: Bench,
    told: Told,
    is_cancelled: Callable[[], bool],
    *,
    kind: JobKind,
) -> dict[str, Any]:
    """What there is when its user stops it comes back, and says so. Raises Stopped when that is nothing."""
    config = RunConfig.model_validate(payload["config"])
    told("bars", 0.0)
    histories, details = bars_of(config, owner, bench)
    heed(is_cancelled)
    before, listed = Remembered.of(payload), bench.strategies.get(config.strategy)
    predictions = bench.predictions().watched(lambda *_: heed(is_cancelled)) if listed.strategy.learns else None
    plan = StudyPlan.model_validate(payload["plan"])
    try:
        document = run_study(
            kind.value,
            config,
            payload["space"],
            histories,
            listed,
            plan=plan,
            details=details,
            ledger=before,
            workers=1,
            told=lambda done, of, best: told("trials", _percent(done, of), _words(done, of, best, plan.objective)),
            is_cancelled=is_cancelled,
            predictions=predictions,
        )
    except NothingToTry:
        # Of a search that was stopped before its first trial it is not true.
        heed(is_cancelled)
        raise
    told("packing", 97.0)
    return _result(document, before, sum(len(one.bars) for one in histories), bench)


def _result(document: dict[str, Any], tried: Remembered, bars: int, bench: Bench) -> dict[str, Any]:
    own = tried.own()
    if not own["trials"]:
        raise Stopped
    ranked = document.get("best", [])
    return {
        "summary": _summary(document),
        "figures": {"study": {**document, "best": ranked[:MOST_IN_DOCUMENT]} if ranked else document, "bars": bars},
        "family": own,
        "tables": bench.tables.packed("trials", trials_frame(ranked)),
    }


def trials_frame(ranked: list[dict[str, Any]]) -> pd.DataFrame:
    """A row a trial, the best first; `parameter.*` and `metric.*` as columns of their own."""
    rows = [
        {
            "number": one["number"],
            "value": one["value"],
            "why": one["why"],
            **{f"parameter.{name}": value for name, value in one["parameters"].items()},
            **{f"metric.{name}": value for name, value in one["metrics"].items()},
        }
        for one in ranked
    ]
    return pd.DataFrame(rows)


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of the winner, or of the account that traded the winners out of sample."""
    if document["kind"] == JobKind.WALK_FORWARD:
        figures = (document["statistics"] or {}).get("values", {})
    else:
        figures = (document["winner"] or {}).get("metrics", {})
    trades = figures.get("trades")
    return {
        **{name: figures.get(metric) for name, metric in _SUMMARY.items()},
        "trades": None if trades is None else int(trades),
    }


def _percent(done: int, of: int) -> float:
    return 5.0 + 90.0 * done / max(of, 1)


def _words(done: int, of: int, best: Best | None, objective: str) -> str:
    words = f"{done:,} of {of:,} trials"
    if best is None:
        return words
    parameters = ", ".join(f"{name} {value}" for name, value in best.parameters.items())
    return f"{words}; best so far {written(best.value, kind_of(objective), '')} with {parameters}"
