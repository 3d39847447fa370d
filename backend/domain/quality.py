"""How good a series is: what is missing against its market's calendar, and which bars deserve a second look.

Nothing is repaired here. A gap can be fetched again; an outlier may well be true.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain import format as say
from backend.domain.bars import start_microseconds
from backend.domain.market import Span, Timeframe

MOST_NAMED = 500
# A return so many times the usual size of its neighbourhood, that is taken back at once: a bad tick more than news.
OUTLIER_TIMES = 12.0
_NEIGHBOURHOOD = 50
# As long a silence in a market that trades says that the source had nothing.
ZERO_VOLUME_RUN = 30
# Ratios that companies split by.
_SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0)
_SPLIT_SLACK = 0.03
_CELLS = {"day": "D", "week": "W-MON", "month": "MS", "quarter": "QS", "year": "YS"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Time in which bars were due and none are there."""

    span: Span
    bars: int


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A bar that deserves a look, or a run of them, and why, with numbers."""

    ts: pd.Timestamp
    end: pd.Timestamp  # of the last bar of it
    kind: str  # "outlier", "zero_volume", "split", "unexpected"
    detail: str


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What was found in one series. Counts are of everything, lists hold the first of it."""

    rows: int
    expected: int
    missing: int
    gaps: tuple[Gap, ...]
    gap_count: int
    suspects: tuple[Suspect, ...]
    suspect_count: int

    @property
    def completeness(self) -> float:
        """The share of the bars that were due; 1 when none were."""
        return 1.0 if self.expected == 0 else 1.0 - self.missing / self.expected


def inspect(bars: pd.DataFrame, expected: pd.DatetimeIndex, timeframe: Timeframe) -> Quality:
    """`expected` are the starts at which bars were due in the time that the series covers."""
    starts, due = start_microseconds(bars), _microseconds(expected)
    gaps = gaps_of(starts, due, timeframe)
    suspects = [
        *_outliers(bars, timeframe),
        *_silences(bars, timeframe),
        *_splits(bars, timeframe),
        *_unexpected(bars, starts, due, timeframe),
    ]
    suspects.sort(key=lambda suspect: suspect.ts)
    return Quality(
        rows=len(bars),
        expected=len(due),
        missing=sum(gap.bars for gap in gaps),
        gaps=tuple(gaps[:MOST_NAMED]),
        gap_count=len(gaps),
        suspects=tuple(suspects[:MOST_NAMED]),
        suspect_count=len(suspects),
    )


def gaps_of(starts: npt.NDArray[np.int64], due: npt.NDArray[np.int64], timeframe: Timeframe) -> list[Gap]:
    """Runs of due bars that are not there. A night or a weekend between two of them does not part a gap."""
    absent = np.flatnonzero(~np.isin(due, starts, assume_unique=True))
    if len(absent) == 0:
        return []
    begins = np.r_[True, np.diff(absent) > 1]
    first = absent[begins]
    last = absent[np.r_[begins[1:], True]]
    return [
        Gap(span=Span(start=_moment(due[one]), end=_moment(due[other]) + timeframe.length), bars=int(other - one + 1))
        for one, other in zip(first, last, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class CoverageCell:
    """One cell of the heat map: how many bars were due in it, and how many are there."""

    start: pd.Timestamp
    expected: int
    present: int


def coverage(
    bars: pd.DataFrame, expected: pd.DatetimeIndex, *, most_cells: int = 400
) -> tuple[list[CoverageCell], str]:
    """The series as cells of equal calendar length, with the name of that length: day, week, month, quarter or year."""
    starts, due = start_microseconds(bars), _microseconds(expected)
    if len(due) == 0 and len(starts) == 0:
        return [], "day"
    both = np.concatenate([due, starts])
    low, high = _moment(int(both.min())), _moment(int(both.max()))
    lengths = {
        name: pd.date_range(_floor(pd.Timestamp(low), frequency), pd.Timestamp(high), freq=frequency)
        for name, frequency in _CELLS.items()
    }
    name, edges = next((one for one in lengths.items() if len(one[1]) <= most_cells), ("year", lengths["year"]))
    cut = _microseconds(edges)
    counts = [np.bincount(np.searchsorted(cut, times, side="right") - 1, minlength=len(cut)) for times in (due, starts)]
    cells = [
        CoverageCell(start=edge, expected=int(wanted), present=int(there))
        for edge, wanted, there in zip(edges, *counts, strict=True)
    ]
    return cells, name


def _outliers(bars: pd.DataFrame, timeframe: Timeframe) -> list[Suspect]:
    """A jump far out of the ordinary of its neighbourhood that the next bar takes back."""
    close = bars["close"].to_numpy()
    if len(close) < _NEIGHBOURHOOD:
        return []
    moves = np.diff(np.log(close))
    usual = pd.Series(np.abs(moves)).rolling(2 * _NEIGHBOURHOOD + 1, center=True, min_periods=_NEIGHBOURHOOD // 2)
    size = np.maximum(usual.median().to_numpy(), 1e-6)
    jumps = np.abs(moves) > OUTLIER_TIMES * size
    taken_back = np.r_[np.abs(moves[:-1] + moves[1:]) < 0.25 * np.abs(moves[:-1]), False]
    return [
        Suspect(
            ts=bars["ts"].iloc[at + 1],
            end=bars["ts"].iloc[at + 1] + timeframe.length,
            kind="outlier",
            detail=f"The close moves by {say.change(float(moves[at]))},"
            f" {say.integer(float(abs(moves[at]) / size[at]))} times the usual, and the next bar takes it back.",
        )
        for at in np.flatnonzero(jumps & taken_back)
    ]


def _silences(bars: pd.DataFrame, timeframe: Timeframe) -> list[Suspect]:
    """Long runs without volume, in a series that has volume at all."""
    silent = bars["volume"].to_numpy() == 0
    if not len(silent) or silent.mean() > 0.5:
        return []
    edges = np.flatnonzero(np.diff(np.r_[False, silent, False].astype(np.int8)))
    return [
        Suspect(
            ts=bars["ts"].iloc[start],
            end=bars["ts"].iloc[end - 1] + timeframe.length,
            kind="zero_volume",
            detail=f"{end - start:,} bars in a row have no volume.",
        )
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= ZERO_VOLUME_RUN
    ]


def _splits(bars: pd.DataFrame, timeframe: Timeframe) -> list[Suspect]:
    """An open at a round fraction or multiple of the close before, after which prices stay there."""
    if timeframe.is_intraday or len(bars) < 3:
        return []
    close, opened = bars["close"].to_numpy(), bars["open"].to_numpy()
    ratio = close[:-1] / opened[1:]
    found = []
    for at in np.flatnonzero((ratio > 1.4) | (ratio < 1 / 1.4)):
        value = float(ratio[at])
        times = max(value, 1 / value)
        split = min(_SPLITS, key=lambda one: abs(one - times))
        stays = abs(close[at + 1] / opened[at + 1] - 1) < 0.2
        if abs(split / times - 1) < _SPLIT_SLACK and stays:
            way = f"{split:g} for 1" if value > 1 else f"1 for {split:g}"
            found.append(
                Suspect(
                    ts=bars["ts"].iloc[at + 1],
                    end=bars["ts"].iloc[at + 1] + timeframe.length,
                    kind="split",
                    detail=f"It opens at {opened[at + 1]:g} after a close of {close[at]:g}: a split of {way}?",
                )
            )
    return found


def _unexpected(
    bars: pd.DataFrame, starts: npt.NDArray[np.int64], due: npt.NDArray[np.int64], timeframe: Timeframe
) -> list[Suspect]:
    """Bars at times at which the market is closed. Too many of them mean another calendar, not bad bars."""
    if len(due) == 0:
        return []
    strange = np.flatnonzero(~np.isin(starts, due, assume_unique=True))
    return [
        Suspect(
            ts=bars["ts"].iloc[at],
            end=bars["ts"].iloc[at] + timeframe.length,
            kind="unexpected",
            detail="The market is closed at this time.",
        )
        for at in strange
    ]


def _floor(moment: pd.Timestamp, frequency: str) -> pd.Timestamp:
    day = moment.normalize()
    match frequency:
        case "D":
            return day
        case "W-MON":
            return day - pd.Timedelta(days=day.weekday())
        case "MS":
            return day.replace(day=1)
        case "QS":
            return day.replace(day=1, month=3 * ((day.month - 1) // 3) + 1)
    return day.replace(day=1, month=1)


def _microseconds(times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = times.as_unit("us").asi8
    return numbers


def _moment(microseconds: int) -> "pd.Timestamp":
    return pd.Timestamp(int(microseconds), unit="us", tz="UTC").to_pydatetime()
