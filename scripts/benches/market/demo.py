"""How fast the demo market makes bars, beside numpy drawing as many random numbers. A part of the benchmark of data."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from backend.data.fetchers.demo import simulated_bars
from backend.domain.bars import check_bars
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.simulation.dice import rolls
from scripts.benches.figures import Figure, at_most, present

ROUNDS = 9
YEAR, DECADE = 525_600, 3_653 * 1440
FIRST_DAY = datetime(2015, 1, 5, tzinfo=UTC)


def demo_figures() -> list[Figure]:
    """The best of several rounds each: a machine that does other things besides slows some of them."""
    return [*_year_of_minutes(), *_ten_years_of_days(), *_one_day()]


def _year_of_minutes() -> list[Figure]:
    work = "525,600 minutes of BTC/USDT"
    normals = _best(lambda: np.random.default_rng(1).standard_normal(YEAR))
    hashed = _best(lambda: rolls(1, np.arange(YEAR, dtype=np.int64)))
    ours = _best(lambda: simulated_bars("BTC/USDT", "1m", "2021-01-01", "2022-01-01"))
    equity = _best(lambda: simulated_bars("AAPL", "1m", "2021-01-01", "2022-01-01"))
    to = "of as many normal numbers"
    return [
        Figure(work=work, engine="numpy, as many normal numbers", value=normals, unit="s"),
        Figure(work=work, engine="numpy, as many splitmix64 hashes", value=hashed, unit="s"),
        at_most(work, ours, "s", 1.5, ratio=ours / normals, ratio_to=to),
        at_most(
            "98,100 minutes of AAPL, a year", equity, "s", 1.5, ratio=equity / normals * YEAR / 98_100, ratio_to=to
        ),
    ]


def _ten_years_of_days() -> list[Figure]:
    work = "3,653 days of BTC/USDT"
    normals = _best(lambda: np.random.default_rng(1).standard_normal(DECADE))
    ours = _best(lambda: simulated_bars("BTC/USDT", "1d", "2015-01-05", "2025-01-05"))
    return [
        Figure(work=work, engine="numpy, a normal number for each of their minutes", value=normals, unit="s"),
        at_most(work, ours, "s", 0.2, ratio=ours / normals, ratio_to="of those"),
    ]


def _one_day() -> list[Figure]:
    work = "the minutes of one day anywhere"
    starts = iter([FIRST_DAY + timedelta(days=int(day)) for day in np.random.default_rng(1).integers(0, 4000, 40)])
    made = simulated_bars("BTC/USDT", "1m", FIRST_DAY, FIRST_DAY + timedelta(days=1))
    checked = _best(lambda: check_bars(made, Timeframe.M1, ALWAYS), rounds=40) * 1000

    def one() -> object:
        start = next(starts)
        return simulated_bars("SOL/USDT", "1m", start, start + timedelta(days=1))

    ours = _best(one, rounds=40) * 1000
    return [
        Figure(work=work, engine="checking 1,440 bars that are there", value=checked, unit="ms"),
        at_most(work, ours, "ms", 20, ratio=ours / checked, ratio_to="of the check alone"),
    ]


def _best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    return min(_timed(work) for _ in range(rounds))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    present("demo", demo_figures(), as_json=False)
