"""Bars that were decoded before, as one process remembers them. Nobody can change what others read too."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from backend.data.storage.bars.blocks import Block


class Unit(NamedTuple):
    """What is decoded at once: a group of rows of a file. Files never change, so a name is a content."""

    file: str
    group: int


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Neighbouring units in one block."""

    units: tuple[Unit, ...]
    begins: tuple[int, ...]  # the first row of each unit, and the end of the last
    position: dict[Unit, int]
    block: Block

    def part(self, units: Sequence[Unit]) -> Block | None:
        first = self.position.get(units[0])
        if first is None or self.units[first : first + len(units)] != tuple(units):
            return None
        return self.block[:, self.begins[first] : self.begins[first + len(units)]]


class Memory:
    """Stretches of many series, up to a number of bytes; what was not read for longest goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._stretches: OrderedDict[tuple[str, tuple[Unit, ...]], _Stretch] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, series: str, units: Sequence[Unit]) -> Block | None:
        """The bars of these units where they lie side by side already."""
        with self._lock:
            for key, stretch in self._stretches.items():
                if key[0] == series and (part := stretch.part(units)) is not None:
                    self._stretches.move_to_end(key)
                    return part
        return None

    def keep(
        self, series: str, units: Sequence[Unit], rows: Sequence[int], block: Block, *, current: Collection[str]
    ) -> None:
        """From now on nobody can change this block. What it replaces is forgotten: files that are not current."""
        block.flags.writeable = False
        if block.nbytes > self._most_bytes or not units:
            return
        position = {unit: index for index, unit in enumerate(units)}
        stretch = _Stretch(
            units=tuple(units), begins=tuple(accumulate(rows, initial=0)), position=position, block=block
        )
        with self._lock:
            for key, other in list(self._stretches.items()):
                if key[0] == series and all(unit in position or unit.file not in current for unit in other.units):
                    self._forget(key)
            self._stretches[series, stretch.units] = stretch
            self._bytes += block.nbytes
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._stretches)))

    def forget(self, series: str) -> None:
        with self._lock:
            for key in [key for key in self._stretches if key[0] == series]:
                self._forget(key)

    def _forget(self, key: tuple[str, tuple[Unit, ...]]) -> None:
        self._bytes -= self._stretches.pop(key).block.nbytes
