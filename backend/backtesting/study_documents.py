"""What sweeps, searches and walks forward came to, as JSON documents of bounded size with a schema."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from backend.backtesting.heat_grids import Grid, grid_of
from backend.backtesting.optimisation import Floats, Optimisation
from backend.backtesting.space import Value
from backend.backtesting.trials import Trial
from backend.backtesting.walk_forward import Step, WalkForward
from backend.domain.trading.evidence import deflated_sharpe
from backend.domain.trading.statistics import Missing, Statistics

MOST_TRIALS: Final = 1_000
MOST_PAIRS: Final = 6
MOST_POINTS: Final = 2_000
_MOST_VALUES: Final = 100
_MOST_FAILURES: Final = 10
_BARS_OF_HISTOGRAM: Final = 40


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figures(_Document):
    """Numbers by name; those that could not be computed have a reason instead."""

    values: dict[str, float | int | str]
    missing: dict[str, str]


class ObjectiveDocument(_Document):
    """What trials were ranked by."""

    name: str
    more_is_better: bool
    least_trades: int


class Tried(_Document):
    """The values of one parameter; of very many the first."""

    count: int
    first: Value
    last: Value
    values: list[Value]


class TrialDocument(_Document):
    """One trial. `value` is that of the objective; without one, `why` says why it is not ranked."""

    number: int
    parameters: dict[str, Value]
    value: float | None
    why: str | None
    metrics: dict[str, float]


class Failure(_Document):
    """What stopped trials, and how many."""

    reason: str
    count: int


class Histogram(_Document):
    """How the objective spreads over all trials: a count between each two edges."""

    edges: list[float]
    counts: list[int]


class OverfittingDocument(_Document):
    """How often the best of one half of the history was below the median of the other half."""

    probability: float
    trials: int
    blocks: int
    halves: int
    kept: float | None


class NeighbourhoodDocument(_Document):
    """The mean of the trials beside the winner."""

    mean: float
    tried: int
    is_lone_peak: bool


class OptimisationDocument(_Document):
    """A sweep or a search. Counts are of all trials, `best` are the first of the ranking."""

    format: Literal[1] = 1
    kind: Literal["sweep", "optimize"]
    method: str  # grid, random or tpe
    strategy: str
    symbol: str
    objective: ObjectiveDocument
    seed: int
    space: dict[str, Tried]
    fixed: dict[str, Any]
    combinations: int
    trials: int
    ranked: int
    failed: int
    skipped: int
    skipped_why: str | None
    is_cancelled: bool
    trials_in_family: int
    days: int
    winner: TrialDocument | None
    median: TrialDocument | None
    judgement: Figures
    overfitting: OverfittingDocument | None
    neighbourhood: NeighbourhoodDocument | None
    warnings: list[str]
    best: list[TrialDocument]
    failures: list[Failure]
    histogram: Histogram | None
    heat_maps: list[Grid]


class SpanDocument(_Document):
    """From a moment up to, not including, another one."""

    start: str
    end: str
    bars: int


class Side(_Document):
    """What parameters did on some bars."""

    value: float | None
    metrics: dict[str, float]


class Fold(_Document):
    """One window: the winner on the bars that it was chosen on, and on those after."""

    number: int
    train: SpanDocument
    test: SpanDocument
    trials: int
    ranked: int
    parameters: dict[str, Value] | None
    in_sample: Side | None
    out_of_sample: Side | None
    median: float | None
    overfitting: float | None
    deflated_sharpe: float | None
    missing: dict[str, str]


class Choices(_Document):
    """How much the choice of one parameter moved from fold to fold."""

    values: list[Value]
    distinct: int
    spread: float | None


class Curve(_Document):
    """The account that traded the winners one after the other; of very many bars some."""

    ts: list[str]
    equity: list[float]


class WalkForwardDocument(_Document):
    """A walk forward. `judgement` compares the folds, `statistics` are of the account out of sample alone."""

    format: Literal[1] = 1
    kind: Literal["walk_forward"] = "walk_forward"
    strategy: str
    symbol: str
    objective: ObjectiveDocument
    anchored: bool
    purge: int
    planned: int
    unused_bars: int
    is_cancelled: bool
    trials: int
    trials_in_family: int
    judgement: Figures
    folds: list[Fold]
    stability: dict[str, Choices]
    statistics: Figures | None
    equity: Curve | None


def found_document(found: Optimisation, *, most: int = MOST_TRIALS) -> dict[str, Any]:
    """Of a sweep or a search."""
    document = OptimisationDocument(
        kind="optimize" if found.method == "tpe" else "sweep",
        method=found.method,
        strategy=found.family.strategy,
        symbol=found.family.symbol,
        objective=_objective(found),
        seed=found.seed,
        space={name: _tried(values) for name, values in found.space.values.items()},
        fixed=dict(found.space.fixed),
        combinations=found.space.combinations,
        trials=len(found.trials),
        ranked=found.ranked,
        failed=len(found.trials.failures),
        skipped=found.skipped,
        skipped_why=found.skipped_why,
        is_cancelled=found.is_cancelled,
        trials_in_family=found.in_family.trials,
        days=found.days,
        winner=_trial(found, found.winner),
        median=_trial(found, found.median),
        judgement=_figures(found.judgement),
        overfitting=_overfitting(found),
        neighbourhood=_neighbourhood(found),
        warnings=list(found.warnings),
        best=[row for trial in found.best(most) if (row := _trial(found, trial)) is not None],
        failures=_failures(found),
        histogram=_histogram(found.values[np.isfinite(found.scores)]),
        heat_maps=list(_heat_maps(found)),
    )
    return document.model_dump(mode="json")


def walked_document(walked: WalkForward) -> dict[str, Any]:
    """Of a walk forward."""
    first = walked.steps[0].chosen if walked.steps else None
    document = WalkForwardDocument(
        strategy=walked.strategy,
        symbol=walked.symbol,
        objective=ObjectiveDocument(
            name=walked.objective.name,
            more_is_better=walked.objective.more_is_better,
            least_trades=walked.objective.least_trades,
        ),
        anchored=walked.anchored,
        purge=walked.purge,
        planned=walked.windows,
        unused_bars=walked.unused,
        is_cancelled=walked.is_cancelled,
        trials=walked.trials,
        trials_in_family=walked.steps[-1].chosen.in_family.trials if first is not None else 0,
        judgement=_figures(_walked_judgement(walked)),
        folds=[_fold(number, step) for number, step in enumerate(walked.steps, 1)],
        stability={
            name: Choices(values=list(each.values), distinct=each.distinct, spread=each.spread)
            for name, each in walked.stability.items()
        },
        statistics=None if walked.analysis is None else _figures(walked.analysis.statistics),
        equity=_curve(walked),
    )
    return document.model_dump(mode="json")


def _objective(found: Optimisation) -> ObjectiveDocument:
    objective = found.objective
    return ObjectiveDocument(
        name=objective.name, more_is_better=objective.more_is_better, least_trades=objective.least_trades
    )


def _tried(values: tuple[Value, ...]) -> Tried:
    return Tried(count=len(values), first=values[0], last=values[-1], values=list(values[:_MOST_VALUES]))


def _trial(found: Optimisation, trial: Trial | None) -> TrialDocument | None:
    if trial is None:
        return None
    why = found.why_not(trial)
    return TrialDocument(
        number=trial.number,
        parameters=dict(trial.parameters),
        value=None if why is not None else _finite(found.value(trial)),
        why=why,
        metrics=_finite_only(trial.metrics),
    )


def _failures(found: Optimisation) -> list[Failure]:
    counted = Counter(str(problem)[:300] for problem in found.trials.failures.values())
    return [Failure(reason=reason, count=count) for reason, count in counted.most_common(_MOST_FAILURES)]


def _histogram(values: Floats) -> Histogram | None:
    if not len(values):
        return None
    counts, edges = np.histogram(values, bins=_BARS_OF_HISTOGRAM if np.ptp(values) > 0 else 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _heat_maps(found: Optimisation) -> Iterator[Grid]:
    """Of each two parameters with several values."""
    several = [name for name in found.space.names if len(found.space.values[name]) > 1]
    for place, (x, y) in enumerate(combinations(several, 2)):
        if place < MOST_PAIRS:
            yield grid_of(found, x, y)


def _overfitting(found: Optimisation) -> OverfittingDocument | None:
    told = found.overfitting
    return None if told is None else OverfittingDocument(**vars(told))


def _neighbourhood(found: Optimisation) -> NeighbourhoodDocument | None:
    told = found.neighbourhood
    return None if told is None else NeighbourhoodDocument(**vars(told))


def _fold(number: int, step: Step) -> Fold:
    chosen, judged = step.chosen, step.chosen.judgement
    winner = chosen.winner
    begin, (first, behind) = step.window.train, step.window.test
    return Fold(
        number=number,
        train=SpanDocument(start=_iso(step.train[0]), end=_iso(step.train[1]), bars=begin[1] - begin[0]),
        test=SpanDocument(start=_iso(step.test[0]), end=_iso(step.test[1]), bars=behind - first),
        trials=len(chosen.trials),
        ranked=chosen.ranked,
        parameters=None if winner is None else dict(winner.parameters),
        in_sample=None if winner is None else _side(chosen.value(winner), winner),
        out_of_sample=None if step.traded is None else _side(step.value, step.traded),
        median=judged.number("median"),
        overfitting=judged.number("overfitting"),
        deflated_sharpe=judged.number("deflated_sharpe"),
        missing=dict(judged.missing),
    )


def _side(value: float | None, trial: Trial) -> Side:
    return Side(value=_finite(value), metrics=_finite_only(trial.metrics))


def _walked_judgement(walked: WalkForward) -> Statistics:
    """With what says how far to believe it: of the folds in their mean, of the account that came of them."""
    judged = walked.judgement
    values, missing = dict(judged.values), dict(judged.missing)
    for name, compute in (("median", _mean_of), ("overfitting", _mean_of), ("deflated_sharpe", _deflated)):
        try:
            values[name] = compute(walked, name)
        except Missing as reason:
            missing[name] = str(reason)
    return Statistics(values=values, missing=missing)


def _mean_of(walked: WalkForward, name: str) -> float:
    judged = [step.chosen.judgement for step in walked.steps]
    found = [value for each in judged if (value := each.number(name)) is not None]
    if not found:
        raise Missing(judged[0].missing.get(name, "No fold has it.") if judged else "No fold was finished.")
    return float(np.mean(found))


def _deflated(walked: WalkForward, name: str) -> float:
    """That the account's ratio is real, although so many were tried."""
    if walked.analysis is None:
        raise Missing("No fold had a winner to trade.")
    statistics, daily = walked.analysis.statistics, walked.analysis.daily
    numbers = {each: statistics.number(each) for each in ("sharpe", "skew", "kurtosis")}
    lacking = next((each for each, value in numbers.items() if value is None), None)
    if lacking is not None:
        raise Missing(statistics.missing.get(lacking, f"{lacking} is not known."))
    family = walked.steps[-1].chosen.in_family
    return deflated_sharpe(
        (numbers["sharpe"] or 0.0) / math.sqrt(daily.periods_a_year),
        days=len(daily),
        skew=numbers["skew"] or 0.0,
        kurtosis=numbers["kurtosis"] or 0.0,
        trials=family.trials,
        spread_of_trials=family.spread,
    )


def _curve(walked: WalkForward) -> Curve | None:
    if walked.result is None:
        return None
    count = len(walked.result.starts)
    rows = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.int64))
    return Curve(
        ts=[_iso(int(start)) for start in walked.result.starts[rows]], equity=walked.result.equity[rows].tolist()
    )


def _figures(statistics: Statistics) -> Figures:
    values = {
        name: value for name, value in statistics.values.items() if not isinstance(value, float) or math.isfinite(value)
    }
    return Figures(values=values, missing=dict(statistics.missing))


def _finite_only(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _iso(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
