"""Curves that are thinned for a screen keep their ends, peaks and troughs."""

import numpy as np
import pandas as pd

from backend.services.backtest_reading import thinned


def curves(rows: int = 10_000) -> pd.DataFrame:
    level = np.full(rows, 100.0)
    return pd.DataFrame({"equity": level, "benchmark": level.copy()})


def test_each_curve_keeps_its_ends_its_peak_and_its_trough() -> None:
    table = curves()
    table.loc[[3_333, 7_001], "equity"] = (150.0, 50.0)
    table.loc[[3_334, 7_003], "benchmark"] = (170.0, 30.0)
    few = thinned(table, 400)
    assert len(few) <= 402
    assert (few.index[0], few.index[-1]) == (0, 9_999)
    assert (few["equity"].max(), few["equity"].min()) == (150.0, 50.0)
    assert (few["benchmark"].max(), few["benchmark"].min()) == (170.0, 30.0)


def test_a_curve_that_begins_late_or_is_alone_is_thinned_too() -> None:
    table = curves()
    table.loc[:5_000, "benchmark"] = np.nan
    assert len(thinned(table, 400)) <= 402
    assert len(thinned(table[["equity"]], 400)) <= 402


def test_what_is_short_stays_whole() -> None:
    assert len(thinned(curves(100), 100)) == 100
