"""Markets whose truth is known: how likely each bar's rise was is decided before it is drawn."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import COLUMNS
from backend.domain.market import ALWAYS, Instrument, Series, Timeframe
from backend.domain.market_ports import Loaded

# With this pull the bar before tells ups from downs with an AUC of 0.60; nobody can do better.
BAYES_PULL = 0.307


class Planted(NamedTuple):
    """The bars, and for each the true probability that the next bar rises."""

    loaded: Loaded
    truth: npt.NDArray[np.float64]


def planted(bars: int, *, pull: float = BAYES_PULL, seed: int = 5) -> Planted:
    """After a large bar, whichever way it went, a rise is likelier; after a small one a fall. No line shows it."""
    dice = np.random.default_rng(seed)
    size, luck = np.abs(dice.standard_normal(bars)), dice.random(bars)
    before = np.concatenate(([1.0], size[:-1]))
    moved = np.where(luck < _likely(pull, before), size, -size)
    return Planted(loaded_of(frame_of_returns(0.01 * moved, dice)), _likely(pull, size))


def _likely(pull: float, size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    odds: npt.NDArray[np.float64] = 1 / (1 + np.exp(-pull * 2 * (size - 0.8)))
    return odds


def without_signal(bars: int, *, seed: int = 6) -> Loaded:
    """Returns of chance alone, however much the bars before are looked at."""
    dice = np.random.default_rng(seed)
    return loaded_of(frame_of_returns(0.005 * dice.standard_normal(bars), dice))


def frame_of_returns(moved: npt.NDArray[np.float64], dice: np.random.Generator) -> pd.DataFrame:
    """Each bar opens where the one before closed."""
    close = 100 * np.exp(np.cumsum(moved))
    opened = np.concatenate(([100.0], close[:-1]))
    reach = 1 + 0.002 * np.abs(dice.standard_normal((2, len(moved))))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    columns = dict(zip(COLUMNS, (opened, high, low, close, dice.lognormal(6, 0.5, len(moved))), strict=True))
    ts = pd.date_range("2024-01-01", periods=len(moved), freq="1h", tz="UTC", unit="us")
    return pd.DataFrame({"ts": ts, **columns})


def loaded_of(frame: pd.DataFrame) -> Loaded:
    series = Series(provider="demo", symbol="PLANTED", timeframe=Timeframe.H1)
    instrument = Instrument(
        provider="demo", symbol="PLANTED", name="Planted", calendar=ALWAYS, currency="USD", is_simulated=True
    )
    return Loaded(series=series, instrument=instrument, bars=frame)
