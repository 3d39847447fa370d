"""Signals are checked where they enter, and what is refused is told with its numbers."""

from typing import Any

import numpy as np
import pytest

from backend.domain.backtest_errors import BadSignals
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals


def test_signals_hold_what_they_were_given() -> None:
    signals = Signals.of(
        [LONG, KEEP, FLAT], bars=3, stop=[9.0, np.nan, np.nan], reason=[1, -1, 0], reasons=["cross down", "cross up"]
    )
    assert signals.direction.dtype == np.int8
    assert signals.stop is not None
    assert signals.stop[0] == 9.0
    assert [signals.why(bar) for bar in range(3)] == ["cross up", "", "cross down"]
    assert set(signals.columns) == {"stop"}


def test_arrays_of_the_right_kind_are_not_copied() -> None:
    direction = np.full(4, KEEP, np.int8)
    stop = np.full(4, np.nan)
    signals = Signals.of(direction, bars=4, stop=stop)
    assert signals.direction is direction
    assert signals.stop is stop


def test_the_first_bars_share_their_memory() -> None:
    signals = Signals.of([LONG, KEEP, FLAT], bars=3, size=[0.5, 0.5, 0.5], reason=[0, 0, 0], reasons=["r"])
    first = signals.first(2)
    assert len(first) == 2
    assert first.size is not None
    assert np.shares_memory(first.size, signals.size)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("too short", {"direction": [LONG, KEEP]}, "The column direction has 2 values for 3 bars."),
    ("two columns", {"direction": [[LONG, KEEP, KEEP]]}, r"has the shape \(1, 3\) for 3 bars"),
    ("not whole", {"direction": [0.5, 0.0, 1.0]}, "direction holds float64; it needs whole numbers"),
    ("truth values", {"direction": [True, False, True]}, "direction holds bool"),
    ("no direction", {"direction": [LONG, 7, -2]}, "2 of 3 directions are none; the first is 7 at bar 1"),
    ("wraps round", {"direction": [257, 0, 0]}, "the first is 257 at bar 0"),
    ("infinite", {"stop": [1.0, np.inf, np.nan]}, "1 values of the column stop .* the first is inf at bar 1"),
    ("negative", {"limit": [1.0, -2.0, np.nan]}, "the first is -2.0 at bar 1"),
    ("zero size", {"size": [1.0, 0.0, np.nan]}, "the first is 0.0 at bar 1"),
    ("text", {"target": ["a", "b", "c"]}, "The column target holds <U1"),
    ("unknown", {"takeprofit": [1.0, 1.0, 1.0]}, "no column takeprofit"),
    ("limit to leave", {"direction": [LONG, FLAT, KEEP], "limit": [1.0, 1.0, 1.0]}, "1 bars say FLAT with a limit"),
    ("reason of nothing", {"reason": [0, 2, -1], "reasons": ["a"]}, "1 reasons point at no text; the first is 2"),
]


@pytest.mark.parametrize(("given", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_signals_are_refused_with_their_numbers(given: dict[str, Any], told: str) -> None:
    direction = given.pop("direction", [LONG, SHORT, KEEP])
    with pytest.raises(BadSignals, match=told):
        Signals.of(direction, bars=3, **given)
