"""Sweeps: every combination of a space, or as many as are drawn by lot."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from backend.backtesting.course import Course
from backend.backtesting.families import facts_of, family_of
from backend.backtesting.ledger import Entry, Family, Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import FamilyCount, Optimisation, family_count
from backend.backtesting.space import Combination, ParameterSpace
from backend.backtesting.trials import Batch, Best, Collector, Trials, trials_of
from backend.backtesting.trying import Cancelled, Report, Told, Trier, Wanted
from backend.domain.optimisation_errors import NothingToTry, TooManyTrials

MOST_TRIALS: Final = 1_000_000
# A lottery gives up after so many blanks for each trial that was asked for.
_BLANKS: Final = 100


def silent(stage: str, percent: float | None, message: str) -> None:
    """Progress that nobody asked for."""


def untold(done: int, of: int, best: Best | None) -> None:
    """The same in numbers."""


def never() -> bool:
    return False


def sweep(
    course: Course,
    space: ParameterSpace,
    objective: Objective,
    *,
    draw: int | None = None,
    seed: int = 0,
    ledger: Ledger | None = None,
    workers: int | None = None,
    report: Report = silent,
    told: Told = untold,
    is_cancelled: Cancelled = never,
) -> Optimisation:
    """All combinations, or `draw` of them by lot. A cancelled sweep returns what it has, and says so.

    Raises NothingToTry, TooManyTrials, and what stopped the first trial when all of them were stopped.
    """
    asked = min(space.combinations, draw or space.combinations)
    if asked > MOST_TRIALS:
        raise TooManyTrials(combinations=asked, most=MOST_TRIALS)
    trier = Trier(course)
    run = Run(
        trier=trier, space=space, objective=objective, method="random" if draw else "grid", seed=seed, ledger=ledger
    )
    chosen = Chosen(space=space, order=_drawn(space, seed) if draw else iter(space), most=asked)
    report("trying", 0.0, f"{asked:,} combinations of {', '.join(space.names)}")
    batches = trier.in_order(chosen, workers=workers)
    for batch in batches:
        run.add(batch)
        seen = len(run.trials) + (chosen.skipped if draw is None else 0)
        report("trying", min(100.0 * seen / asked, 100.0), f"{len(run.trials):,} trials")
        told(min(seen, asked), asked, run.best)
        if is_cancelled():
            run.is_cancelled = True
            break
    batches.close()
    return run.done(chosen.skipped, chosen.why)


@dataclass(kw_only=True)
class Chosen:
    """Combinations that the strategy takes, up to so many; the others are counted, never tried."""

    space: ParameterSpace
    order: Iterator[Combination]
    most: int
    skipped: int = 0
    why: str | None = None

    def __iter__(self) -> Iterator[Wanted]:
        left, blanks = self.most, max(_BLANKS * self.most, 10_000)
        while left > 0 and self.skipped < blanks and (combination := next(self.order, None)) is not None:
            parameters = self.space.parameters(combination)
            if isinstance(parameters, str):
                self.skipped += 1
                self.why = self.why or parameters
            else:
                left -= 1
                yield combination, parameters


@dataclass(kw_only=True)
class Run:
    """One optimisation under way: what came in, and where it is written down."""

    trier: Trier
    space: ParameterSpace
    objective: Objective
    method: str
    seed: int
    ledger: Ledger | None = None
    is_cancelled: bool = False
    trials: Collector = field(init=False)
    best: Best | None = None
    _best_score: float = float("-inf")

    def __post_init__(self) -> None:
        self.trials = Collector(names=self.space.names, block_days=self.trier.block_days, seed=self.seed)
        self._about = facts_of(self.trier.course, method=self.method, seed=self.seed)
        self._defaults = self.space.strategy.Parameters().model_dump(mode="json")

    @property
    def family(self) -> Family:
        return family_of(self.trier.course)

    def add(self, batch: Batch) -> None:
        self.trials.add(batch)
        self._look_for_best(batch)
        if self.ledger is not None:
            first = len(self.trials) - len(batch.combinations)
            self.ledger.append(self.family, self._entries(batch, first))

    def _look_for_best(self, batch: Batch) -> None:
        scores = self.objective.scores(batch.values)
        row = int(scores.argmax())
        if scores[row] > self._best_score:
            self._best_score = float(scores[row])
            parameters = dict(zip(self.space.names, batch.combinations[row], strict=True))
            self.best = Best(parameters=parameters, value=float(self.objective.values(batch.values)[row]))

    def done(self, skipped: int, why: str | None) -> Optimisation:
        trials = self.trials.done()
        if not len(trials) and not self.is_cancelled:
            raise NothingToTry(self.family.strategy, skipped=skipped, why=why or "nothing.")
        if len(trials) and len(trials.failures) == len(trials):
            raise trials.failures[0]
        return Optimisation(
            method=self.method,
            family=self.family,
            space=self.space,
            objective=self.objective,
            seed=self.seed,
            trials=trials,
            skipped=skipped,
            skipped_why=why,
            is_cancelled=self.is_cancelled,
            days=self.trier.days,
            periods_a_year=self.trier.periods_a_year,
            in_family=self._in_family(trials),
        )

    def _in_family(self, trials: Trials) -> FamilyCount:
        if self.ledger is None:
            return family_count(trials, self.trier.periods_a_year, self.trier.days)
        size = self.ledger.size(self.family)
        return FamilyCount(trials=max(size.trials, 1), spread=size.spread(max(self.trier.days, 2)))

    def _entries(self, batch: Batch, first: int) -> Iterator[Entry]:
        yearly = self.trier.periods_a_year**0.5
        for trial in trials_of(self.space.names, batch):
            yield Entry(
                parameters={**self._defaults, **self.space.placed(trial.parameters)},
                metrics=trial.metrics,
                missing=trial.missing,
                failure=trial.failure,
                daily_sharpe=trial.metrics.get("sharpe", float("nan")) / yearly,
                days=self.trier.days,
                about={**self._about, "number": first + trial.number},
            )


def _drawn(space: ParameterSpace, seed: int) -> Iterator[Combination]:
    """All combinations in an order of chance, each once, without holding them."""
    dice, seen = random.Random(seed), set[int]()  # noqa: S311  # a lot, not a secret
    total = space.combinations
    while len(seen) < total and len(seen) * 2 < total:
        place = dice.randrange(total)
        if place not in seen:
            seen.add(place)
            yield space.at(place)
    rest = [place for place in range(total) if place not in seen] if len(seen) < total else []
    dice.shuffle(rest)
    yield from map(space.at, rest)
