"""A run among its family: it is written into the ledger as a trial of its own, and told how much was tried before."""

import hashlib
from typing import Any

from backend.backtesting.course import Course
from backend.backtesting.ledger import Entry, Family, Ledger
from backend.backtesting.measures import METRICS
from backend.backtesting.run import Run
from backend.backtesting.trust import Family as Tried
from backend.backtesting.trust import daily_sharpe
from backend.domain.trading.statistics import Missing


def course_of(run: Run) -> Course:
    """What a run ran over, so that others can run over the same."""
    return Course(
        strategy=run.listed.strategy,
        markets=run.markets,
        trading=run.config.trading,
        detail={symbol: detail.bars for symbol, detail in run.details.items()},
        hashes={one.series.symbol: one.content_hash for one in run.histories},
    )


def family_of(course: Course) -> Family:
    return Family(strategy=course.strategy.name, symbol=course.symbol)


def facts_of(course: Course, *, method: str, seed: int) -> dict[str, Any]:
    """On which bars and by which rules a trial was made, in a few words for each line of the ledger."""
    first, start = course.markets[0], course.starts[0]
    span = [int(first.starts[start]), int(first.ends[-1])] if len(first) > start else []
    told = [span, first.timeframe.value, course.trading.model_dump_json(), dict(course.hashes), course.symbol]
    return {
        "method": method,
        "seed": seed,
        "timeframe": first.timeframe.value,
        "span": span,
        "course": hashlib.sha256(repr(told).encode()).hexdigest()[:16],
    }


def written_down(run: Run, ledger: Ledger) -> Tried:
    """The run's family with the run in it; the same run again counts once."""
    course = course_of(run)
    statistics = run.analysis.statistics
    numbers = {name: statistics.number(name) for name in METRICS}
    entry = Entry(
        parameters=run.parameters,
        metrics={name: value for name, value in numbers.items() if value is not None},
        missing={name: statistics.missing.get(name, "") for name, value in numbers.items() if value is None},
        failure=None,
        daily_sharpe=_daily_sharpe(run),
        days=len(run.analysis.daily),
        about=facts_of(course, method="single", seed=run.config.seed),
    )
    family = family_of(course)
    if not ledger.knows(family, entry):
        ledger.append(family, [entry])
    size = ledger.size(family)
    return Tried(trials=size.trials, t_values=size.t_values)


def _daily_sharpe(run: Run) -> float:
    try:
        return daily_sharpe(run.analysis.daily)
    except Missing:
        return float("nan")
