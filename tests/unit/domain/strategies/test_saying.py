"""From conditions to signals."""

import numpy as np
import pytest

from backend.domain.signals import FLAT, KEEP, LONG, SHORT
from backend.domain.strategies.saying import crossed, hold, level, positions, say


def mask(text: str) -> np.ndarray:
    return np.array([letter == "x" for letter in text])


def test_a_touch_is_no_crossing() -> None:
    line = np.array([1, 2, 3, 2, 1, 2, 2, 3, 2, 1.0])
    assert crossed(line, level(2, 10)).tolist() == [0, 0, 1, 0, -1, 0, 0, 1, 0, -1]


def test_the_first_side_is_no_crossing_and_nothing_is_compared_without_values() -> None:
    line = np.array([np.nan, np.nan, 3, 1, 3])
    assert crossed(line, level(2, 5)).tolist() == [0, 0, 0, -1, 1]


def test_what_differs_in_the_last_digits_only_is_equal() -> None:
    assert not crossed(np.array([1.0, 3.0, 1.0, 3.0]) * 1e-16 + 2, level(2, 4)).any()


def test_it_is_said_once_and_the_first_of_several_counts() -> None:
    made = say((mask("x..x.x."), LONG, "up"), (mask("..x..xx"), FLAT, "down"))
    assert made.direction.tolist() == [LONG, KEEP, FLAT, LONG, KEEP, KEEP, FLAT]
    assert [made.why(bar) for bar in range(7)] == ["up", "", "down", "up", "", "", "down"]


@pytest.mark.parametrize(
    ("enter_long", "exit_long", "enter_short", "exit_short", "expected"),
    [
        ("x...", "..x.", "....", "....", [LONG, KEEP, FLAT, KEEP]),
        ("....", "x.x.", "....", "x.x.", [KEEP, KEEP, KEEP, KEEP]),  # nothing to leave
        ("xx..", ".x..", "....", "....", [LONG, FLAT, KEEP, KEEP]),  # an exit beats an entry on its side
        ("x...", ".x..", ".x..", "....", [LONG, SHORT, KEEP, KEEP]),  # turned around on one bar
        ("x.x.", "....", "..x.", "....", [LONG, KEEP, KEEP, KEEP]),  # both sides at once cancel each other
        ("xx.x", "....", "....", "....", [LONG, KEEP, KEEP, LONG]),  # true anew: said again, a stop may have hit
        ("....", "x...", "x...", "..x.", [SHORT, KEEP, FLAT, KEEP]),
        ("....", ".x..", "x...", "....", [SHORT, KEEP, KEEP, KEEP]),  # the exit of the other side is not its own
    ],
)
def test_positions(enter_long: str, exit_long: str, enter_short: str, exit_short: str, expected: list[int]) -> None:
    made = positions(
        enter_long=mask(enter_long),
        exit_long=mask(exit_long),
        enter_short=mask(enter_short),
        exit_short=mask(exit_short),
        reasons=["in", "out", "in short", "out short"],
    )
    assert made.direction.tolist() == expected
    assert [made.why(bar) != "" for bar in range(4)] == [side != KEEP for side in expected]


def test_held_for_so_many_bars_or_until_the_other_side() -> None:
    direction, is_over = hold(np.array([0, 1, 1, 0, 0, 0, 1, -1, 0, 0, 0], np.int8), 3)
    assert direction.tolist() == [2, 1, 2, 2, 0, 2, 1, -1, 2, 2, 0]
    assert np.flatnonzero(is_over).tolist() == [4, 10]
