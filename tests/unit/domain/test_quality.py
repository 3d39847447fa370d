"""What is missing is counted against the calendar; what looks wrong is named, what is merely wild is not."""

import numpy as np
import pandas as pd
import pytest

from backend.domain.market import Timeframe
from backend.domain.quality import coverage, inspect

DUE = pd.date_range("2026-01-05", periods=300, freq="1h", tz="UTC")


def series(count: int = 300, *, seed: int = 3, volume: float = 10.0) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.002, count)))
    opened = np.r_[100, close][:count]
    return pd.DataFrame(
        {
            "ts": DUE[:count],
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": np.full(count, volume),
        }
    )


def test_a_whole_series_has_no_gaps_and_nothing_suspect() -> None:
    found = inspect(series(), DUE, Timeframe.H1)
    assert (found.missing, found.gaps, found.suspects, found.completeness) == (0, (), (), 1.0)


def test_runs_of_missing_bars_are_gaps_with_their_span() -> None:
    bars = series().drop(index=[10, 11, 12, 50]).reset_index(drop=True)
    found = inspect(bars, DUE, Timeframe.H1)
    assert [(gap.span.start, gap.span.end, gap.bars) for gap in found.gaps] == [
        (DUE[10], DUE[13], 3),
        (DUE[50], DUE[51], 1),
    ]
    assert (found.missing, found.completeness) == (4, 1 - 4 / 300)


def test_time_outside_sessions_parts_no_gap_and_makes_none() -> None:
    due = DUE[(DUE.hour >= 14) & (DUE.hour < 20)]
    bars = series()
    bars = bars[bars["ts"].isin(due)].reset_index(drop=True)
    assert inspect(bars, due, Timeframe.H1).gaps == ()
    assert [
        gap.bars for gap in inspect(bars.drop(index=range(5, 8)).reset_index(drop=True), due, Timeframe.H1).gaps
    ] == [3]


def test_a_spike_that_is_taken_back_is_an_outlier_and_a_crash_is_not() -> None:
    bars = series()
    bars.loc[100, "close"] *= 1.3
    crashed = series()
    crashed.loc[100:, ["open", "high", "low", "close"]] *= 0.7
    assert [(one.kind, one.ts) for one in inspect(bars, DUE, Timeframe.H1).suspects] == [("outlier", DUE[100])]
    assert "times the usual" in inspect(bars, DUE, Timeframe.H1).suspects[0].detail
    assert inspect(crashed, DUE, Timeframe.H1).suspects == ()


def test_long_silence_is_told_once_and_only_where_there_is_volume() -> None:
    bars = series()
    bars.loc[100:139, "volume"] = 0
    (told,) = inspect(bars, DUE, Timeframe.H1).suspects
    assert told.detail == "40 bars in a row have no volume."
    assert (told.ts, told.end) == (DUE[100], DUE[140])
    assert inspect(series(volume=0), DUE, Timeframe.H1).suspects == ()


@pytest.mark.parametrize(("factor", "told"), [(0.25, "4 for 1"), (2.0, "1 for 2")])
def test_a_split_is_suspected(factor: float, told: str) -> None:
    days = pd.date_range("2026-01-05", periods=60, freq="D", tz="UTC")
    bars = series(60).assign(ts=days)
    bars.loc[30:, ["open", "high", "low", "close"]] *= factor
    assert [(one.kind, one.ts) for one in inspect(bars, days, Timeframe.D1).suspects] == [("split", days[30])]
    assert told in inspect(bars, days, Timeframe.D1).suspects[0].detail


def test_a_bar_in_closed_hours_is_unexpected() -> None:
    assert [one.kind for one in inspect(series(), DUE[:-1], Timeframe.H1).suspects] == ["unexpected"]


def test_the_heat_map_has_cells_of_one_length() -> None:
    bars = series().drop(index=range(24, 36)).reset_index(drop=True)
    cells, length = coverage(bars, DUE)
    assert length == "day"
    assert [(cell.expected, cell.present) for cell in cells[:3]] == [(24, 24), (24, 12), (24, 24)]
    assert sum(cell.present for cell in cells) == 288


def test_a_long_series_gets_longer_cells() -> None:
    due = pd.date_range("2000-01-03", "2026-01-01", freq="D", tz="UTC")
    cells, length = coverage(series(0), due)
    assert length == "month"
    assert sum(cell.expected for cell in cells) == len(due)


def test_nothing_is_nothing() -> None:
    assert inspect(series(0), DUE[:0], Timeframe.H1).completeness == 1.0
    assert coverage(series(0), DUE[:0]) == ([], "day")
