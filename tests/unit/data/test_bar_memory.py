"""What a process remembers of decoded bars: bounded, found by what it is, never changed."""

import numpy as np
import pytest

from backend.data.storage.bars.blocks import Block
from backend.data.storage.bars.memory import Memory, Unit

ROWS = 10
BYTES = 6 * ROWS * 8


def units(*names: str) -> list[Unit]:
    return [Unit(name, 0) for name in names]


def kept(memory: Memory, series: str, *names: str, current: tuple[str, ...] = ()) -> Block:
    block = np.random.default_rng(1).random((6, ROWS * len(names)))
    memory.keep(series, units(*names), [ROWS] * len(names), block, current=set(current or names))
    return block


def test_neighbours_are_found_without_a_copy() -> None:
    memory = Memory(10 * BYTES)
    block = kept(memory, "btc", "a", "b", "c")
    for first, names in ((0, "abc"), (0, "a"), (1, "bc"), (2, "c")):
        found = memory.find("btc", units(*names))
        assert found is not None
        assert np.shares_memory(found, block)
        assert (found == block[:, first * ROWS : (first + len(names)) * ROWS]).all()


def test_what_does_not_lie_side_by_side_is_not_found() -> None:
    memory = Memory(10 * BYTES)
    kept(memory, "btc", "a", "b", "c")
    for names in ("ac", "ba", "cd", "d"):
        assert memory.find("btc", units(*names)) is None
    assert memory.find("eth", units("a")) is None


def test_nobody_can_change_it() -> None:
    memory = Memory(10 * BYTES)
    block = kept(memory, "btc", "a")
    with pytest.raises(ValueError, match="read-only"):
        block[0, 0] = 1


def test_what_was_not_read_for_longest_is_forgotten_first() -> None:
    memory = Memory(2 * BYTES)
    kept(memory, "btc", "a")
    kept(memory, "eth", "a")
    memory.find("btc", units("a"))
    kept(memory, "sol", "a")
    assert [memory.find(series, units("a")) is not None for series in ("btc", "eth", "sol")] == [True, False, True]


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    memory = Memory(2 * BYTES)
    kept(memory, "btc", "a")
    kept(memory, "eth", "a", "b", "c")
    assert memory.find("eth", units("a")) is None
    assert memory.find("btc", units("a")) is not None


def test_longer_stretch_takes_the_place_of_its_parts() -> None:
    memory = Memory(3 * BYTES)
    kept(memory, "btc", "a")
    kept(memory, "btc", "a", "b")
    kept(memory, "eth", "a")
    assert memory.find("btc", units("a", "b")) is not None
    assert memory.find("eth", units("a")) is not None


def test_files_that_are_not_current_are_forgotten_with_their_stretch() -> None:
    memory = Memory(10 * BYTES)
    kept(memory, "btc", "old")
    kept(memory, "btc", "a", "old")
    kept(memory, "btc", "new", current=("a", "new"))
    assert memory.find("btc", units("old")) is not None, "beside one that is current it is still of use"
    memory.keep("btc", units("new", "b"), [ROWS, ROWS], np.zeros((6, 2 * ROWS)), current={"new", "b"})
    assert memory.find("btc", units("old")) is None


def test_one_series_can_be_forgotten() -> None:
    memory = Memory(10 * BYTES)
    for series in ("btc", "eth"):
        kept(memory, series, "a")
        kept(memory, series, "b", current=("a", "b"))
    memory.forget("btc")
    assert memory.find("btc", units("a")) is None
    assert memory.find("btc", units("b")) is None
    assert memory.find("eth", units("a")) is not None
