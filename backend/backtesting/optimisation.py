"""What a sweep or a search found: the winner beside the median, and how much of it may be luck."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from backend.backtesting.ledger import Family
from backend.backtesting.objectives import Objective
from backend.backtesting.overfitting import Overfitting, overfitting
from backend.backtesting.space import ParameterSpace, Value
from backend.backtesting.trials import Trial, Trials
from backend.backtesting.wording import kind_of, written
from backend.domain import format as say
from backend.domain.errors import InputError
from backend.domain.optimisation_errors import InvalidSpace
from backend.domain.trading.evidence import deflated_sharpe, spread_of
from backend.domain.trading.statistics import Missing, Sheet, Statistics

Found = TypeVar("Found")
Floats = npt.NDArray[np.float64]

# A probability of overfitting above this is what a coin would do.
_COIN: Final = 0.5
_SURE: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class FamilyCount:
    """How much was tried in the family so far, these trials included, and how its daily Sharpe ratios spread."""

    trials: int
    spread: float


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatMap:
    """The objective over two parameters, the best or the median over all others."""

    x: str
    y: str
    columns: tuple[Value, ...]
    rows: tuple[Value, ...]
    values: Floats  # (rows, columns); NaN where nothing was tried or nothing could be ranked
    how: str


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """What lies around the winner: one value away in each parameter."""

    mean: float
    tried: int
    is_lone_peak: bool  # it is nearer to the median of all than to the winner


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimisation:
    """All trials of one run, and what they say together."""

    method: str  # "grid", "random" or "tpe"
    family: Family
    space: ParameterSpace
    objective: Objective
    seed: int
    trials: Trials
    skipped: int  # combinations that the strategy does not take
    skipped_why: str | None  # what it says of the first
    is_cancelled: bool
    days: int
    periods_a_year: float
    in_family: FamilyCount

    @cached_property
    def scores(self) -> Floats:
        return self.objective.scores(self.trials.metrics)

    @cached_property
    def values(self) -> Floats:
        """The objective of every trial, NaN where it cannot be ranked."""
        return self.objective.values(self.trials.metrics)

    @property
    def ranked(self) -> int:
        """How many trials could be ranked."""
        return int(np.isfinite(self.scores).sum())

    @cached_property
    def winner(self) -> Trial | None:
        """The best; of equals the first."""
        return self.trials[int(self.scores.argmax())] if self.ranked else None

    @cached_property
    def median(self) -> Trial | None:
        """The trial in the middle: what one would have got without choosing."""
        if not self.ranked:
            return None
        order = np.argsort(-self.scores, kind="stable")[: self.ranked]
        return self.trials[int(order[self.ranked // 2])]

    def value(self, trial: Trial) -> float:
        return float(self.values[trial.number])

    def best(self, count: int) -> tuple[Trial, ...]:
        """The first of the ranking; those that cannot be ranked come last."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return tuple(self.trials[int(number)] for number in order)

    def why_not(self, trial: Trial) -> str | None:
        """Why a trial cannot be ranked; nothing when it can."""
        if trial.failure is not None:
            return trial.failure
        return self.objective.why_not(self.trials.metrics[trial.number], self.trials.why[trial.number])

    @cached_property
    def judgement(self) -> Statistics:
        """The winner beside the median, with what says how far to believe it. What cannot be computed has a reason."""
        sheet = Sheet()
        sheet.put("trials", lambda: len(self.trials))
        sheet.put("trials_in_family", lambda: self.in_family.trials)
        sheet.put("winner", lambda: self.value(_there(self.winner)))
        sheet.put("median", lambda: float(np.median(self.values[np.isfinite(self.scores)])) if self.ranked else _none())
        sheet.put("overfitting", lambda: self._overfitting.probability)
        sheet.put("deflated_sharpe", self._deflated_sharpe)
        sheet.put("neighbourhood", lambda: self._neighbourhood.mean)
        return sheet.done()

    @cached_property
    def overfitting(self) -> Overfitting | None:
        """By halves of the history; None where the judgement says why not."""
        return _or_none(lambda: self._overfitting)

    @cached_property
    def neighbourhood(self) -> Neighbourhood | None:
        return _or_none(lambda: self._neighbourhood)

    def heat(self, x: str, y: str, *, how: Literal["best", "median"] = "best") -> HeatMap:
        """A table of the objective for two of the parameters. Raises InvalidSpace for one that was not tried."""
        for axis, name in (("x", x), ("y", y)):
            if name not in self.space.names:
                tried = ", ".join(self.space.names)
                detail = f"{name[:60]} was not tried. These were: {tried}."
                raise InvalidSpace(self.family.strategy, [InputError(pointer=f"/{axis}", detail=detail)])
        columns, rows = self.space.values[x], self.space.values[y]
        cells: dict[tuple[Value, Value], list[float]] = {}
        at_x, at_y = self.space.names.index(x), self.space.names.index(y)
        for combination, score in zip(self.trials.combinations, self.scores, strict=True):
            if math.isfinite(score):
                cells.setdefault((combination[at_y], combination[at_x]), []).append(float(score))
        choose = max if how == "best" else np.median
        sign = 1.0 if self.objective.more_is_better else -1.0
        table = np.array(
            [
                [sign * float(choose(cells[row, column])) if (row, column) in cells else np.nan for column in columns]
                for row in rows
            ]
        )
        return HeatMap(x=x, y=y, columns=columns, rows=rows, values=table, how=how)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before the winner is believed."""
        return tuple(self._warnings())

    def document(self, *, best: int = 20) -> dict[str, Any]:
        """For a file or a report: numbers, words and lists alone."""
        return {
            "method": self.method,
            "strategy": self.family.strategy,
            "symbol": self.family.symbol,
            "objective": self.objective.name,
            "least_trades": self.objective.least_trades,
            "seed": self.seed,
            "space": {name: list(values) for name, values in self.space.values.items()},
            "fixed": dict(self.space.fixed),
            "combinations": self.space.combinations,
            "skipped": self.skipped,
            "ranked": self.ranked,
            "is_cancelled": self.is_cancelled,
            "judgement": {"values": dict(self.judgement.values), "missing": dict(self.judgement.missing)},
            "winner": self._row(self.winner),
            "median": self._row(self.median),
            "best": [self._row(trial) for trial in self.best(best)],
            "warnings": list(self.warnings),
        }

    def _row(self, trial: Trial | None) -> dict[str, Any] | None:
        if trial is None:
            return None
        return {
            "number": trial.number,
            "parameters": dict(trial.parameters),
            "metrics": dict(trial.metrics),
            "missing": dict(trial.missing),
            "failure": trial.failure,
        }

    def _warnings(self) -> Any:
        found = self.judgement.values
        if self.is_cancelled:
            total = self.space.combinations if self.method == "grid" else None
            of = f" of {total:,}" if total else ""
            yield f"It was cancelled after {len(self.trials):,}{of} trials: this is a part of the result."
        if self.winner is None:
            reason = self.why_not(self.trials[0]) if len(self.trials) else "Nothing was tried."
            yield f"None of {len(self.trials):,} trials can be ranked by {self.objective.name}. Of the first: {reason}"
            return
        probability = self.overfitting.probability if self.overfitting else 0.0
        if probability >= _COIN:
            yield (
                "The best of one half of the history was below the median of the other half in"
                f" {say.percent(probability, 0)} of the ways to split it: choosing did not help."
            )
        if found.get("deflated_sharpe", 1.0) < _SURE:  # type: ignore[operator]  # it is a number
            yield (
                f"After {self.in_family.trials:,} trials in this family, the winner's Sharpe ratio is more than luck"
                f" with a probability of {say.percent(found['deflated_sharpe'], 0)}."
            )
        around = self.neighbourhood
        if around is not None and around.is_lone_peak:
            few = "only neighbour" if around.tried == 1 else f"{around.tried} neighbours on average"
            best, mean, median = map(self._said, (self.value(self.winner), around.mean, self.judgement_median))
            yield f"A lone peak: the winner has {best}, its {few} {mean}, and the median of all is {median}."

    def _said(self, value: float) -> str:
        """As every page writes the objective."""
        return written(value, kind_of(self.objective.name), "")

    @cached_property
    def _overfitting(self) -> Overfitting:
        if self.trials.blocks is None:
            raise Missing(
                f"Overfitting needs at least 2 trials and 32 days; there are {len(self.trials):,} and {self.days:,}."
            )
        return overfitting(self.trials.blocks)

    def _deflated_sharpe(self) -> float:
        """That the winner's ratio is real, although so many were tried in its family."""
        metrics = _there(self.winner).metrics
        if "sharpe" not in metrics or "skew" not in metrics or "kurtosis" not in metrics:
            lacking = _there(self.winner).missing
            raise Missing(next(lacking[name] for name in ("sharpe", "skew", "kurtosis") if name in lacking))
        return deflated_sharpe(
            metrics["sharpe"] / math.sqrt(self.periods_a_year),
            days=self.days,
            skew=metrics["skew"],
            kurtosis=metrics["kurtosis"],
            trials=self.in_family.trials,
            spread_of_trials=self.in_family.spread,
        )

    @cached_property
    def _neighbourhood(self) -> Neighbourhood:
        winner = _there(self.winner)
        chosen = self.trials.combinations[winner.number]
        tried = self.space.neighbours(chosen, self.trials.combinations)
        values = self.values[[at for at in tried if math.isfinite(self.scores[at])]] if tried else np.empty(0)
        if not len(values):
            many = self.space.count_neighbours(chosen)
            raise Missing(f"None of the winner's {many:,} neighbours was tried and could be ranked.")
        mean, best, median = float(values.mean()), self.value(winner), float(self.judgement_median)
        return Neighbourhood(mean=mean, tried=len(values), is_lone_peak=abs(best - mean) > abs(mean - median))

    @property
    def judgement_median(self) -> float:
        return float(np.median(self.values[np.isfinite(self.scores)]))


def family_count(trials: Trials, periods_a_year: float, days: int) -> FamilyCount:
    """Of these trials alone, where no ledger is kept."""
    daily = trials.metric("sharpe") / math.sqrt(periods_a_year)
    return FamilyCount(trials=max(len(trials), 1), spread=spread_of(daily * math.sqrt(days), days=max(days, 2)))


def _there(trial: Trial | None) -> Trial:
    return _none() if trial is None else trial


def _none() -> Any:
    raise Missing("No trial could be ranked.")


def _or_none(compute: Callable[[], Found]) -> Found | None:
    try:
        return compute()
    except Missing:
        return None
