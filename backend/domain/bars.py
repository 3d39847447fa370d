"""The bar frame: one row a bar, checked once where it enters, never repaired in silence."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.market import Timeframe
from backend.domain.market_errors import BadBars, BadRow
from backend.domain.periods import by_period

COLUMNS: Final = ("open", "high", "low", "close", "volume")
TS_DTYPE: Final = "datetime64[us, UTC]"
MOST_NAMED_ROWS = 20

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_EARLIEST: Final = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_EVER: Final = 2**62

_UTC = pd.DatetimeTZDtype("us", "UTC")


def check_bars(frame: pd.DataFrame, timeframe: Timeframe, calendar: str) -> pd.DataFrame:
    """The frame in its one form: `ts` in UTC, float64 columns, a plain index. Raises BadBars with the first bad rows.

    Takes what a person may have: other precision of time, integers, more columns. It sorts nothing and drops no row.
    """
    lacking = [name for name in ("ts", *COLUMNS) if name not in frame.columns]
    if lacking:
        raise BadBars(
            [BadRow(position=0, reason=f"there is no column {', '.join(lacking)}")], count=len(frame), of=len(frame)
        )
    bars = pd.DataFrame({"ts": _as_utc(frame["ts"]), **{name: _as_floats(frame[name]) for name in COLUMNS}})
    bad = bad_rows(bars, timeframe, calendar)
    if bad.any():
        raise BadBars(describe_rows(bars, bad, timeframe, calendar), count=int(bad.sum()), of=len(bars))
    return bars


def bad_rows(bars: pd.DataFrame, timeframe: Timeframe, calendar: str, *, until: datetime | None = None) -> Mask:
    """Which rows break a rule. `until` is now, where it is not known that they are finished."""
    bad = np.zeros(len(bars), dtype=np.bool_)
    for _, breaks in _rules(timeframe, calendar, until):
        bad |= breaks(bars)
    return bad


def describe_rows(
    bars: pd.DataFrame, bad: Mask, timeframe: Timeframe, calendar: str, *, until: datetime | None = None
) -> list[BadRow]:
    """The first bad rows, each with the first rule that it breaks."""
    positions = np.flatnonzero(bad)[:MOST_NAMED_ROWS]
    rules = [(reason, breaks(bars)) for reason, breaks in _rules(timeframe, calendar, until)]
    rows = []
    for position in positions:
        reason = next(reason for reason, mask in rules if mask[position])
        ts = bars["ts"].iloc[position]
        rows.append(BadRow(position=int(position), reason=reason, ts=None if pd.isna(ts) else ts.isoformat()))
    return rows


def content_hash(bars: pd.DataFrame, timeframe: Timeframe, known: Mapping[int, str] = MappingProxyType({})) -> str:
    """The same for the same bars on every machine, whatever file they came from.

    It is made from the hashes of the calendar's periods; whoever knows that of a whole period saves its making.
    """
    starts = start_microseconds(bars)
    columns = [bars[name].to_numpy(np.float64) for name in COLUMNS]
    return joined_hash(
        known[period] if period in known else part_hash(starts[rows], [column[rows] for column in columns])
        for period, rows in by_period(starts, timeframe)
    )


def joined_hash(parts: Iterable[str]) -> str:
    """The hash of bars, from those of their periods in order."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def part_hash(starts: npt.NDArray[np.int64], columns: Sequence[Floats]) -> str:
    """The hash of what there is of one period."""
    digest = hashlib.sha256(str(len(starts)).encode())
    digest.update(np.ascontiguousarray(starts, "<i8").data)
    for column in columns:
        digest.update(np.ascontiguousarray(column, "<f8").data)
    return digest.hexdigest()


def start_microseconds(bars: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The starts of the bars since 1970, without a copy."""
    starts: npt.NDArray[np.int64] = bars["ts"].to_numpy("datetime64[us]").view(np.int64)
    return starts


def frame_of(starts: npt.NDArray[np.int64], columns: Mapping[str, Floats]) -> pd.DataFrame:
    """A bar frame over arrays that are known to be bars, copied nowhere."""
    ts = pd.array(starts, dtype=_UTC, copy=False)
    return pd.DataFrame({"ts": ts, **{name: columns[name] for name in COLUMNS}}, copy=False)


def empty_bars() -> pd.DataFrame:
    return frame_of(np.empty(0, np.int64), {name: np.empty(0) for name in COLUMNS})


def derive(
    bars: pd.DataFrame,
    timeframe: Timeframe,
    *,
    starts: npt.NDArray[np.int64] | None = None,
    until: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Longer bars from shorter ones. A last bar that ends after `until` is unfinished and left out.

    `starts` says for each row when its longer bar begins, as the calendar of its market has it (`bar_starts`); rows
    with -1 are left out. Without it the market always trades.
    """
    length = timeframe.seconds * 1_000_000
    if starts is None:
        origin = int(timeframe.origin.timestamp()) * 1_000_000
        starts = start_microseconds(bars) - (start_microseconds(bars) - origin) % length
    inside = starts != -1
    starts, bars = starts[inside], bars if inside.all() else bars.loc[inside]
    if bars.empty:
        return empty_bars()
    first = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]])
    last = np.r_[first[1:], len(bars)] - 1
    column = {name: bars[name].to_numpy(np.float64) for name in COLUMNS}
    made = frame_of(
        starts[first],
        {
            "open": column["open"][first],
            "high": np.maximum.reduceat(column["high"], first),
            "low": np.minimum.reduceat(column["low"], first),
            "close": column["close"][last],
            "volume": np.add.reduceat(column["volume"], first),
        },
    )
    if until is not None and start_microseconds(made)[-1] + length > until.value // 1000:
        made = made.iloc[:-1].reset_index(drop=True)
    return made


def _rules(
    timeframe: Timeframe, calendar: str, until: datetime | None
) -> list[tuple[str, Callable[[pd.DataFrame], Mask]]]:
    """Why a row is no bar, in words, and which rows are meant; the first that holds is the one that is told."""
    grid = timeframe.grid_seconds(calendar) * 1_000_000
    origin = int(timeframe.origin.timestamp()) * 1_000_000

    def time_is_missing(bars: pd.DataFrame) -> Mask:
        return np.asarray(bars["ts"].isna(), dtype=np.bool_)

    def is_not_finite(bars: pd.DataFrame) -> Mask:
        return np.asarray(~np.isfinite(bars[list(COLUMNS)].to_numpy()).all(axis=1))

    def repeats(bars: pd.DataFrame) -> Mask:
        starts = start_microseconds(bars)
        return np.r_[False, starts[1:] == starts[:-1]] if len(starts) else np.empty(0, np.bool_)

    def goes_back(bars: pd.DataFrame) -> Mask:
        starts = start_microseconds(bars)
        return np.r_[False, starts[1:] < starts[:-1]] if len(starts) else np.empty(0, np.bool_)

    def is_off_the_grid(bars: pd.DataFrame) -> Mask:
        return np.asarray((start_microseconds(bars) - origin) % grid != 0)

    def is_of_no_market(bars: pd.DataFrame) -> Mask:
        return np.asarray(start_microseconds(bars) < _EARLIEST)

    def ends_later(bars: pd.DataFrame) -> Mask:
        latest = _EVER if until is None else int(until.timestamp()) * 1_000_000 - timeframe.seconds * 1_000_000
        return np.asarray(start_microseconds(bars) > latest)

    def of(condition: Callable[[dict[str, npt.NDArray[np.float64]]], Mask]) -> Callable[[pd.DataFrame], Mask]:
        return lambda bars: condition({name: bars[name].to_numpy() for name in COLUMNS})

    return [
        ("its time cannot be read", time_is_missing),
        ("a value is missing or not a finite number", is_not_finite),
        ("it has the same time as the row before", repeats),
        ("its time is before that of the row before", goes_back),
        (f"its time is not the start of a bar of {timeframe}", is_off_the_grid),
        ("its time is before 1900", is_of_no_market),
        ("it ends after now, so it may not be finished", ends_later),
        (
            "a price is zero or negative",
            of(lambda b: (b["open"] <= 0) | (b["high"] <= 0) | (b["low"] <= 0) | (b["close"] <= 0)),
        ),
        ("its volume is negative", of(lambda b: b["volume"] < 0)),
        ("its high is below its open or close", of(lambda b: b["high"] < np.maximum(b["open"], b["close"]))),
        ("its low is above its open or close", of(lambda b: b["low"] > np.minimum(b["open"], b["close"]))),
    ]


def _as_utc(times: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    if pd.api.types.is_numeric_dtype(times.dtype):
        # Seconds, milliseconds or what? Whoever reads a file finds out; here it would be a guess.
        times = pd.Series(pd.NaT, index=times.index)
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        times = pd.to_datetime(times, utc=True, errors="coerce")
    return times.dt.tz_convert("UTC").astype(TS_DTYPE).reset_index(drop=True)


def _as_floats(values: "pd.Series[float]") -> "pd.Series[float]":
    return pd.to_numeric(values, errors="coerce").astype("float64").reset_index(drop=True)
