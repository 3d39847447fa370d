"""What a strategy may see: its bars, what is traded, other markets as of their last closed bar, and predictions.

It lives here and not in `domain/market.py`, which the bar frame stands on and which stays free of arrays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import COLUMNS, derive, frame_of, start_microseconds
from backend.domain.market import ALWAYS, Instrument, Timeframe
from backend.domain.ml.spec import ModelSpec
from backend.domain.strategy_errors import MissingValues, NoSuchMarket

Floats = npt.NDArray[np.float64]
Moments = npt.NDArray[np.int64]  # microseconds since 1970
Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True, kw_only=True)
class OutOfSample:
    """Which predictions a strategy wants: a model of this spec, trained anew every so often on all bars before."""

    spec: ModelSpec
    first_training: int  # bars with features before the first prediction
    retrain_every: int


class Predictions(Protocol):
    """What models said, each time knowing only what came before."""

    def probability_up(self, market: "Market", wanted: OutOfSample) -> Floats:
        """For each bar, as of its close; NaN where no model had anything to say."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """One instrument's bars, and what there is beside them. Nothing in it can be changed."""

    instrument: Instrument
    timeframe: Timeframe
    starts: Moments
    columns: Mapping[str, Floats] = field(repr=False)
    others: Mapping[tuple[str, Timeframe], "Market"] = field(default_factory=dict, repr=False)
    predictions: Predictions | None = None

    @classmethod
    def of(
        cls,
        bars: pd.DataFrame,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        others: Mapping[tuple[str, Timeframe], "Market"] = MappingProxyType({}),
        predictions: Predictions | None = None,
    ) -> Self:
        """Over a checked bar frame, of which nothing is copied."""
        return cls(
            instrument=instrument,
            timeframe=timeframe,
            starts=_locked(start_microseconds(bars)),
            columns=MappingProxyType({name: _locked(bars[name].to_numpy(np.float64)) for name in COLUMNS}),
            others=MappingProxyType(dict(others)),
            predictions=predictions,
        )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def bars(self) -> pd.DataFrame:
        """The bar frame. Columns may be added to it; they are the caller's own."""
        return frame_of(self.starts, self.columns)

    @cached_property
    def open(self) -> Floats:
        return self._whole("open")

    @cached_property
    def high(self) -> Floats:
        return self._whole("high")

    @cached_property
    def low(self) -> Floats:
        return self._whole("low")

    @cached_property
    def close(self) -> Floats:
        return self._whole("close")

    @cached_property
    def volume(self) -> Floats:
        return self._whole("volume")

    @cached_property
    def inputs(self) -> Mapping[str, npt.NDArray[Any]]:
        """All columns as indicators and patterns take them by name, none of them with a hole."""
        whole = {"open": self.open, "high": self.high, "low": self.low, "close": self.close, "volume": self.volume}
        return MappingProxyType({"moments": self.starts, **whole})

    @cached_property
    def ends(self) -> Moments:
        """When each bar is closed, and what it tells is known."""
        return _locked(self.starts + self.timeframe.seconds * 1_000_000)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that have bars of this timeframe here, this one included, in alphabetical order."""
        beside = {symbol for symbol, timeframe in self.others if timeframe is self.timeframe}
        return tuple(sorted(beside | {self.symbol}))

    def other(self, symbol: str | None = None, timeframe: Timeframe | str | None = None) -> "Joined":
        """Another symbol or timeframe, lined up with these bars: each sees the other's last closed bar.

        Longer bars of the same symbol are made from these where nobody brought them. Raises NoSuchMarket.
        """
        wanted = (symbol or self.symbol, Timeframe(timeframe) if timeframe else self.timeframe)
        if wanted == (self.symbol, self.timeframe):
            return Joined(market=self, rows=np.arange(len(self)), own_ends=self.ends)
        found = self.others[wanted] if wanted in self.others else self._longer(*wanted)
        return Joined(market=found, rows=_last_closed(found, self), own_ends=self.ends)

    def first(self, count: int) -> "Market":
        """As it was after so many bars: nothing of it, nor of what is beside it, was known later."""
        until = self.ends[count - 1] if count else np.iinfo(np.int64).min
        return Market(
            instrument=self.instrument,
            timeframe=self.timeframe,
            starts=self.starts[:count],
            columns=MappingProxyType({name: values[:count] for name, values in self.columns.items()}),
            others=MappingProxyType(
                {
                    key: other.first(int(np.searchsorted(other.ends, until, "right")))
                    for key, other in self.others.items()
                }
            ),
            predictions=self.predictions,
        )

    def _whole(self, name: str) -> Floats:
        """A column without holes, looked at once; whoever does not use it does not pay for it."""
        values = self.columns[name]
        if not np.isfinite(values.sum()) and len(holes := np.flatnonzero(~np.isfinite(values))):
            raise MissingValues(
                f"The column '{name}' of {self.symbol}", count=len(holes), of=len(values), first=int(holes[0])
            )
        return values

    def _longer(self, symbol: str, timeframe: Timeframe) -> "Market":
        if symbol != self.symbol or not timeframe.can_be_made_from(self.timeframe):
            raise NoSuchMarket(symbol, timeframe, [f"{one} {length}" for one, length in self.others])
        if not len(self):
            return Market.of(self.bars, self.instrument, timeframe)
        # Which of them are finished by when is decided for each bar; only what no bar can know of is left out.
        made = derive(self.bars, timeframe, until=pd.Timestamp(int(self.ends[-1]), unit="us", tz="UTC"))
        begins_late = self.instrument.calendar == ALWAYS and len(made) and made["ts"].iloc[0] < self._first_start
        return Market.of(made.iloc[1:] if begins_late else made, self.instrument, timeframe)

    @property
    def _first_start(self) -> pd.Timestamp:
        return pd.Timestamp(int(self.starts[0]), unit="us", tz="UTC")


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """Another market beside one's own bars."""

    market: Market
    rows: npt.NDArray[np.int64]  # for each of one's own bars, which of the other's is the last closed one; -1 for none
    own_ends: Moments = field(repr=False)

    @property
    def ages(self) -> Floats:
        """How many seconds before one's own close the other's bar was closed; NaN where there is none."""
        if not len(self.market):
            return np.full(len(self.rows), np.nan)
        return np.where(self.rows >= 0, (self.own_ends - self.market.ends[self.rows]) / 1e6, np.nan)

    @property
    def open(self) -> Floats:
        return self._lined_up(self.market.open)

    @property
    def high(self) -> Floats:
        return self._lined_up(self.market.high)

    @property
    def low(self) -> Floats:
        return self._lined_up(self.market.low)

    @property
    def close(self) -> Floats:
        return self._lined_up(self.market.close)

    @property
    def volume(self) -> Floats:
        return self._lined_up(self.market.volume)

    def line(self, calculate: Callable[[Market], Floats]) -> Floats:
        """Something calculated from the other's own bars: `other.line(lambda daily: sma(daily.close, 200))`."""
        return self._lined_up(calculate(self.market))

    def _lined_up(self, values: Floats) -> Floats:
        if not len(values):
            return np.full(len(self.rows), np.nan)
        return np.where(self.rows >= 0, values[self.rows], np.nan)


def _last_closed(other: Market, own: Market) -> npt.NDArray[np.int64]:
    if other.timeframe is own.timeframe and np.array_equal(other.starts, own.starts):
        return np.arange(len(own))
    return np.searchsorted(other.ends, own.ends, "right") - 1


def _locked(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    view = values.view()
    view.flags.writeable = False
    return view
