"""The slow movements: regimes, volatility and the price of a market at the open and the close of each day.

Days are made in blocks of 1,024. At the ends of a block the price is drawn anew near its slow growth, and the block's
walk is tilted to get there: so nothing wanders off, and no block needs the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np

from backend.domain.simulation.dice import Floats, Ints, even, growth, rolls
from backend.domain.simulation.markets import SimulatedMarket

BLOCK: Final = 1024
# Logarithms of prices are whole numbers of this, and so add up the same in any order.
UNIT: Final = 1 / 2**32
_FIRST_BLOCK: Final = 16  # holds the first bar
_SWING: Final = 12.0  # usual days that a block's end may lie off the slow growth
_BLOCKS_A_YEAR: Final = 365.25 / BLOCK

# Of a day's variance, a fifth falls into the night before it.
_NIGHT: Final = 0.447
_SESSION: Final = 0.894
_CLOSED_DAY: Final = 0.3
_QUIET_WEEKEND: Final = 0.75
_EARNINGS_NIGHT: Final = 3.0

_TIDES: Final = (2, 8, 32)  # days from one turn of the volatility to the next
_TIDE: Final = 0.4


class Regime(IntEnum):
    """What kind of time it is. A strategy can only see it in the prices."""

    TREND = 0  # moves add up
    CHOP = 1  # moves cancel out
    CRISIS = 2  # moves are large, and more often down


_LENGTHS: Final = {Regime.TREND: (20, 60), Regime.CHOP: (20, 60), Regime.CRISIS: (8, 24)}
_WILDNESS: Final = np.array([0.9, 0.75, 2.2])
_DRIFT: Final = np.array([0.26, 0.0, 0.1])
_SHARE_UP: Final = {Regime.TREND: 0.58, Regime.CHOP: 0.5, Regime.CRISIS: 0.25}


@dataclass(frozen=True, kw_only=True)
class Days:
    """One entry a day, whether the market opens on it or not; `first` is the first, in days since 1970."""

    first: int
    regime: Ints
    volatility: Floats  # the deviation of what the price does from open to close
    opening: Ints  # logarithms of prices, in units
    closing: Ints


def days(market: SimulatedMarket, first: int, last: int) -> Days:
    """From one day to another, both included."""
    blocks = [_block(market, block) for block in range(first // BLOCK, last // BLOCK + 1)]
    start = blocks[0].first
    rows = slice(first - start, last + 1 - start)
    return Days(
        first=first,
        regime=np.concatenate([block.regime for block in blocks])[rows],
        volatility=np.concatenate([block.volatility for block in blocks])[rows],
        opening=np.concatenate([block.opening for block in blocks])[rows],
        closing=np.concatenate([block.closing for block in blocks])[rows],
    )


@lru_cache(maxsize=256)
def _block(market: SimulatedMarket, block: int) -> Days:
    numbers = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.int64)
    spells = _spells(market, block)
    night, session = _shares(market, numbers)
    wildness = market.volatility * _WILDNESS[spells.regime] * _tides(market, numbers)
    moves = _moves(market, numbers, spells, wildness * night, wildness * session)
    weights = np.stack([night > 0, np.full(BLOCK, 2)], axis=1).ravel()
    levels = _tilted(moves, np.cumsum(weights), _end(market, block), _end(market, block + 1))
    made = Days(
        first=block * BLOCK,
        regime=spells.regime,
        volatility=wildness * session,
        opening=levels[0::2],
        closing=levels[1::2],
    )
    for values in (made.regime, made.volatility, made.opening, made.closing):
        values.setflags(write=False)  # whoever asks for the block gets these very arrays
    return made


@dataclass(frozen=True, kw_only=True)
class _Spells:
    """Of each day of a block its regime and its direction, and the days on which a regime begins."""

    regime: Ints
    direction: Ints
    begins: Ints


def _spells(market: SimulatedMarket, block: int) -> _Spells:
    regime, direction, begins = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64), [0]
    for kind, up, length in _regimes(market, block):
        start = begins[-1]
        regime[start : start + length], direction[start : start + length] = kind, 1 if up else -1
        if start + length >= BLOCK:
            break
        begins.append(start + length)
    return _Spells(regime=regime, direction=direction, begins=np.array(begins, np.int64))


def _regimes(market: SimulatedMarket, block: int) -> Iterator[tuple[Regime, bool, int]]:
    """One regime after the other, never the same twice: after a crisis comes either, else the other or a crisis."""
    key = market.key("regime")
    kind = Regime.CRISIS
    for number in range(BLOCK):
        rolled = rolls(key, np.array([block * BLOCK + number]))
        choice, up, length = (float(even(rolled, place)[0]) for place in range(3))
        calm = Regime.CHOP if kind is Regime.TREND else Regime.TREND
        if kind is Regime.CRISIS:
            kind = Regime.TREND if choice < 0.5 else Regime.CHOP
        else:
            kind = calm if choice < 0.7 else Regime.CRISIS
        shortest, longest = _LENGTHS[kind]
        yield kind, up < _SHARE_UP[kind], shortest + int(length * (longest - shortest + 1))


def _moves(market: SimulatedMarket, numbers: Ints, spells: _Spells, night: Floats, session: Floats) -> Ints:
    """What the price does in each night and in the session after it. Outside a crisis only the drift is left of it in
    the end: chance comes to nothing over a spell, so that trends go somewhere and chop does not."""
    nights = _whole(night * market.chance("night", numbers))
    sessions = _whole(session * market.chance("session", numbers))
    lengths = np.diff(np.r_[spells.begins, BLOCK])
    net_a_day = np.repeat(np.add.reduceat(nights + sessions, spells.begins) // lengths, lengths)
    sessions -= np.where(spells.regime == Regime.CRISIS, 0, net_a_day)
    sessions += _whole(session * _DRIFT[spells.regime] * spells.direction)
    return np.stack([nights, sessions], axis=1).ravel()


def _tides(market: SimulatedMarket, numbers: Ints) -> Floats:
    """Volatility swells and ebbs over days, weeks and months: the product of three slow waves."""
    level = np.zeros(len(numbers))
    for length in _TIDES:
        key = market.key(f"tide of {length} days")
        before = numbers // length
        share = (numbers - before * length) / float(length)
        low, high = even(rolls(key, before), 0), even(rolls(key, before + 1), 0)
        level += _TIDE * (2.0 * (low + (high - low) * share) - 1.0)
    return growth(level)


def _shares(market: SimulatedMarket, numbers: Ints) -> tuple[Floats, Floats]:
    """How much of a day's deviation belongs to its night and to its session."""
    weekend = (numbers + 3) % 7 >= 5  # the first of January 1970 was a Thursday
    if market.always_trades:
        return np.zeros(len(numbers)), np.where(weekend, _QUIET_WEEKEND, 1.0)
    day = np.where(weekend, _CLOSED_DAY, 1.0)
    night = _NIGHT * day
    if market.has_earnings:
        reported = (even(rolls(market.key("earnings"), numbers), 0) < 1 / 64) & ~weekend
        night = np.where(reported, _EARNINGS_NIGHT * night, night)
    return night, _SESSION * day


def _end(market: SimulatedMarket, block: int) -> int:
    """The price where this block begins and the one before it ends."""
    drawn = float(even(rolls(market.key("end of block"), np.array([block])), 0)[0])
    grown = market.growth_a_year * (block - _FIRST_BLOCK) / _BLOCKS_A_YEAR
    return round((grown + _SWING * market.volatility * (2.0 * drawn - 1.0)) / UNIT)


def _tilted(moves: Ints, weights: Ints, start: int, end: int) -> Ints:
    """The walk of these moves from start, bent evenly so that it arrives at the end."""
    walk = np.cumsum(moves)
    lacking = end - start - int(walk[-1])
    bent: Ints = start + walk + (lacking * weights) // int(weights[-1])
    return bent


def _whole(logarithms: Floats) -> Ints:
    return np.rint(logarithms / UNIT).astype(np.int64)
