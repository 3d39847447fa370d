"""Finished backtests side by side: figures, forms, curves, how they move together, how far the difference is chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.trading.daily import DailyEquity
from backend.domain.trading.evidence import FEWEST_DAYS, LEVEL
from backend.domain.trading.statistics import Missing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CURVE_POINTS: Final = 1_000
MOST_LISTED_TRADES: Final = 200
_MOST_DRAWS: Final = 1_000
_FEWEST_DRAWS: Final = 200
_WORK: Final = 4_000_000
_CHUNK: Final = 400_000
# What makes two entries the same one.
_ENTRY: Final = ["symbol", "side", "entry_time"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """One finished run. `times` are the closes of its bars in microseconds since 1970, `equity` is beside them."""

    id: str
    statistics: Mapping[str, Any]
    missing: Mapping[str, str]
    config: Mapping[str, Any]
    times: Ints = field(repr=False)
    equity: Floats = field(repr=False)
    daily: DailyEquity = field(repr=False)
    trades: pd.DataFrame = field(repr=False)

    @property
    def start(self) -> float:
        return self.daily.start


def compared(runs: Sequence[Compared], *, seed: int = 0) -> dict[str, Any]:
    """A JSON document; what is said of differences is between the first run and each of the others."""
    return {
        "metrics": _metrics(runs),
        "config": _config(runs),
        "curves": _curves(runs),
        "correlation": _correlation(runs),
        "differences": [difference(runs[0], other, seed=seed) for other in runs[1:]],
        "trades": [_entries(runs[0], other) for other in runs[1:]],
    }


def _metrics(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for run in runs for name in (*run.statistics, *run.missing)))
    found = []
    for name in names:
        values = [run.statistics.get(name) for run in runs]
        found.append(
            {
                "name": name,
                "values": values,
                "missing": [run.missing.get(name) if value is None else None for run, value in _beside(runs, values)],
                "differs": any(value != values[0] for value in values),
            }
        )
    return found


def _beside(runs: Sequence[Compared], values: Sequence[Any]) -> "zip[tuple[Compared, Any]]":
    return zip(runs, values, strict=True)


def _config(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    """Only what differs, by path; what is not there at all is null like what is left open."""
    flat = [flattened(run.config) for run in runs]
    paths = sorted({path for one in flat for path in one})
    rows = [{"path": path, "values": [one.get(path) for one in flat]} for path in paths]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]


def flattened(document: Any, at: str = "") -> dict[str, Any]:
    """`{"a": {"b": [1]}}` as `{"a.b.0": 1}`. What holds nothing stands for itself."""
    inside = document.items() if isinstance(document, Mapping) else enumerate(document)
    flat: dict[str, Any] = {}
    for name, value in inside:
        path = f"{at}.{name}" if at else str(name)
        if isinstance(value, Mapping | list | tuple) and len(value):
            flat |= flattened(value, path)
        else:
            flat[path] = value
    return flat


def _curves(runs: Sequence[Compared], points: int = CURVE_POINTS) -> dict[str, Any]:
    """On one axis: what 100 at the start of each run came to, and the deepest drawdown since the point before."""
    axis = _axis(runs, points)
    return {
        "ts": (axis // 1_000).tolist(),
        "equity": [_plain(_at(run.times, run.equity / run.start * 100.0, axis)) for run in runs],
        "drawdown": [_plain(_deepest(run, axis)) for run in runs],
    }


def _axis(runs: Sequence[Compared], points: int) -> Ints:
    """With the first and the last two closes of every run: where each stands at its end is told as it tells itself."""
    times = np.unique(np.concatenate([run.times for run in runs]))
    if len(times) <= points:
        return times
    even = times[np.linspace(0, len(times) - 1, points - 3 * len(runs)).astype(np.int64)]
    return np.unique(np.concatenate([even, *(np.append(run.times[:1], run.times[-2:]) for run in runs)]))


def _at(times: Ints, values: Floats, axis: Ints) -> Floats:
    """The latest value at each point; nothing before the first and after the last."""
    row = np.searchsorted(times, axis, side="right") - 1
    known = (row >= 0) & (axis <= times[-1])
    return np.where(known, values[np.maximum(row, 0)], np.nan)


def _deepest(run: Compared, axis: Ints) -> Floats:
    peaks = np.maximum(np.maximum.accumulate(run.equity), run.start)
    below = run.equity / peaks - 1.0
    ends = np.searchsorted(run.times, axis, side="right")
    deepest = np.full(len(axis), np.nan)
    for place, (begin, end) in enumerate(pairwise((0, *ends.tolist()))):
        if end > begin:
            deepest[place] = below[begin:end].min()
        elif end and axis[place] <= run.times[-1]:
            deepest[place] = below[end - 1]
    return deepest


def _correlation(runs: Sequence[Compared]) -> list[list[float | None]]:
    """Of daily returns, on the days that two have in common."""
    matrix: list[list[float | None]] = [[None] * len(runs) for _ in runs]
    for i, one in enumerate(runs):
        for j in range(i, len(runs)):
            try:
                first, second = _on_common_days(one.daily, runs[j].daily)
                matrix[i][j] = matrix[j][i] = _moving_together(first, second)
            except Missing:
                continue
    return matrix


def _moving_together(first: Floats, second: Floats) -> float:
    if len(first) < 2 or first.std() == 0 or second.std() == 0:
        raise Missing("Without movement on both sides there is no correlation.")
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))


def _on_common_days(first: DailyEquity, second: DailyEquity) -> tuple[Floats, Floats]:
    _, here, there = np.intersect1d(first.days, second.days, return_indices=True)
    return first.returns[here], second.returns[there]


def difference(first: Compared, other: Compared, *, seed: int = 0, level: float = LEVEL) -> dict[str, Any]:
    """How much better the other did a year, and between which values that lies, had the days come otherwise.

    By a stationary block bootstrap (Politis and Romano, 1994) of the days that both have, drawn in pairs: what moved
    both at once moves them at once in each drawn history. The same seed gives the same.
    """
    told: dict[str, Any] = {"id": other.id, "level": level}
    try:
        pair = np.stack(_on_common_days(first.daily, other.daily), axis=1)
    except Missing as reason:
        return {**told, "missing": str(reason)}
    days, periods = len(pair), first.daily.periods_a_year
    told["days"] = days
    if days < FEWEST_DAYS:
        return {**told, "missing": f"An interval needs at least {FEWEST_DAYS} common days; there are {days}."}
    if other.daily.periods_a_year != periods:
        return {**told, "missing": "They are counted by different calendars, so their years are not the same."}
    block = max(1, round(days ** (1 / 3)))
    draws = min(_MOST_DRAWS, max(_FEWEST_DRAWS, _WORK // days))
    drawn = np.concatenate([_figures(part, periods) for part in _drawn(pair, draws, block, seed)])
    seen = _figures(pair[np.newaxis], periods)[0]
    for place, name in enumerate(("annual_return", "sharpe")):
        told[name] = _between(seen[place], drawn[:, place], level)
    return {**told, "block_days": block, "draws": draws, "missing": None}


def _drawn(pair: Floats, draws: int, block: int, seed: int) -> list[Floats]:
    """Histories of the same length, each made of blocks of days that wrap around at the end."""
    dice = np.random.default_rng(seed)
    days = len(pair)
    at_once = max(1, _CHUNK // days)
    return [_histories(pair, min(at_once, draws - begin), block, dice) for begin in range(0, draws, at_once)]


def _histories(pair: Floats, count: int, block: int, dice: np.random.Generator) -> Floats:
    days = len(pair)
    begins = dice.random((count, days)) < 1.0 / block
    begins[:, 0] = True
    place = np.arange(days)
    since = place - np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    first = np.take_along_axis(dice.integers(0, days, (count, days)), place - since, axis=1)
    drawn: Floats = pair[(first + since) % days]
    return drawn


def _figures(histories: Floats, periods: float) -> Floats:
    """Of each history by how much the second beats the first: in growth a year, and in the yearly Sharpe ratio."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        growth = np.expm1(np.log1p(histories).mean(axis=1) * periods)
        spread = histories.std(axis=1, ddof=1)
        ratios = np.where(spread > 1e-13, histories.mean(axis=1) / spread, np.nan) * math.sqrt(periods)
    return np.stack([growth[:, 1] - growth[:, 0], ratios[:, 1] - ratios[:, 0]], axis=1)


def _between(seen: float, drawn: Floats, level: float) -> dict[str, Any] | None:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or not math.isfinite(seen):
        return None
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return {
        "difference": float(seen),
        "low": float(low),
        "high": float(high),
        "share_better": float((drawn > 0).mean()),
    }


def _entries(first: Compared, other: Compared) -> dict[str, Any]:
    """Which entries both made, and which only one of them."""
    here, there = (run.trades.drop_duplicates(_ENTRY).set_index(_ENTRY) for run in (first, other))
    both = here.index.intersection(there.index)
    return {
        "id": other.id,
        "both": len(both),
        "both_pnl": [float(side.loc[both, "pnl"].sum()) for side in (here, there)],
        "only_first": _alone(here.drop(both)),
        "only_other": _alone(there.drop(both)),
    }


def _alone(trades: pd.DataFrame) -> dict[str, Any]:
    listed = trades.sort_index(level="entry_time").head(MOST_LISTED_TRADES).reset_index()
    return {
        "count": len(trades),
        "pnl": float(trades["pnl"].sum()),
        "trades": [
            {
                "symbol": row.symbol,
                "side": row.side,
                "entry_time": row.entry_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "pnl": float(row.pnl) if math.isfinite(row.pnl) else None,
            }
            for row in listed.itertuples()
        ],
    }


def _plain(values: Floats) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
