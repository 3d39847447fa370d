"""A model that learns from the past of the backtest itself, and is never asked about what it has seen."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from backend.domain.ml.features import WARM_UP
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import first_training_needed
from backend.domain.signals import FLAT, KEEP, LONG, NO_REASON, SHORT, Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Floats, Market, OutOfSample
from backend.domain.strategies.saying import signals
from backend.domain.strategy_errors import NoPredictions

Marks = npt.NDArray[np.int8]
_SHAPING = ("horizon", "label", "barrier", "rounds", "learning_rate", "leaves", "least_in_leaf", "seed")


class MlPredictive(TradingStrategy):
    """Long where a model trained on the bars before gives a rise good odds, short where it gives good odds to a fall.

    The first bars only teach; from then on every bar is judged by a model that saw nothing of it, and a new model takes
    over every so often. A position is held for the horizon, and longer as long as the odds are renewed.
    Works, if at all, on many years of bars and with costs far below the usual move of a horizon: train a model of the
    same settings first and read its verdict.
    Fails where there is no signal, which is nearly everywhere: it then trades noise and pays for it. A higher threshold
    trades less, not better. Every setting that is tried on the same bars makes a good result less surprising.
    """

    name = "ml_predictive"
    title = "Machine learning"
    markets = "Liquid shares, coins and currencies with thousands of bars, on 15-minute to daily bars"
    learns = True

    class Parameters(StrategyParameters):
        horizon: int = parameter(
            12, title="Horizon", description="How many bars ahead is predicted", unit="bars", ge=1, le=2_000
        )
        threshold: float = parameter(
            0.55,
            title="Threshold",
            description="Long from this probability of a rise on, short from as much for a fall",
            ge=0.5,
            le=0.99,
        )
        first_training_bars: int = parameter(
            4_000,
            title="First training",
            description="So many bars only teach; the first prediction comes after them",
            unit="bars",
            ge=500,
            le=1_000_000,
        )
        retrain_every: int = parameter(
            1_000,
            title="Train again every",
            description="So many bars are judged by one model; fewer take longer",
            unit="bars",
            ge=20,
            le=1_000_000,
        )
        label: Literal["direction", "triple_barrier"] = parameter(
            "direction",
            title="Label",
            description="Up by the end of the horizon, or at the barrier touched first",
        )
        barrier: float = parameter(
            1.0,
            title="Barrier",
            description="Distance of both barriers, in volatilities over the horizon; for the triple barrier only",
            unit="volatilities",
            gt=0,
            le=20,
        )
        rounds: int = parameter(200, title="Rounds", description="Trees at most", ge=5, le=2_000)
        learning_rate: float = parameter(0.05, title="Learning rate", description="The weight of each tree", gt=0, le=1)
        leaves: int = parameter(15, title="Leaves", description="Of each tree, at most", ge=2, le=255)
        least_in_leaf: int = parameter(
            100, title="Bars in a leaf", description="At least so many", unit="bars", ge=5, le=100_000
        )
        seed: int = parameter(7, title="Seed", description="For what is drawn by lot", ge=0, le=2**31 - 1)

        @property
        def spec(self) -> ModelSpec:
            return ModelSpec(**{name: getattr(self, name) for name in _SHAPING})

        @model_validator(mode="after")
        def _learns_enough(self) -> Self:
            needed = WARM_UP + first_training_needed(self.spec)
            if self.first_training_bars < needed:
                raise ValueError(
                    f"first_training_bars is {self.first_training_bars:,}; a horizon of {self.horizon:,} bars with"
                    f" {self.least_in_leaf:,} bars in a leaf needs at least {needed:,}."
                )
            return self

    parameters: Parameters

    def warmup(self) -> int:
        """It learns from all bars before; after so many it begins to speak."""
        return self.parameters.first_training_bars

    def least_bars(self) -> int:
        return self.warmup() + 1

    def generate_signals(self, market: Market) -> Signals:
        if market.predictions is None:
            raise NoPredictions(self.name)
        up = market.predictions.probability_up(market, self.wanted)
        marks = self._marks(up)
        stands = _held(marks, self.parameters.horizon)
        is_change = stands != np.concatenate(([FLAT], stands[:-1]))
        reason = np.select([stands == LONG, stands == SHORT], [0, 1], 2).astype(np.int16)
        rank = np.where(is_change & (marks != 0), 1 - np.abs(up - 0.5), np.nan)
        return signals(
            np.where(is_change, stands, np.int8(KEEP)),
            np.where(is_change, reason, np.int16(NO_REASON)),
            self._words,
            rank=rank,
        )

    @cached_property
    def wanted(self) -> OutOfSample:
        """Of the model, and when it is trained."""
        given = self.parameters
        return OutOfSample(
            spec=given.spec,
            first_training=given.first_training_bars - WARM_UP,
            retrain_every=given.retrain_every,
        )

    @property
    def _words(self) -> tuple[str, ...]:
        odds, bars = f"{self.parameters.threshold:.0%} or more", f"{self.parameters.horizon:,} bars"
        return (
            f"A rise within {bars} has a probability of {odds}",
            f"A fall within {bars} has a probability of {odds}",
            f"{bars} have passed since the odds were last so good",
        )

    def _marks(self, up: Floats) -> Marks:
        """On each bar which side it speaks for; 0 where it has nothing to say."""
        threshold = self.parameters.threshold
        # At even odds both sides are as likely: that speaks for none.
        return np.select([(up >= threshold) & (up > 0.5), (1 - up >= threshold) & (up < 0.5)], [1, -1], 0).astype(
            np.int8
        )


def _held(marks: Marks, bars: int) -> Marks:
    """Where to stand: on the side marked last, unless that is so many bars ago."""
    rows = np.arange(len(marks))
    last = np.maximum.accumulate(np.where(marks != 0, rows, -1))
    return np.where((last >= 0) & (rows - last < bars), marks[last], np.int8(FLAT))
