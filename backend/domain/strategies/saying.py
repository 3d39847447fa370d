"""From conditions to signals: crossings, positions that conditions open and close, and positions held for a while."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.signals import FLAT, KEEP, LONG, NO_REASON, SHORT, Codes, Directions, Signals

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.int8]

# Running sums forget their last digits; what differs by less than this share is equal.
EQUAL: Final = 1e-12


def crossed(line: Floats, other: Floats) -> Marks:
    """1 on the bar where a line gets above another after it was beneath it, -1 the other way round, else 0.

    To touch it is not to cross it. Lines begin to be compared where both have values.
    """
    return _crossed(np.ascontiguousarray(line, np.float64), np.ascontiguousarray(other, np.float64))


def level(height: float, count: int) -> Floats:
    """A line that does not move."""
    return np.full(count, float(height))


def say(*words: tuple[Mask, int, str]) -> Signals:
    """Where a condition holds, stand on its side for its reason. Of several on one bar the first counts.

    It is said once: while one already wants to stand there, nothing is said.
    """
    count = len(words[0][0])
    direction, reason = np.full(count, KEEP, np.int8), np.full(count, NO_REASON, np.int16)
    for code in reversed(range(len(words))):
        mask, side, _ = words[code]
        direction[mask], reason[mask] = side, code
    said = np.flatnonzero(direction != KEEP)
    wanted = np.concatenate(([FLAT], direction[said]))
    repeated = said[wanted[1:] == wanted[:-1]]
    direction[repeated], reason[repeated] = KEEP, NO_REASON
    return Signals(direction=direction, reason=reason, reasons=tuple(text for _, _, text in words))


def positions(
    *, enter_long: Mask, exit_long: Mask, enter_short: Mask, exit_short: Mask, reasons: Sequence[str], **columns: Floats
) -> Signals:
    """Positions that conditions open and close, with a reason for each in the order of the conditions.

    On one bar an exit beats an entry on the same side, an entry on the other side turns the position around, and
    entries on both sides cancel each other. An entry is said again when its condition comes true anew, since a stop
    may have closed the position in between.
    """
    direction, reason = _positions(enter_long, exit_long, enter_short, exit_short)
    return signals(direction, reason, reasons, **columns)


def hold(sides: Marks, bars: int) -> tuple[Directions, Mask]:
    """Enter where a side is marked, leave after so many bars, or turn around when the other side is marked.

    The mask says where time was up. Marks of the side one is on are not heard.
    """
    return _hold(sides, bars)


def signals(direction: Directions, reason: Codes, reasons: Sequence[str], **columns: Floats) -> Signals:
    """Signals of ours, which need no check."""
    return Signals(direction=direction, reason=reason, reasons=tuple(reasons), **columns)


@compiled
def _crossed(line: Floats, other: Floats) -> Marks:
    marks = np.zeros(len(line), np.int8)
    side = 0
    for row in range(len(line)):
        distance = line[row] - other[row]
        near = EQUAL * abs(other[row])
        if distance > near:
            if side < 0:
                marks[row] = 1
            side = 1
        elif distance < -near:
            if side > 0:
                marks[row] = -1
            side = -1
    return marks


@compiled
def _positions(enter_long: Mask, exit_long: Mask, enter_short: Mask, exit_short: Mask) -> tuple[Directions, Codes]:
    count = len(enter_long)
    direction, reason = np.full(count, KEEP, np.int8), np.full(count, NO_REASON, np.int16)
    state = FLAT
    was_long = was_short = False
    for row in range(count):
        wants_long = enter_long[row] and not exit_long[row]
        wants_short = enter_short[row] and not exit_short[row]
        if wants_long and not wants_short:
            if state != LONG or not was_long:
                direction[row], reason[row] = LONG, 0
            state = LONG
        elif wants_short and not wants_long:
            if state != SHORT or not was_short:
                direction[row], reason[row] = SHORT, 2
            state = SHORT
        elif state == LONG and exit_long[row]:
            direction[row], reason[row], state = FLAT, 1, FLAT
        elif state == SHORT and exit_short[row]:
            direction[row], reason[row], state = FLAT, 3, FLAT
        was_long, was_short = wants_long, wants_short
    return direction, reason


@compiled
def _hold(sides: Marks, bars: int) -> tuple[Directions, Mask]:
    direction, is_over = np.full(len(sides), KEEP, np.int8), np.zeros(len(sides), np.bool_)
    state, since = FLAT, 0
    for row in range(len(sides)):
        if sides[row] != 0 and sides[row] != state:
            direction[row] = state = sides[row]
            since = row
        elif state != FLAT and row - since >= bars:
            direction[row], is_over[row], state = FLAT, True, FLAT
    return direction, is_over
