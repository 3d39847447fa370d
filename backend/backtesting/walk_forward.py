"""Walking forward: parameters are chosen on one window, traded on the next, and the windows move on.

What comes out is what somebody would have had who chose again and again, knowing only the past. Between choosing and
trading some bars may be left out, so that nothing reaches from one into the other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.backtesting.analysis import Analysis
from backend.backtesting.course import Course
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.result import Result
from backend.backtesting.space import ParameterSpace, Value
from backend.backtesting.stitching import stitched
from backend.backtesting.sweep import never, silent, sweep, untold
from backend.backtesting.trials import Best, Trial, trials_of
from backend.backtesting.trying import Cancelled, Report, Told, Trier
from backend.domain.optimisation_errors import CannotWalkForward
from backend.domain.strategies.base import StrategyParameters
from backend.domain.trading.statistics import Missing, Sheet, Statistics

_FEWEST_BARS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Window:
    """Bars to choose on and bars to trade, by their places: from one up to, not including, the other."""

    train: tuple[int, int]
    test: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One window: what was tried on it, and what its winner did afterwards."""

    window: Window
    train: tuple[int, int]  # when, in microseconds since 1970
    test: tuple[int, int]
    chosen: Optimisation
    traded: Trial | None  # the winner on the bars after; None when nothing could be ranked
    value: float | None  # of the objective there


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How much the choice of one parameter moved from window to window."""

    values: tuple[Value, ...]
    distinct: int
    spread: float | None  # from the lowest to the highest choice, as a share of the range; None for words


@dataclass(frozen=True, kw_only=True, eq=False)
class WalkForward:
    """All windows, and the account that traded the winners one after the other."""

    strategy: str
    symbol: str
    objective: Objective
    purge: int
    anchored: bool
    steps: tuple[Step, ...]
    windows: int  # that were planned
    unused: int  # bars at the end that no window reached
    is_cancelled: bool
    result: Result | None  # out of sample alone; None when no window had a winner
    analysis: Analysis | None
    stability: Mapping[str, Stability]

    @property
    def trials(self) -> int:
        return sum(len(step.chosen.trials) for step in self.steps)

    @property
    def judgement(self) -> Statistics:
        """Out of sample against in sample, in the mean of the windows."""
        sheet = Sheet()
        sheet.put("windows", lambda: len(self.steps))
        sheet.put("trials", lambda: self.trials)
        sheet.put("in_sample", lambda: _mean(self._inside()))
        sheet.put("out_of_sample", lambda: _mean(self._outside()))
        sheet.put("efficiency", lambda: _efficiency(self._inside(), self._outside()))
        sheet.put("return_efficiency", lambda: _efficiency(*self._yearly()))
        sheet.put("profitable_windows", self._profitable)
        return sheet.done()

    def _inside(self) -> list[float]:
        return [step.chosen.value(step.chosen.winner) for step in self._known() if step.chosen.winner is not None]

    def _outside(self) -> list[float]:
        return [step.value for step in self._known() if step.value is not None]

    def _known(self) -> list[Step]:
        """Windows that have both sides, so that like is compared with like."""
        return [step for step in self.steps if step.chosen.winner is not None and step.value is not None]

    def _yearly(self) -> tuple[list[float], list[float]]:
        pairs = [
            (step.chosen.winner.metrics["cagr"], step.traded.metrics["cagr"])
            for step in self._known()
            if step.chosen.winner is not None and step.traded is not None
            if "cagr" in step.chosen.winner.metrics and "cagr" in step.traded.metrics
        ]
        return [inside for inside, _ in pairs], [outside for _, outside in pairs]

    def _profitable(self) -> float:
        traded = [step.traded.metrics["total_return"] > 0 for step in self.steps if step.traded is not None]
        return _mean([float(each) for each in traded])

    def document(self) -> dict[str, Any]:
        """For a file or a report."""
        return {
            "objective": self.objective.name,
            "anchored": self.anchored,
            "purge": self.purge,
            "windows": self.windows,
            "unused_bars": self.unused,
            "is_cancelled": self.is_cancelled,
            "judgement": {"values": dict(self.judgement.values), "missing": dict(self.judgement.missing)},
            "stability": {
                name: {"values": list(each.values), "distinct": each.distinct, "spread": each.spread}
                for name, each in self.stability.items()
            },
            "steps": [
                {
                    "train": list(step.train),
                    "test": list(step.test),
                    "chosen": step.chosen.document(best=5),
                    "traded": None if step.traded is None else dict(step.traded.metrics),
                    "value": step.value,
                }
                for step in self.steps
            ],
            "statistics": None if self.analysis is None else dict(self.analysis.statistics.values),
        }


def count_windows(bars: int, *, train: int, test: int, purge: int = 0) -> int:
    """How many `plan` would make, without making them: a stranger may ask for millions."""
    left = bars - train - purge - (test + 1) // 2
    return 0 if left < 0 else left // test + 1


def plan(bars: int, *, train: int, test: int, purge: int = 0, anchored: bool = False) -> tuple[Window, ...]:
    """Windows that follow each other without a gap between what is traded. Raises CannotWalkForward.

    A last window is shorter where at least half of it is left.
    """
    for name, value, least in (("train", train, _FEWEST_BARS), ("test", test, _FEWEST_BARS), ("purge", purge, 0)):
        if value < least:
            raise CannotWalkForward(f"{name} is {value:,} bars; at least {least} are needed.")
    windows = []
    begin = 0
    while (first := begin + train + purge) + (test + 1) // 2 <= bars:
        windows.append(Window(train=(0 if anchored else begin, begin + train), test=(first, min(first + test, bars))))
        begin += test
    if not windows:
        raise CannotWalkForward(
            f"One window needs {train:,} bars to choose on, {purge:,} between and {test:,} to trade,"
            f" {train + purge + test:,} in all; there are {bars:,}. Choose shorter windows or a longer range."
        )
    return tuple(windows)


def walk_forward(
    course: Course,
    space: ParameterSpace,
    objective: Objective,
    *,
    train: int,
    test: int,
    purge: int = 0,
    anchored: bool = False,
    draw: int | None = None,
    seed: int = 0,
    ledger: Ledger | None = None,
    workers: int | None = None,
    report: Report = silent,
    told: Told = untold,
    is_cancelled: Cancelled = never,
) -> WalkForward:
    """Sweep each window and trade its winner on the bars after it. Cancelled, it returns the windows it has."""
    timeline = course.timeline
    windows = plan(len(timeline), train=train, test=test, purge=purge, anchored=anchored)
    steps: list[Step] = []
    for number, window in enumerate(windows):

        def inside(stage: str, percent: float | None, message: str, number: int = number) -> None:
            done = 100.0 * (number + (percent or 0.0) / 100.0) / len(windows)
            report(stage, done, f"Window {number + 1} of {len(windows)}: {message}")

        def counted(done: int, of: int, best: Best | None, number: int = number) -> None:
            told(number * of + done, len(windows) * of, best)

        chosen = sweep(
            course.between(*_span(timeline, window.train)),
            space,
            objective,
            draw=draw,
            seed=seed,
            ledger=ledger,
            workers=workers,
            report=inside,
            told=counted,
            is_cancelled=is_cancelled,
        )
        if chosen.is_cancelled:
            break
        steps.append(_step(course, space, objective, timeline, window, chosen))
    return _walked(course, space, objective, timeline, windows, steps, purge=purge, anchored=anchored)


def _walked(
    course: Course,
    space: ParameterSpace,
    objective: Objective,
    timeline: npt.NDArray[np.int64],
    windows: Sequence[Window],
    steps: Sequence[Step],
    *,
    purge: int,
    anchored: bool,
) -> WalkForward:
    result = stitched(course, [(step.test, _parameters(space, step.chosen)) for step in steps])
    return WalkForward(
        strategy=course.strategy.name,
        symbol=course.symbol,
        objective=objective,
        purge=purge,
        anchored=anchored,
        steps=tuple(steps),
        windows=len(windows),
        unused=len(timeline) - windows[-1].test[1],
        is_cancelled=len(steps) < len(windows),
        result=result,
        analysis=None if result is None else course.analyse(result),
        stability={name: _stability(space, name, steps) for name in space.names},
    )


def _step(
    course: Course,
    space: ParameterSpace,
    objective: Objective,
    timeline: npt.NDArray[np.int64],
    window: Window,
    chosen: Optimisation,
) -> Step:
    test = _span(timeline, window.test)
    parameters = _parameters(space, chosen)
    traded, value = None, None
    if parameters is not None and chosen.winner is not None:
        traded, value = _trade(course.between(*test), objective, chosen, parameters)
    return Step(
        window=window, train=_span(timeline, window.train), test=test, chosen=chosen, traded=traded, value=value
    )


def _trade(
    course: Course, objective: Objective, chosen: Optimisation, parameters: StrategyParameters
) -> tuple[Trial, float | None]:
    """The winner on bars that it was not chosen on."""
    winner = chosen.winner
    assert winner is not None  # noqa: S101  # for mypy: whoever calls has looked
    batch = Trier(course).run([(chosen.trials.combinations[winner.number], parameters)])
    value = float(Objective(name=objective.name).values(batch.values)[0])
    return trials_of(chosen.trials.names, batch)[0], value if math.isfinite(value) else None


def _parameters(space: ParameterSpace, chosen: Optimisation) -> StrategyParameters | None:
    if chosen.winner is None:
        return None
    found = space.parameters(chosen.trials.combinations[chosen.winner.number])
    return None if isinstance(found, str) else found


def _span(timeline: npt.NDArray[np.int64], places: tuple[int, int]) -> tuple[int, int]:
    """From the start of a bar up to the start of the one behind the last."""
    first, behind = places
    until = int(timeline[behind]) if behind < len(timeline) else int(timeline[-1]) + 1
    return int(timeline[first]), until


def _stability(space: ParameterSpace, name: str, steps: Sequence[Step]) -> Stability:
    values = tuple(step.chosen.winner.parameters[name] for step in steps if step.chosen.winner is not None)
    spread = None
    numbers = [float(value) for value in values if type(value) in (int, float)]
    width = space.values[name]
    if numbers and len(numbers) == len(values) and len(width) > 1:
        spread = (max(numbers) - min(numbers)) / (float(width[-1]) - float(width[0]))
    return Stability(values=values, distinct=len(set(values)), spread=spread)


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise Missing("No window has a winner with this figure both in and out of sample.")
    return float(np.mean(values))


def _efficiency(inside: Sequence[float], outside: Sequence[float]) -> float:
    """How much of what was found in sample was left out of sample."""
    found = _mean(inside)
    if found <= 0:
        raise Missing(f"In sample the mean is {found:.3g}: there was nothing to keep.")
    return _mean(outside) / found
