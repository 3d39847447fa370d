"""What trials of one strategy share: they say something on few bars, and may compute an indicator once for all of them.

A strategy that offers `turns` is asked for many parameters at once; any other is asked for each, and what it says is
gathered here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.signals import KEEP, PERCENTS, PRICES, Directions, Floats, Signals
from backend.domain.strategies.base import StrategyParameters
from backend.domain.strategies.market import Market

Firsts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Turns:
    """The bars at which each of several trials says something, and what. Of all other bars it says KEEP."""

    first: Firsts  # those of trial i are the rows from first[i] up to first[i + 1]
    rows: Rows  # the bars, rising within a trial
    direction: Directions
    columns: Mapping[str, Floats] = field(default_factory=dict)  # as in Signals

    def __len__(self) -> int:
        return len(self.first) - 1

    @classmethod
    def of(cls, several: Sequence[Signals]) -> Self:
        """Of signals that were made one trial after the other."""
        rows = [_spoken(signals) for signals in several]
        names = dict.fromkeys(name for signals in several for name in signals.columns)
        return cls(
            first=np.cumsum([0, *(len(each) for each in rows)], dtype=np.int64),
            rows=np.concatenate(rows),
            direction=np.concatenate([signals.direction[at] for signals, at in zip(several, rows, strict=True)]),
            columns={
                name: np.concatenate([_taken(signals, name, at) for signals, at in zip(several, rows, strict=True)])
                for name in names
            },
        )


@runtime_checkable
class SharesWork(Protocol):
    """A strategy class that answers for many parameters faster than for one after the other, and says the same."""

    @classmethod
    def turns(cls, market: Market, several: Sequence[StrategyParameters]) -> Turns:
        """Without the reasons, which no statistic needs."""


def _spoken(signals: Signals) -> Rows:
    rows = _not_kept(signals.direction)
    levels = [values for name in (*PRICES, *PERCENTS) if (values := getattr(signals, name)) is not None]
    if not levels:
        return rows
    says = signals.direction != KEEP
    for values in levels:
        says |= ~np.isnan(values)
    return np.flatnonzero(says).astype(np.int32)


def _taken(signals: Signals, name: str, rows: Rows) -> Floats:
    values: Floats | None = getattr(signals, name)
    return np.full(len(rows), np.nan) if values is None else values[rows]


@compiled
def _not_kept(direction: Directions) -> Rows:
    count = 0
    for row in range(len(direction)):
        count += direction[row] != KEEP
    rows = np.empty(count, np.int32)
    at = 0
    for row in range(len(direction)):
        if direction[row] != KEEP:
            rows[at] = row
            at += 1
    return rows
