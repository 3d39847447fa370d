"""Trials as they are kept: parameters, the fixed set of figures, and what is needed to judge how much was tried."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.backtesting.measures import METRICS, REASONS, THERE, Codes
from backend.backtesting.overfitting import BLOCKS, BlockSums
from backend.backtesting.space import Combination, Value

Floats = npt.NDArray[np.float64]

# So many trials are compared block by block, drawn by lot where there are more: every half costs one look at each.
MOST_COMPARED: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of parameters and what came of it."""

    number: int
    parameters: Mapping[str, Value]
    metrics: Mapping[str, float]
    missing: Mapping[str, str]  # why a metric is not there
    failure: str | None = None  # what stopped it


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best so far, while more are tried."""

    parameters: Mapping[str, Value]
    value: float  # of the objective


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some trials, just run: a row each."""

    combinations: Sequence[Combination]
    values: Floats
    why: Codes
    sums: Floats
    squares: Floats
    failures: Mapping[int, Exception]  # by row


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """All trials of a run, in the order in which they were tried. About 300 bytes each, however many bars there are."""

    names: tuple[str, ...]
    combinations: Sequence[Combination]
    metrics: Floats  # (trials, METRICS); NaN where one is missing
    why: Codes
    failures: Mapping[int, Exception]
    # Of the trials that are compared for overfitting.
    compared: tuple[int, ...]
    blocks: BlockSums | None

    def __len__(self) -> int:
        return len(self.combinations)

    def __getitem__(self, number: int) -> Trial:
        values, why = self.metrics[number], self.why[number]
        failure = self.failures.get(number)
        return Trial(
            number=number,
            parameters=dict(zip(self.names, self.combinations[number], strict=True)),
            metrics={
                name: float(value) for name, value, code in zip(METRICS, values, why, strict=True) if code == THERE
            },
            missing={name: REASONS[int(code)] for name, code in zip(METRICS, why, strict=True) if code != THERE},
            failure=None if failure is None else str(failure),
        )

    def __iter__(self) -> Iterator[Trial]:
        return (self[number] for number in range(len(self)))

    def metric(self, name: str) -> Floats:
        """Of all trials, NaN where it is missing."""
        column: Floats = self.metrics[:, METRICS.index(name)]
        return column


def trials_of(names: tuple[str, ...], batch: Batch) -> Trials:
    """Those of one batch by themselves."""
    return Trials(
        names=names,
        combinations=batch.combinations,
        metrics=batch.values,
        why=batch.why,
        failures=batch.failures,
        compared=(),
        blocks=None,
    )


@dataclass(kw_only=True, eq=False)
class Collector:
    """Trials while they come in. Which of many are compared block by block is drawn by lot, the same for a seed."""

    names: tuple[str, ...]
    block_days: Floats  # how many days each block has; empty = too few to compare
    seed: int
    combinations: list[Combination] = field(default_factory=list)
    failures: dict[int, Exception] = field(default_factory=dict)
    _metrics: list[Floats] = field(default_factory=list)
    _why: list[Codes] = field(default_factory=list)
    _compared: list[int] = field(default_factory=list)
    _sums: list[Floats] = field(default_factory=list)
    _squares: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311  # a lot, not a secret

    def __len__(self) -> int:
        return len(self.combinations)

    def add(self, batch: Batch) -> None:
        before = len(self.combinations)
        for row in range(len(batch.combinations)):
            if row not in batch.failures:
                self._draw(before + row, batch.sums[row], batch.squares[row])
        self.combinations.extend(batch.combinations)
        self.failures.update({before + row: problem for row, problem in batch.failures.items()})
        self._metrics.append(batch.values)
        self._why.append(batch.why)

    def done(self) -> Trials:
        width = len(METRICS)
        return Trials(
            names=self.names,
            combinations=self.combinations,
            metrics=np.concatenate(self._metrics) if self._metrics else np.empty((0, width)),
            why=np.concatenate(self._why) if self._why else np.empty((0, width), np.int8),
            failures=self.failures,
            compared=tuple(self._compared),
            blocks=self._blocks(),
        )

    def _draw(self, number: int, sums: Floats, squares: Floats) -> None:
        """Every trial has the same chance to be among those that stay (Vitter's algorithm R)."""
        if len(self._compared) < MOST_COMPARED:
            place = len(self._compared)
            self._compared.append(number)
            self._sums.append(sums.copy())
            self._squares.append(squares.copy())
            return
        place = self._dice.randrange(number + 1)
        if place < MOST_COMPARED:
            self._compared[place], self._sums[place], self._squares[place] = number, sums.copy(), squares.copy()

    def _blocks(self) -> BlockSums | None:
        if len(self._compared) < 2 or not len(self.block_days):
            return None
        return BlockSums(days=self.block_days, sums=np.array(self._sums).T, squares=np.array(self._squares).T)


def edges_of(days: int, blocks: int = BLOCKS) -> npt.NDArray[np.int64]:
    """Where blocks of days begin, as BlockSums.of cuts them; empty when there are fewer than two days for each."""
    if days < 2 * blocks:
        return np.empty(0, np.int64)
    return np.linspace(0, days, blocks + 1).astype(np.int64)
