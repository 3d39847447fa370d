"""One account through all windows of a walk forward: the winner of each window speaks there, and nobody else."""

from collections.abc import Sequence

import numpy as np

from backend.backtesting.course import Course
from backend.backtesting.result import Result
from backend.domain.signals import COLUMNS, FLAT, KEEP, NO_REASON, Signals
from backend.domain.strategies.base import StrategyParameters

_OVER = "The window is over"

# From when up to when, and the winner; None = nobody speaks.
Part = tuple[tuple[int, int], StrategyParameters | None]


def stitched(course: Course, parts: Sequence[Part]) -> Result | None:
    """Trade the parts one after the other. At the end of each but the last, the position is left at the next open."""
    if all(parameters is None for _, parameters in parts):
        return None
    spoken = []
    for number, (span, parameters) in enumerate(parts):
        there = course.between(*span)
        said = _silence(there) if parameters is None else there.signals(parameters)
        spoken.append(said if number == len(parts) - 1 else tuple(_ended(signals) for signals in said))
    whole = course.between(parts[0][0][0], parts[-1][0][1])
    return whole.trade(tuple(_joined(several) for several in zip(*spoken, strict=True)))


def _silence(course: Course) -> tuple[Signals, ...]:
    counts = [len(market) - start for market, start in zip(course.markets, course.starts, strict=True)]
    return tuple(Signals(direction=np.full(count, KEEP, np.int8)) for count in counts)


def _ended(signals: Signals) -> Signals:
    """The same, and out after the last bar."""
    if not len(signals):
        return signals
    direction = signals.direction.copy()
    direction[-1] = FLAT
    reason = np.full(len(signals), NO_REASON, np.int16) if signals.reason is None else signals.reason.copy()
    reason[-1] = len(signals.reasons)
    columns = {name: _without_last(values) for name, values in signals.columns.items()}
    return Signals(direction=direction, reason=reason, reasons=(*signals.reasons, _OVER), **columns)


def _without_last(values: np.ndarray) -> np.ndarray:
    return np.append(values[:-1], np.nan)


def _joined(several: Sequence[Signals]) -> Signals:
    reasons = tuple(dict.fromkeys(text for signals in several for text in signals.reasons))
    names = [name for name in COLUMNS if any(getattr(signals, name) is not None for signals in several)]
    return Signals(
        direction=np.concatenate([signals.direction for signals in several]),
        reason=np.concatenate([_renamed(signals, reasons) for signals in several]),
        reasons=reasons,
        **{name: np.concatenate([_column(signals, name) for signals in several]) for name in names},
    )


def _renamed(signals: Signals, reasons: Sequence[str]) -> np.ndarray:
    """Its reasons as places in those of all."""
    if signals.reason is None or not signals.reasons:
        return np.full(len(signals), NO_REASON, np.int16)
    places = np.array([*(reasons.index(text) for text in signals.reasons), NO_REASON], np.int16)
    return places[signals.reason]


def _column(signals: Signals, name: str) -> np.ndarray:
    values = getattr(signals, name)
    return np.full(len(signals), np.nan) if values is None else values
