"""How far a figure of predictions can be believed when their horizons overlap: from histories that could have been.

A circular block bootstrap (Politis and Romano, 1992): blocks are several horizons long, since within one horizon all
outcomes share their bars. The spread of the figure over the drawn histories gives its interval, by Student's t for as
many values as there are blocks; ends of so few draws would themselves be luck.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.lots import bits_of, next_state
from backend.domain.ml.forecaster import Floats

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEVEL: Final = 0.95
DRAWS: Final = 200
# For what stands beside: half the work, and a width that is right to a fourteenth.
FEW_DRAWS: Final = 100
HORIZONS_A_BLOCK: Final = 4
# A history of fewer blocks says nothing of how they vary.
_FEWEST_BLOCKS: Final = 8
_NORMAL: Final = NormalDist()


class Interval(NamedTuple):
    """A figure, and between which values it lies. Not a number where it is not known."""

    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        return all(math.isfinite(each) for each in self)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def document(self) -> dict[str, Any]:
        return {"value": plain(self.value), "low": plain(self.low), "high": plain(self.high)}


class Ranked(NamedTuple):
    """Rows from the lowest score to the highest; the places where another score begins, and the number of rows."""

    order: Ints
    groups: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Drawn histories of so many rows: where each block begins. They wrap around at the end; the last one is cut."""

    rows: int
    horizon: int
    length: int
    starts: Ints  # one row a draw, one column a block

    @classmethod
    def of(cls, rows: int, horizon: int, *, seed: int, draws: int = DRAWS) -> "Blocks":
        """Long enough for overlapping outcomes, and enough of them where there are rows for it."""
        longest = max(rows // _FEWEST_BLOCKS, 1)
        length = min(max(HORIZONS_A_BLOCK * (horizon + 1), round(rows ** (1 / 3))), longest)
        count = math.ceil(rows / length) if rows else 0
        starts = _drawn_starts(max(rows, 1), draws, count, np.uint64(seed))
        return cls(rows=rows, horizon=horizon, length=length, starts=starts)

    @property
    def count(self) -> int:
        return int(self.starts.shape[1])

    def sums(self, columns: Floats) -> Floats:
        """Of each column in each drawn history: one row a draw."""
        return _drawn_sums(np.ascontiguousarray(columns), self.starts, self.length)

    def means(self, columns: Floats) -> Floats:
        return self.sums(columns) / max(self.rows, 1)

    def aucs(self, ranked: Ranked, labels: Flags) -> Floats:
        """Counted anew in each drawn history; NaN where it has one label only."""
        ends = np.zeros(len(labels), np.bool_)
        ends[ranked.groups[1:] - 1] = True
        return _drawn_aucs(ranked.order, ends, labels[ranked.order], self.starts, self.length)

    def interval(self, value: float, drawn: Floats, *, level: float = LEVEL, within: tuple[float, float]) -> Interval:
        """Around the value that was seen. `within` the values that the figure can have."""
        error = self.error(drawn)
        if not math.isfinite(value) or not math.isfinite(error):
            return Interval(value, math.nan, math.nan)
        away = student(level, self.count - 1) * error
        return Interval(value, max(value - away, within[0]), min(value + away, within[1]))

    def error(self, drawn: Floats) -> float:
        """The standard error of what was drawn. NaN where it is not known."""
        known = drawn[np.isfinite(drawn)]
        if len(known) < 2 or self.count < 2:
            return math.nan
        return float(known.std(ddof=1)) * self._cut_away

    @property
    def _cut_away(self) -> float:
        """Outcomes that overlap move together, the less the fewer bars they share. Blocks cut through them, and lose as
        much of the variance as this gives back; so does taking the mean of few blocks for the true one."""
        cut = max(1 - (self.horizon + 1) / (3 * self.length), 0.5)
        return math.sqrt(self.count / (self.count - 1) / cut)


def student(level: float, freedom: int) -> float:
    """How many deviations on each side hold this share, after Hill (1970): good to a thousandth from 3 degrees on."""
    z = _NORMAL.inv_cdf((1 + level) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))


def ranked(scores: Floats) -> Ranked:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(scores) else np.empty(0, np.int64)
    return Ranked(order, np.append(begins, len(scores)).astype(np.int64))


def ranks(of: Ranked) -> Floats:
    """From 1; equal scores share the middle of their places."""
    found = np.empty(len(of.order))
    middles = (of.groups[:-1] + of.groups[1:] + 1) / 2
    found[of.order] = np.repeat(middles, np.diff(of.groups))
    return found


def auc(of: Ranked, labels: Flags) -> float:
    """How often an up scores above a not-up; equal scores count half. NaN with one label only."""
    ups = int(labels.sum())
    pairs = ups * (len(labels) - ups)
    if not pairs:
        return math.nan
    return float((ranks(of)[labels].sum() - ups * (ups + 1) / 2) / pairs)


def plain(value: float) -> float | None:
    """As JSON has it. Six figures: what follows differs between machines."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


@compiled
def _drawn_starts(rows: int, draws: int, count: int, seed: np.uint64) -> Ints:
    starts = np.empty((draws, count), np.int64)
    state = seed
    for draw in range(draws):
        for block in range(count):
            state = next_state(state)
            starts[draw, block] = int(np.float64(bits_of(state) >> np.uint64(11)) / 9007199254740992.0 * rows)
    return starts


@compiled
def _drawn_sums(values: Floats, starts: Ints, length: int) -> Floats:
    """From the sums before each row, so that a block costs as much as a row."""
    rows, columns = values.shape
    before = np.zeros((rows + 1, columns))
    for row in range(rows):
        for column in range(columns):
            before[row + 1, column] = before[row, column] + values[row, column]
    draws, count = starts.shape
    sums = np.zeros((draws, columns))
    for draw in range(draws):
        for block in range(count):
            first = starts[draw, block]
            last = first + min(length, rows - block * length)
            wrapped = max(last - rows, 0)
            last -= wrapped
            for column in range(columns):
                sums[draw, column] += before[last, column] - before[first, column] + before[wrapped, column]
    return sums


@compiled
def _drawn_aucs(order: Ints, ends: Flags, ups: Flags, starts: Ints, length: int) -> Floats:
    """`ends` and `ups` are in the order of the scores. Whole numbers, without a branch that nobody can foresee."""
    rows, draws = len(order), len(starts)
    aucs = np.empty(draws)
    times = np.empty(rows + 1, np.int32)
    for draw in range(draws):
        _count_rows(starts[draw], length, rows, times)
        above, below, twice = 0, 0, 0
        more_above, more_below = 0, 0
        for place in range(rows):
            often = int(times[order[place]])
            is_up = int(ups[place])
            more_above += often * is_up
            more_below += often * (1 - is_up)
            if ends[place]:
                twice += more_above * (2 * below + more_below)
                above += more_above
                below += more_below
                more_above, more_below = 0, 0
        aucs[draw] = twice / (2.0 * above * below) if above > 0 and below > 0 else math.nan
    return aucs


@compiled
def _count_rows(starts: Ints, length: int, rows: int, times: npt.NDArray[np.int32]) -> None:
    """How often each row is drawn."""
    times[:] = 0
    for block in range(len(starts)):
        first = starts[block]
        last = first + min(length, rows - block * length)
        times[first] += 1
        if last <= rows:
            times[last] -= 1
        else:
            times[0] += 1
            times[last - rows] -= 1
    drawn = 0
    for row in range(rows):
        drawn += times[row]
        times[row] = drawn
