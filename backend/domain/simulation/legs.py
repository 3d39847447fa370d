"""The price on its way: from the open to the close of a session in half hours, from there in five minutes, in minutes.

A leg goes from one whole price to another. Its parts are a walk of their own that is bent to arrive where the leg does,
each by its share of the variance: so what happens inside depends on the leg's two ends and on nothing else. No part
ever leaves the leg's roof and ground, which are known before its parts are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.domain.simulation.days import UNIT, days
from backend.domain.simulation.dice import WAITS, Floats, Ints, Rolls, bell, byte, even, growth, rolls
from backend.domain.simulation.markets import SimulatedMarket

MINUTES: Final = 30  # in a leg of the coarse kind
FIVES: Final = 6  # legs of five minutes in half an hour
MINUTES_OF_FIVE: Final = 5
_HALF_HOURS_A_DAY: Final = 48
_TRACE: Final = float(2**48)  # variances are added up as whole numbers of its inverse

# A bridge goes beyond its ends by more than 1.8 deviations once in 650 times; here never.
REACH: Final = 1.8
_SPREAD: Final = 0.5e-4  # a bar opens up to half a basis point away from the last close
_LEAST_NOISE, _NOISE = 0.58, 0.788  # of mean square 1
_NEWS_SHARE, _NEWS, _NO_NEWS = 1 / 128, 2.5, 0.98
_STILL, _PER_MOVE = 0.4, 0.75  # how volume grows with the size of a move

# Shares of a day's variance and volume by the hour in UTC: quiet in America's night, busiest when New York opens.
_CLOCK: Final = np.repeat(
    [88, 84, 80, 74, 68, 66, 70, 78, 90, 96, 98, 102, 112, 138, 150, 146, 136, 126, 116, 110, 104, 100, 96, 92], 2
)
# By the half hour of a session on an exchange: much at the open, little at noon, more before the close.
_SESSION: Final = np.array([240, 150, 118, 98, 86, 78, 72, 70, 74, 80, 90, 108, 176])


@dataclass(frozen=True, kw_only=True)
class Legs:
    """Pieces of the price's way, in whole ticks but for the deviation and the spread. In the order of time; or, as the
    parts of other legs, one column for each of those."""

    minute: Ints  # when it begins, in minutes since 1970
    before: Floats  # the price it comes from
    close: Floats
    deviation: Floats
    spread: Floats
    roof: Floats
    ground: Floats

    def rows(self, chosen: slice | Ints | tuple[Ints, ...]) -> "Legs":
        return Legs(**{name: values[chosen] for name, values in vars(self).items()})

    def in_order(self) -> "Legs":
        """Parts in the order of time."""
        return Legs(**{name: values.T.ravel() for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Minutes:
    """Bars of a minute in whole ticks: a row for each of the five, a column for each leg."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


def half_hours(market: SimulatedMarket, numbers: Ints) -> tuple[Legs, Ints]:
    """Legs and parcels of volume of these half hours since 1970, which must be whole sessions, in order."""
    day = numbers // _HALF_HOURS_A_DAY
    sessions = _Sessions.of(day)
    known = days(market, int(day[0]), int(day[-1]))
    at = day - known.first
    wild, opening, closing = known.volatility[at], known.opening[at], known.closing[at]
    shares = _shares_of_the_day(market, numbers, sessions)
    deviation = wild * np.sqrt(shares) * _noise(market, numbers)
    moves = np.rint(deviation * market.chance("half hour", numbers) / UNIT).astype(np.int64)
    close = _price(market, _bent(moves, deviation, opening, closing, sessions))
    before = np.r_[0.0, close[:-1]]
    before[sessions.first] = _price(market, opening[sessions.first])
    legs = _between(numbers * MINUTES, before, close, deviation * before, before * _SPREAD)
    return legs, _volume(market, legs, shares * (1.0 + wild / market.volatility))


def opens(market: SimulatedMarket, legs: Legs) -> Floats:
    """Where the first minute of each half hour opens: about where the last one closed."""
    return legs.before + _slip(rolls(market.key("wicks"), legs.minute), legs.spread)


def fives(market: SimulatedMarket, legs: Legs) -> Legs:
    """The six legs of five minutes of each half hour."""
    return _parts(market, legs, FIVES, 5, "five minutes")


def minutes(market: SimulatedMarket, legs: Legs) -> tuple[Legs, Minutes]:
    """The five minutes of each leg of five."""
    parts = _parts(market, legs, MINUTES_OF_FIVE, 1, "minute")
    rolled = rolls(market.key("wicks"), parts.minute)
    opened = np.minimum(np.maximum(parts.before + _slip(rolled, parts.spread), parts.ground), parts.roof)
    upper, lower = (_wick(opened, parts, WAITS[byte(rolled, place)]) for place in (1, 2))
    high = np.minimum(np.maximum(opened, parts.close) + upper, parts.roof)
    low = np.maximum(np.minimum(opened, parts.close) - lower, parts.ground)
    return parts, Minutes(open=opened, high=high, low=low, close=parts.close)


def divided(market: SimulatedMarket, volume: Ints, parts: Legs, least: int, purpose: str) -> Ints:
    """The volume of each leg shared among its parts to the last parcel, more to those that move more; in order."""
    noise = even(rolls(market.key(purpose), parts.minute), 0)
    move = np.abs(parts.close - parts.before) / parts.deviation
    upto = np.cumsum(np.rint(1024.0 * (_STILL + _PER_MOVE * move) * (0.5 + noise)).astype(np.int64), axis=0)
    shared = ((volume - least * len(upto)) * upto) // upto[-1]
    shared[1:] -= shared[:-1].copy()
    in_order: Ints = (shared + least).T.ravel()
    return in_order


@dataclass(frozen=True, kw_only=True)
class _Sessions:
    """Which rows make up each session."""

    first: Ints
    lengths: Ints

    @classmethod
    def of(cls, day: Ints) -> "_Sessions":
        first = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
        return cls(first=first, lengths=np.diff(np.r_[first, len(day)]))

    def first_of_each_row(self) -> Ints:
        return np.repeat(self.first, self.lengths)

    def last_of_each_row(self) -> Ints:
        return np.repeat(self.first + self.lengths - 1, self.lengths)


def _shares_of_the_day(market: SimulatedMarket, numbers: Ints, sessions: _Sessions) -> Floats:
    if market.always_trades:
        return (_CLOCK / float(_CLOCK.sum()))[numbers % _HALF_HOURS_A_DAY]
    row = np.arange(len(numbers), dtype=np.int64)
    last = len(_SESSION) - 1
    place = np.minimum(row - sessions.first_of_each_row(), last - 1)
    return (_SESSION / float(_SESSION.sum()))[np.where(row == sessions.last_of_each_row(), last, place)]


def _noise(market: SimulatedMarket, numbers: Ints) -> Floats:
    """Volatility comes in clusters: some hours are wild, and now and then there is news."""
    rolled = rolls(market.key("half hour noise"), numbers)
    noise = _LEAST_NOISE + _NOISE * even(rolled, 0)
    noise *= _LEAST_NOISE + _NOISE * even(rolls(market.key("two hours noise"), numbers // 4), 0)
    return noise * np.where(even(rolled, 1) < _NEWS_SHARE, _NEWS, _NO_NEWS)


def _bent(moves: Ints, deviation: Floats, opening: Ints, closing: Ints, sessions: _Sessions) -> Ints:
    """Where the price is after each half hour: a walk through the day, bent so that it ends where the day does."""
    walk = _within(moves, sessions)
    trace = _within(np.rint(deviation * deviation * _TRACE).astype(np.int64), sessions)
    last = sessions.last_of_each_row()
    lacking = (closing - opening - walk[last]).astype(np.float64)
    bend = np.rint(lacking * (trace / trace[last])).astype(np.int64)
    return opening + walk + bend


def _within(values: Ints, sessions: _Sessions) -> Ints:
    """Running sums that begin anew with each session."""
    upto, first = np.cumsum(values), sessions.first_of_each_row()
    return upto - upto[first] + values[first]


def _price(market: SimulatedMarket, levels: Ints) -> Floats:
    ticks = market.price * market.ticks_per_unit * growth(levels.astype(np.float64) * UNIT)
    return np.maximum(np.rint(ticks), 1.0)


def _volume(market: SimulatedMarket, legs: Legs, shares: Floats) -> Ints:
    noise = even(rolls(market.key("half hour volume"), legs.minute), 0)
    move = np.abs(legs.close - legs.before) / legs.deviation
    parcels = 0.5 * market.volume_a_day / market.parcel * shares
    return MINUTES + np.rint(parcels * (_STILL + _PER_MOVE * move) * (0.5 + noise)).astype(np.int64)


def _parts(market: SimulatedMarket, legs: Legs, count: int, length: int, purpose: str) -> Legs:
    minute = legs.minute + np.arange(0, count * length, length, dtype=np.int64)[:, None]
    rolled = rolls(market.key(purpose), minute)
    noise = even(rolls(market.key(f"{purpose} noise"), minute), 0)
    deviation = (legs.deviation / np.sqrt(float(count))) * (_LEAST_NOISE + _NOISE * noise)
    walk = np.cumsum(deviation * bell(rolled), axis=0)
    trace = np.cumsum(deviation * deviation, axis=0)
    close = legs.before + walk + (legs.close - legs.before - walk[-1]) * (trace / trace[-1])
    close = np.minimum(np.maximum(np.rint(close), legs.ground), legs.roof)
    before = np.concatenate([legs.before[None, :], close[:-1]])
    spread = np.broadcast_to(legs.spread, close.shape)
    parts = _between(minute, before, close, deviation, spread)
    np.minimum(parts.roof, legs.roof, out=parts.roof)
    np.maximum(parts.ground, legs.ground, out=parts.ground)
    return parts


def _between(minute: Ints, before: Floats, close: Floats, deviation: Floats, spread: Floats) -> Legs:
    reach = np.ceil(REACH * deviation + spread) + 1.0
    return Legs(
        minute=minute,
        before=before,
        close=close,
        deviation=deviation,
        spread=spread,
        roof=np.maximum(before, close) + reach,
        ground=np.maximum(np.minimum(before, close) - reach, 1.0),
    )


def _slip(rolled: Rolls, spread: Floats) -> Floats:
    return np.rint(spread * (2.0 * even(rolled, 0) - 1.0))


def _wick(opened: Floats, parts: Legs, waits: Floats) -> Floats:
    """How far a walk from open to close goes beyond the higher of them, or the lower: what Brownian motion does."""
    body = np.abs(parts.close - opened)
    beyond = np.sqrt(body * body + 2.0 * parts.deviation * parts.deviation * waits) - body
    return np.rint(0.5 * beyond)
