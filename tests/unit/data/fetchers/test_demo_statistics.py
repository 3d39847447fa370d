"""The demo market behaves like a market: measured on ten years of the bars that users see."""

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from backend.data.fetchers.demo import simulated_bars
from backend.domain.bars import start_microseconds
from backend.domain.market import ALWAYS
from backend.domain.simulation.days import Regime, days
from backend.domain.simulation.markets import MARKETS
from tests.fakes import FakeClock

CRYPTO = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
EQUITIES = ("AAPL", "NVDA", "JPM", "SPY")
SYMBOLS = (*CRYPTO, *EQUITIES)
LAGS = range(1, 21)
DAY = 86_400_000_000

Floats = npt.NDArray[np.float64]


@cache
def bars(symbol: str, timeframe: str, start: str = "2015-01-05", end: str = "2025-01-06") -> pd.DataFrame:
    return simulated_bars(symbol, timeframe, start, end, clock=FakeClock())


def returns(bars: pd.DataFrame) -> Floats:
    close = bars["close"].to_numpy()
    return np.diff(np.log(close))


def autocorrelation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / (centred * centred).mean())


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_hours_have_fat_tails(symbol: str) -> None:
    hourly = returns(bars(symbol, "1h"))
    centred = hourly - hourly.mean()
    assert (centred**4).mean() / (centred**2).mean() ** 2 - 3 > 3


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_large_moves_come_together(symbol: str) -> None:
    sizes = np.abs(returns(bars(symbol, "1h")))
    assert min(autocorrelation(sizes, lag) for lag in LAGS) > 0.05


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_an_hour_says_nothing_about_those_after_it(symbol: str) -> None:
    hourly = returns(bars(symbol, "1h"))
    assert max(abs(autocorrelation(hourly, lag)) for lag in LAGS) < 0.02


def test_neither_do_the_hours_of_all_exchanges_together() -> None:
    # Each history was chosen; that nothing is built in shows where ten of them are taken together.
    equities = [symbol for symbol, market in MARKETS.items() if market.calendar != ALWAYS]
    by_lag = [np.mean([autocorrelation(returns(bars(symbol, "1h")), lag) for symbol in equities]) for lag in LAGS]
    assert np.max(np.abs(by_lag)) < 0.008
    assert abs(np.mean(by_lag)) < 0.003


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_minutes_add_up_to_hours_without_momentum_or_reversion(symbol: str) -> None:
    # A million minutes: two years of crypto, ten of an exchange.
    minutes = bars(symbol, "1m", *(("2019-01-01", "2021-01-01") if symbol in CRYPTO else ("2015-01-05", "2025-01-01")))
    moves = returns(minutes)
    moves[np.diff(start_microseconds(minutes)) > 60_000_000] = 0  # nights
    assert abs(autocorrelation(moves, 1)) < 0.01
    for length in (5, 15, 30, 60):
        longer = np.add.reduceat(moves, np.arange(0, len(moves), length))
        assert 0.92 < longer.var() / (length * moves.var()) < 1.08, length


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_minutes_move(symbol: str) -> None:
    minutes = bars(symbol, "1m", "2019-01-01", "2020-01-01")
    assert (minutes["high"] == minutes["low"]).mean() < 0.01
    assert (minutes["close"].diff() == 0).mean() < 0.15
    assert minutes["volume"].min() > 0
    body = np.abs(minutes["close"] - minutes["open"]).mean()
    assert 1.5 < (minutes["high"] - minutes["low"]).mean() / body < 2.5  # Brownian motion: 2


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_volume_comes_with_moves_and_with_the_hour(symbol: str) -> None:
    hourly = bars(symbol, "1h")
    volume = hourly["volume"].to_numpy()[1:]
    assert np.corrcoef(volume, np.abs(returns(hourly)))[0, 1] > 0.4
    by_hour = hourly.groupby(hourly["ts"].dt.tz_convert("America/New_York").dt.hour)["volume"].mean()
    if MARKETS[symbol].calendar == ALWAYS:
        assert by_hour.max() > 1.7 * by_hour.min()
        assert 8 <= by_hour.idxmax() <= 11
    else:
        assert by_hour.idxmax() == 9
        assert by_hour.loc[9] > 2 * by_hour.loc[12]


@pytest.mark.parametrize("symbol", EQUITIES)
def test_exchanges_open_with_a_gap(symbol: str) -> None:
    daily = bars(symbol, "1d")
    gap = np.abs(daily["open"].to_numpy()[1:] / daily["close"].to_numpy()[:-1] - 1)
    inside = np.abs(daily["close"].to_numpy()[1:] / daily["open"].to_numpy()[1:] - 1)
    assert 0.3 < np.median(gap) / np.median(inside) < 0.8
    assert (gap > 1e-4).mean() > 0.95
    after_weekend = np.diff(start_microseconds(daily)) > 2 * DAY
    assert np.median(gap[after_weekend]) > np.median(gap[~after_weekend])


@pytest.mark.parametrize("symbol", list(MARKETS))
def test_prices_stay_plausible_for_twenty_years(symbol: str) -> None:
    market = MARKETS[symbol]
    known = days(market, 16_440, 16_440 + 20 * 365)
    price = market.price * np.exp(known.closing * 2.0**-32)
    assert price.min() > market.price / 20
    assert price.max() < market.price * 60
    assert price.min() * market.ticks_per_unit > 500


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_regimes_show_in_the_bars_alone(symbol: str) -> None:
    daily = bars(symbol, "1d")
    moves = np.r_[0.0, returns(daily)]
    spells = spells_of(symbol, daily)
    wild = {kind: np.median([moves[rows].std() for rows in found]) for kind, found in spells.items()}
    straight = {kind: np.median([efficiency(moves[rows]) for rows in found]) for kind, found in spells.items()}
    assert wild[Regime.CRISIS] > 1.5 * wild[Regime.TREND]
    assert wild[Regime.CRISIS] > 1.8 * wild[Regime.CHOP]
    assert straight[Regime.TREND] > 0.22
    assert straight[Regime.CHOP] < 0.13
    assert all(len(found) >= 10 for found in spells.values())


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_two_thresholds_tell_most_trends_from_chop_and_crisis(symbol: str) -> None:
    daily = bars(symbol, "1d")
    moves = np.r_[0.0, returns(daily)]
    usual = np.median(np.abs(moves))
    right = total = 0
    for kind, found in spells_of(symbol, daily).items():
        for rows in found:
            guess = Regime.TREND if efficiency(moves[rows]) > 0.18 else Regime.CHOP
            guess = Regime.CRISIS if np.median(np.abs(moves[rows])) > 1.7 * usual else guess
            right, total = right + (guess is kind), total + 1
    assert right / total > 0.75  # by chance it would be 0.4


def spells_of(symbol: str, daily: pd.DataFrame) -> dict[Regime, list[slice]]:
    """Where in the bars each regime held, when for a week and more."""
    day = start_microseconds(daily) // DAY
    regime = days(MARKETS[symbol], int(day[0]), int(day[-1])).regime[day - day[0]]
    edges = [0, *(np.flatnonzero(np.diff(regime)) + 1).tolist(), len(regime)]
    spells: dict[Regime, list[slice]] = {kind: [] for kind in Regime}
    for start, end in pairwise(edges):
        if end - start > 6:
            spells[Regime(int(regime[start]))].append(slice(start + 1, end))
    return spells


def efficiency(moves: Floats) -> float:
    """How straight the price went: 1 when every move went the same way."""
    return float(abs(moves.sum()) / np.abs(moves).sum())
