"""Numbers as whole ticks, and what is left of them: the way there and back loses no bit, or is not taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_DECIMALS = 10
_MOST_TICKS = 2.0**46  # beyond it any float looks like ticks and a rest
_MOST_ULPS = 3  # what two or three roundings leave
_MOST_FINER_DECIMALS = 6
_SAMPLE = 500

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Decimals:
    """All numbers are whole ticks of so many decimals, and most are of so many."""

    all: int
    most: int

    def __str__(self) -> str:
        return f"in 1e{-self.all}" + (f", most in 1e{-self.most}" if self.most != self.all else "")

    @property
    def ticks_a_step(self) -> float:
        return 10.0 ** (self.all - self.most)


@dataclass(frozen=True, kw_only=True)
class Ticks:
    """Numbers as steps that most of them are whole of, ticks beyond, and units in the last place off the tick."""

    decimals: Decimals
    steps: Floats
    rests: Floats | None
    ulps: Integers | None

    @classmethod
    def of(cls, values: Floats) -> "Ticks | None":
        """None where there is no tick, or one so small that anything would have it."""
        if not np.isfinite(values).all():
            return None
        sample = values[:, :: max(1, values.shape[1] // _SAMPLE)]
        for decimals in range(_MOST_DECIMALS + 1):
            if (part := _in_ticks(sample, decimals)) and (found := _in_ticks(values, decimals)):
                return cls._of(*found, Decimals(all=decimals, most=_most_decimals(part[0], decimals)))
        return None

    @classmethod
    def _of(cls, ticks: Floats, ulps: Integers | None, decimals: Decimals) -> "Ticks":
        if decimals.most == decimals.all:
            return cls(decimals=decimals, steps=ticks, rests=None, ulps=ulps)
        steps = np.floor(ticks / decimals.ticks_a_step)
        rests = ticks - steps * decimals.ticks_a_step
        return cls(decimals=decimals, steps=steps, rests=rests if rests.any() else None, ulps=ulps)


def from_steps(
    into: Floats,
    steps: Sequence[npt.NDArray[Any]],
    decimals: Decimals,
    *,
    rests: Sequence[npt.NDArray[Any] | None],
    ulps: Sequence[npt.NDArray[Any] | None],
) -> None:
    """The way back: the numbers themselves, a row for each kind."""
    for row, step, rest, off in zip(into, steps, rests, ulps, strict=True):
        if decimals.most == decimals.all:
            np.divide(step, 10.0**decimals.all, out=row)
        else:
            np.multiply(step, decimals.ticks_a_step, out=row)
            if rest is not None:
                np.add(row, rest, out=row)
            np.divide(row, 10.0**decimals.all, out=row)
        if off is not None:
            last_places = row.view(np.int64)
            np.add(last_places, off, out=last_places)


def _in_ticks(values: Floats, decimals: int) -> tuple[Floats, Integers | None] | None:
    """The numbers as whole ticks and by how many units in the last place each misses its tick, unless too many."""
    scale = 10.0**decimals
    if max(float(values.max(initial=0)), -float(values.min(initial=0))) * scale >= _MOST_TICKS:
        return None
    ticks = np.rint(values * scale) + 0.0  # no integer is -0.0
    ulps = values.view(np.int64) - (ticks / scale).view(np.int64)
    if not ulps.any():
        return ticks, None
    return (ticks, ulps) if ulps.max() <= _MOST_ULPS and ulps.min() >= -_MOST_ULPS else None


def _most_decimals(ticks: Floats, decimals: int) -> int:
    """With how few decimals three of four are whole: cents, where some prices have hundredths of them."""
    most = decimals
    while most > decimals - _MOST_FINER_DECIMALS and np.mean(ticks % 10.0 ** (decimals - most + 1) == 0) >= 0.75:
        most -= 1
    return most
