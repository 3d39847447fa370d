"""The oldest of trend rules: a fast average against a slow one."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from backend.domain.compiled import compiled
from backend.domain.signals import KEEP, LONG, NO_REASON, SHORT, Codes, Directions, Signals
from backend.domain.strategies.base import Plot, StrategyParameters, TradingStrategy, parameter
from backend.domain.strategies.market import Market
from backend.domain.strategies.saying import EQUAL, signals
from backend.domain.strategies.sharing import Rows, Turns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

# Bars that are looked over at a time: their averages then stay in the processor's cache.
_TILE = 512
# A bit a bar, so many at once.
_WORD = 64
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
# Where the lowest bit of a word is, by a product that is another one for each (a De Bruijn sequence).
_SEQUENCE, _TOP = np.uint64(0x03F79D71B4CB0A89), np.uint64(58)
_PLACES = np.zeros(_WORD, np.int64)
for _place in range(_WORD):
    _PLACES[(int(_SEQUENCE) << _place & int(_ALL)) >> int(_TOP)] = _place
_ROOM = 1 << 19


class SmaCross(TradingStrategy):
    """Long when the fast simple average crosses above the slow one, short when it crosses beneath.

    Works in long trends: it is in for most of a move and out of most of a crash.
    Fails in sideways markets, where averages cross back and forth and each crossing costs fees; it enters and leaves
    late by about half the slow period.
    """

    name = "sma_cross"
    title = "SMA cross"
    markets = "Trending markets: indices, futures, large coins, on hourly to daily bars"

    class Parameters(StrategyParameters):
        fast: int = parameter(20, title="Fast", description="Bars of the fast average", unit="bars", ge=2, le=1_000)
        slow: int = parameter(50, title="Slow", description="Bars of the slow average", unit="bars", ge=3, le=2_000)
        at_once: bool = parameter(
            False,
            title="Enter at once",
            description="Take the side that the averages are on when both are first known, instead of waiting for"
            " the first crossing",
        )

        @model_validator(mode="after")
        def _fast_is_faster(self) -> Self:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast} and slow is {self.slow}; fast has to be less than slow.")
            return self

    parameters: Parameters

    def plots(self) -> tuple[Plot, ...]:
        return (
            Plot(indicator="sma", parameters={"period": self.parameters.fast}),
            Plot(indicator="sma", parameters={"period": self.parameters.slow}),
        )

    def generate_signals(self, market: Market) -> Signals:
        fast, slow = self.parameters.fast, self.parameters.slow
        direction, reason = _crossings(market.close, fast, slow, self.parameters.at_once)
        above, beneath = f"The {fast}-bar average crossed above", f"The {fast}-bar average crossed beneath"
        first = f"When both averages were first known, the {fast}-bar one was"
        words = [above, beneath, f"{first} above", f"{first} beneath"]
        return signals(direction, reason, [f"{text} the {slow}-bar average" for text in words])

    def least_bars(self) -> int:
        return self.parameters.slow

    @classmethod
    def turns(cls, market: Market, several: Sequence[StrategyParameters]) -> Turns:
        """Each average is computed once for all pairs that use it."""
        pairs = np.array([(each.fast, each.slow) for each in several])  # type: ignore[attr-defined]  # its own
        periods, which = np.unique(pairs, return_inverse=True)
        at_once = np.array([each.at_once for each in several])  # type: ignore[attr-defined]
        room = _ROOM
        while True:
            found = _turns(market.close, periods, which.reshape(-1, 2), at_once, room)
            if found[0][-1] <= room:
                return Turns(first=found[0], rows=found[1], direction=found[2])
            room = int(found[0][-1])


@compiled
def _crossings(close: Floats, fast: int, slow: int, at_once: bool) -> tuple[Directions, Codes]:
    """Both averages and their crossings in one pass: the sums of `sma`, the comparison of `crossed`.

    What enters a window and what leaves it are joined before they meet the sum, so that the loop waits for one
    addition a bar and not for two.
    """
    count = len(close)
    direction, reason = np.full(count, KEEP, np.int8), np.full(count, NO_REASON, np.int16)
    if count < slow:
        return direction, reason
    fast_sum, slow_sum = close[slow - fast : slow].sum(), close[:slow].sum()
    per_fast, per_slow = 1.0 / fast, 1.0 / slow
    side = 0
    for row in range(slow - 1, count):
        if row >= slow:
            fast_sum += close[row] - close[row - fast]
            slow_sum += close[row] - close[row - slow]
        average = slow_sum * per_slow
        distance = fast_sum * per_fast - average
        if distance * side > 0 or abs(distance) <= EQUAL * average:
            continue
        now = LONG if distance > 0 else SHORT
        if side != 0 or at_once:
            direction[row] = now
            reason[row] = (0 if now > 0 else 1) + (2 if side == 0 else 0)
        side = now
    return direction, reason


@compiled
def _turns(
    close: Floats, periods: Ints, which: Ints, at_once: npt.NDArray[np.bool_], room: int
) -> tuple[Ints, Rows, Directions]:
    """The crossings of many pairs of averages, pair by pair. `which` are a pair's places among the periods.

    The last of the counts tells how much room is needed; with less, rows are missing.
    """
    pairs = len(which)
    averages, sums = np.empty((len(periods), _TILE)), np.zeros(len(periods))
    sides, counts = np.zeros(pairs, np.int8), np.zeros(pairs + 1, np.int64)
    pair_of, row_of, side_of = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int8)
    above, beneath = np.empty(_TILE // _WORD, np.uint64), np.empty(_TILE // _WORD, np.uint64)
    said = 0
    for begin in range(0, len(close), _TILE):
        length = min(_TILE, len(close) - begin)
        for each in range(len(periods)):
            sums[each] = _average(close, periods[each], begin, sums[each], averages[each, :length])
        for pair in range(pairs):
            ready = periods[which[pair, 1]] - 1 - begin
            if ready >= length:
                continue
            _compare(averages[which[pair, 0]], averages[which[pair, 1]], above, beneath)
            at, side = max(ready, 0), sides[pair]
            while True:
                at, now = _next_side(above, beneath, at, side)
                if at >= length:
                    break
                if side != 0 or at_once[pair]:
                    if said < room:
                        pair_of[said], row_of[said], side_of[said] = pair, begin + at, now
                    said += 1
                    counts[pair + 1] += 1
                side = now
            sides[pair] = side
    return _by_pair(np.cumsum(counts), pair_of[: min(said, room)], row_of, side_of)


@compiled
def _average(close: Floats, period: int, begin: int, total: float, averages: Floats) -> float:
    """The running average of these bars, the sum carried on: in the order in which `_crossings` adds."""
    share = 1.0 / period
    for at in range(len(averages)):
        row = begin + at
        total += close[row]
        averages[at] = total * share
        if row >= period - 1:
            total -= close[row - period + 1]
    return total


@compiled
def _compare(fast: Floats, slow: Floats, above: Words, beneath: Words) -> None:
    """A bit for each bar on which the fast average is above the slow one, and for each on which it is beneath."""
    for word in range(len(above)):
        up, down = np.uint64(0), np.uint64(0)
        for bit in range(_WORD):
            at = word * _WORD + bit
            distance, near = fast[at] - slow[at], EQUAL * slow[at]
            up |= np.uint64(distance > near) << np.uint64(bit)
            down |= np.uint64(distance < -near) << np.uint64(bit)
        above[word], beneath[word] = up, down


@compiled
def _next_side(above: Words, beneath: Words, at: int, side: int) -> tuple[int, int]:
    """The next bar on another side than this one, and which; behind the tile where there is none.

    Equal averages keep the side.
    """
    left = _ALL << np.uint64(at % _WORD)
    for word in range(at // _WORD, len(above)):
        up = above[word] & left if side <= 0 else np.uint64(0)
        found = up | (beneath[word] & left if side >= 0 else np.uint64(0))
        if found != 0:
            lowest = found & (~found + _ONE)
            return word * _WORD + _PLACES[(lowest * _SEQUENCE) >> _TOP], LONG if up & lowest else SHORT
        left = _ALL
    return _TILE, side


@compiled
def _by_pair(
    first: Ints, pair_of: npt.NDArray[np.int32], row_of: Rows, side_of: Directions
) -> tuple[Ints, Rows, Directions]:
    """From the order of bars to that of pairs."""
    rows, sides = np.empty(len(pair_of), np.int32), np.empty(len(pair_of), np.int8)
    at = first.copy()
    for each in range(len(pair_of)):
        place = at[pair_of[each]]
        if place < len(rows):
            rows[place], sides[place] = row_of[each], side_of[each]
        at[pair_of[each]] += 1
    return first, rows, sides
