"""What was tried before, as a job is told of it, and what it adds: a ledger in memory, since the database keeps it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from backend.backtesting.ledger import Entry, Family, FamilySize, Ledger
from backend.domain.backtests import MOST_T_VALUES


class Remembered(Ledger):
    """A ledger of one family. What came before counts, though it cannot be read."""

    def __init__(self, *, trials: int = 0, t_values: Iterable[float] = ()) -> None:
        self._trials = trials
        self._t_values = [*t_values]
        self._own: dict[int, float] = {}

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """As `submit` wrote it."""
        family = payload.get("family") or {}
        return cls(trials=family.get("trials", 0), t_values=family.get("t_values", ()))

    def own(self) -> dict[str, Any]:
        """What this job tried; of very many ratios so many that they spread alike."""
        known = np.sort([one for one in self._own.values() if np.isfinite(one)])
        places = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_T_VALUES)).astype(np.int64))
        return {"trials": len(self._own), "t_values": known[places].tolist()}

    def append(self, family: Family, entries: Iterable[Entry]) -> None:
        self._own.update((entry.key, entry.t_value) for entry in entries)

    def size(self, family: Family) -> FamilySize:
        own = [one for one in self._own.values() if np.isfinite(one)]
        return FamilySize(trials=self._trials + len(self._own), t_values=np.asarray([*self._t_values, *own]))

    def knows(self, family: Family, entry: Entry) -> bool:
        return entry.key in self._own

    def read(self, family: Family) -> Iterator[dict[str, Any]]:
        """Nothing: it holds numbers alone."""
        return iter(())
