"""Runs side by side, on curves that can be worked out by hand and on drawn ones."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.comparison import Compared, compared, difference, flattened
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.trading.daily import MICROSECONDS_A_DAY, DailyEquity

DAY = MICROSECONDS_A_DAY


def run(
    returns: Any, *, name: str = "a", first: int = 0, start: float = 1_000.0, trades: Any = (), **config: Any
) -> Compared:
    """A run of daily bars with these returns; `first` is the day of its first bar."""
    returns = np.asarray(returns, np.float64)
    equity = start * np.cumprod(1.0 + returns)
    times = (first + 1 + np.arange(len(returns))) * DAY
    return Compared(
        id=name,
        statistics={"total_return": float(equity[-1] / start - 1), "trades": len(trades)},
        missing={"sharpe": "no spread"},
        config=config,
        times=times,
        equity=equity,
        daily=DailyEquity.of(times, equity, start=start, calendar=ALWAYS, timeframe=Timeframe.D1),
        trades=pd.DataFrame(
            [
                {"symbol": "X", "side": side, "entry_time": pd.Timestamp(at, tz="UTC"), "pnl": pnl}
                for side, at, pnl in trades
            ],
            columns=["symbol", "side", "entry_time", "pnl"],
        ),
    )


def drawn(seed: int, days: int = 400, mean: float = 0.0) -> Any:
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def test_figures_stand_beside_each_other_and_say_whether_they_differ() -> None:
    told = compared([run([0.1]), run([0.2], name="b")])["metrics"]
    by_name = {one["name"]: one for one in told}
    assert by_name["total_return"]["values"] == pytest.approx([0.1, 0.2])
    assert by_name["total_return"]["differs"]
    assert not by_name["trades"]["differs"]
    assert by_name["sharpe"] == {
        "name": "sharpe",
        "values": [None, None],
        "missing": ["no spread", "no spread"],
        "differs": False,
    }


def test_forms_are_compared_by_path_and_only_what_differs_is_told() -> None:
    one = run([0.1], parameters={"fast": 5, "slow": 20}, series=[{"symbol": "A"}], tags=[])
    other = run([0.1], parameters={"fast": 5, "slow": 30}, series=[{"symbol": "A"}, {"symbol": "B"}], tags=[])
    assert compared([one, other])["config"] == [
        {"path": "parameters.slow", "values": [20, 30]},
        {"path": "series.1.symbol", "values": [None, "B"]},
    ]
    assert flattened({"a": {}, "b": {"c": [1, {"d": 2}]}}) == {"a": {}, "b.c.0": 1, "b.c.1.d": 2}


def test_curves_begin_at_100_and_are_nothing_where_a_run_has_no_bars() -> None:
    curves = compared([run([0.1, 0.1]), run([0.5, -0.5], name="b", first=1, start=50.0)])["curves"]
    assert curves["ts"] == [day * 86_400_000 for day in (1, 2, 3)]
    assert curves["equity"][0] == [pytest.approx(110), pytest.approx(121), None]
    assert curves["equity"][1] == [None, pytest.approx(150), pytest.approx(75)]
    assert curves["drawdown"][1] == [None, 0.0, pytest.approx(-0.5)]


def test_thinned_curves_keep_the_deepest_drawdown() -> None:
    returns = np.full(20_000, 1e-6)
    returns[7_777:7_779] = (-0.5, 1.0)
    curves = compared([run(returns), run(drawn(1), name="b")])["curves"]
    assert 990 < len(curves["ts"]) <= 1_000
    assert min(one for one in curves["drawdown"][0] if one is not None) == pytest.approx(-0.5, abs=1e-4)


def test_thinned_curves_end_where_each_run_ended() -> None:
    returns = np.full(5_000, 1e-6)
    returns[4_980] = -0.2
    returns[4_981:] = 0.001
    curves = compared([run(drawn(1, 20_000)), run(returns, name="b", first=777)])["curves"]
    end = curves["ts"].index((777 + 5_000) * 86_400_000)
    assert curves["equity"][1][end] == pytest.approx(100 * np.prod(1 + returns))
    assert curves["equity"][1][end + 1] is None
    assert curves["drawdown"][1][end] == pytest.approx(0.8 * 1.001**19 - 1)


def test_a_run_moves_with_itself_and_against_its_mirror() -> None:
    returns = drawn(1)
    matrix = compared([run(returns), run(-returns), run(np.zeros(400))])["correlation"]
    assert matrix[0][0] == pytest.approx(1)
    assert matrix[0][1] == matrix[1][0] == pytest.approx(-1)
    assert matrix[2] == [None, None, None]


def test_a_run_does_not_differ_from_itself() -> None:
    told = difference(run(drawn(1)), run(drawn(1), name="b"))
    assert told["annual_return"] == {"difference": 0.0, "low": 0.0, "high": 0.0, "share_better": 0.0}
    assert told["days"] == 400


def test_a_real_difference_is_told_from_chance() -> None:
    luck = drawn(1)
    better = difference(run(luck), run(luck + 0.001 + drawn(2) / 10, name="b"))
    assert 0 < better["annual_return"]["low"] < better["annual_return"]["difference"] < better["annual_return"]["high"]
    assert better["sharpe"]["share_better"] > 0.99
    unclear = difference(run(luck), run(drawn(6), name="b"))
    assert unclear["sharpe"]["low"] < 0 < unclear["sharpe"]["high"]


def test_days_are_drawn_in_pairs() -> None:
    """What both share goes out of the difference, however wild it is."""
    wild = drawn(1) * 5
    told = difference(run(wild), run(wild + 0.0005, name="b"))
    assert told["sharpe"]["high"] - told["sharpe"]["low"] < 0.2
    assert told["sharpe"]["share_better"] == 1.0


def test_the_interval_holds_what_it_promises() -> None:
    """Of two runs that are as good as each other the interval of 95 % holds 0 in nearly all cases."""
    held = 0
    for seed in range(40):
        told = difference(run(drawn(2 * seed, 250)), run(drawn(2 * seed + 1, 250), name="b"), seed=seed)
        held += told["sharpe"]["low"] <= 0 <= told["sharpe"]["high"]
    assert held >= 35


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    one, other = run(drawn(1)), run(drawn(2), name="b")
    assert difference(one, other, seed=7) == difference(one, other, seed=7)
    assert difference(one, other, seed=7) != difference(one, other, seed=8)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (run(drawn(2, 20), name="b"), "at least 30 common days; there are 20"),
        (run(drawn(2), name="b", first=900), "there are 0"),
        (run([-1.0, *drawn(2)], name="b"), "The account was empty"),
    ],
)
def test_too_little_to_compare_is_said(other: Compared, words: str) -> None:
    told = difference(run(drawn(1)), other)
    assert words in told["missing"]
    assert "sharpe" not in told


def test_entries_are_the_same_when_symbol_side_and_time_are() -> None:
    first = run([0.1], trades=[("long", "2024-01-01", 5.0), ("long", "2024-01-02", 1.0)])
    other = run([0.1], name="b", trades=[("long", "2024-01-01", 7.0), ("short", "2024-01-02", -1.0)])
    (told,) = compared([first, other])["trades"]
    assert (told["both"], told["both_pnl"]) == (1, [5.0, 7.0])
    assert told["only_first"]["trades"] == [
        {"symbol": "X", "side": "long", "entry_time": "2024-01-02T00:00:00Z", "pnl": 1.0}
    ]
    assert (told["only_other"]["count"], told["only_other"]["pnl"]) == (1, -1.0)
