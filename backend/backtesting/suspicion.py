"""Where look-ahead would show: after how many bars a strategy is asked again.

A leak shows only where history ends just behind the bar that leaks. One that is always there shows anywhere; one that
is rare and pays shows where a signal came right in time, or stayed away right in time.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.signals import KEEP, LONG, Signals
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Floats, Market

Rows = npt.NDArray[np.int64]

THOROUGH_POINTS: Final = 200
# The more bars, the longer each answer takes: so many points up to so many bars, then the fewest.
_SAMPLED: Final = ((20_000, 48), (200_000, 24))
_FEWEST_SAMPLED: Final = 12
# A strategy that declares no warm-up is not expected to have an answer to fewer bars.
_FEWEST_KNOWN: Final = 30
# What is filled in backwards leaks only into the first bars.
_EARLY: Final = (5, 10, 20)
# How many bars a market's usual step is taken from, and the least share of its step over all of history.
_USUAL_BARS, _LEAST_USUAL = 50, 0.25


def sampled(strategy: TradingStrategy, market: Market) -> int:
    """How many points are asked about unless somebody wants them all. Whoever learns takes long for each answer."""
    more = (points for bars, points in _SAMPLED if len(market) <= bars and not strategy.learns)
    return next(more, _FEWEST_SAMPLED)


def early(strategy: TradingStrategy, market: Market) -> list[int]:
    """Counts of bars before those that every strategy has to know."""
    return [count for count in _EARLY if strategy.least_bars() <= count < min(_FEWEST_KNOWN, len(market))]


def places(strategy: TradingStrategy, market: Market, said: Signals, points: int) -> tuple[Rows, Rows]:
    """How many bars are known at each: at or just before a signal, and evenly over the rest of history.

    A quarter are the signals that the price proved right the most, and a quarter those that it did for times as calm
    or wild as theirs were. A sixth end one bar before a signal that let a bad bar pass first. Some are any signals.
    """
    least, most = min(max(strategy.least_bars(), _FEWEST_KNOWN), len(market) - 1), len(market) - 1
    fired = _fired(said)
    fired = fired[(fired + 1 >= least) & (fired + 1 <= most)]
    right, before = _proved_right(said, market, fired)
    usual = _usual_steps(market.columns["close"], fired)
    left, chosen = np.ones(len(fired), np.bool_), [np.empty(0, np.int64)]
    for worth, share in ((right, 4), (right / usual, 4), (None, 12)):
        rows = np.flatnonzero(left)
        taken = spread(rows, points // share) if worth is None else rows[_greatest(worth[rows], points // share)]
        left[taken] = False
        chosen.append(fired[taken] + 1)
    late = fired[(fired >= least) & (before > 0)]
    chosen.append(late[_greatest(before[(fired >= least) & (before > 0)], points // 6)])
    suspects = np.unique(np.concatenate(chosen))
    others = np.setdiff1d(np.linspace(least, most, 4 * points).round().astype(np.int64), suspects)
    return suspects, spread(others, points - len(suspects))


def _fired(said: Signals) -> Rows:
    """Rows at which the strategy wanted something else than before, or moved a price."""
    direction = said.direction
    wanted = direction != KEEP
    wanted[1:] &= direction[1:] != direction[:-1]
    for values in (said.stop, said.target, said.limit):
        if values is not None:
            moved = np.isfinite(values)
            moved[1:] &= values[1:] != values[:-1]
            wanted |= moved
    return np.flatnonzero(wanted)


def _proved_right(said: Signals, market: Market, fired: Rows) -> tuple[Floats, Floats]:
    """How far the price went each signal's way until the next one, for its time; to be out is right where it fell.

    And how far it went the other way in the bar of the signal, which was spared whoever had not signalled before.
    """
    until = np.append(fired[1:], len(market) - 1)
    close, direction = market.columns["close"], said.direction[fired]
    moved = np.log(close[until] / close[fired]) / np.sqrt(np.maximum(until - fired, 1))
    spared = np.log(close[np.maximum(fired - 1, 0)] / close[fired])
    way = np.where(direction == KEEP, 0.0, np.where(direction == LONG, 1.0, -1.0))
    return way * moved, way * spared


@compiled
def _usual_steps(close: Floats, fired: Rows) -> Floats:
    """The mean step of the bars before each, relative; where nothing moved it is one of all history's mean."""
    steps = np.zeros(len(close))
    for row in range(1, len(close)):
        steps[row] = steps[row - 1] + abs(close[row] / close[row - 1] - 1.0)
    least = max(steps[-1] / max(len(close) - 1, 1) * _LEAST_USUAL, 1e-12)
    usual = np.empty(len(fired))
    for place in range(len(fired)):
        row = fired[place]
        first = max(row - _USUAL_BARS, 0)
        usual[place] = max((steps[row] - steps[first]) / max(row - first, 1), least)
    return usual


def _greatest(values: Floats, most: int) -> npt.NDArray[np.bool_]:
    """Which are the greatest, of equal ones the first. All are put in order only where there is no other way."""
    ranks = -values
    mask = np.ones(len(ranks), np.bool_)
    if len(ranks) > most:
        last = np.partition(ranks, most - 1)[most - 1]
        near = np.flatnonzero(~(ranks > last))
        mask[:] = False
        mask[near[np.argsort(ranks[near], kind="stable")[:most]]] = True
    return mask


def spread(rows: Rows, most: int) -> Rows:
    """At most so many of them, evenly over all."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
