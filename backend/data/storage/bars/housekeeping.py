"""A BarHousekeeping beside the store: who uses how much of the disk, and what goes when it gets full."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from backend.data.storage.bars import places
from backend.data.storage.bars.folders import LOCK, Folder
from backend.data.storage.bars.quarantine import forget_older
from backend.data.storage.bars.store import ParquetBarStore
from backend.domain.market import Series
from backend.domain.market_errors import SeriesBusy
from backend.domain.market_ports import DiskRoom, Manifest

SET_ASIDE_IS_KEPT_FOR: Final = timedelta(days=30)
# By then every reader has got what it came for.
RETIRED_IS_KEPT_FOR: Final = timedelta(minutes=5)


class ParquetBarHousekeeping:
    """Works on the folders of a store, and beside any number of them in other processes."""

    def __init__(self, store: ParquetBarStore) -> None:
        self._store = store
        self._shelves = store.shelves

    def used_bytes(self) -> Mapping[UUID | None, int]:
        used: dict[UUID | None, int] = {}
        for root in (self._shelves.root, self._shelves.quarantine):
            for owner, folder in places.owners(root):
                used[owner] = used.get(owner, 0) + places.bytes_in(folder)
        return used

    def evict(self, budget_bytes: int, *, owner: UUID | None = None) -> Sequence[Manifest]:
        found = [one for one in self._store.manifests() if owner is None or one.series.owner == owner]
        refetchable = [one for one in found if one.series.is_refetchable]
        used, gone = sum(one.size_bytes for one in refetchable), []
        for manifest in sorted(refetchable, key=lambda one: one.used_at):
            if used <= budget_bytes:
                break
            with contextlib.suppress(SeriesBusy):
                self._shelves.remove(manifest.series, patience_seconds=0)
                used -= manifest.size_bytes
                gone.append(manifest)
        return gone

    def sweep(self) -> int:
        freed = 0
        for folder in list(places.folders_with(LOCK, self._shelves.root)):
            with contextlib.suppress(ValueError, IndexError, SeriesBusy):
                freed += self._sweep(places.series_at(folder.relative_to(self._shelves.root)), folder)
        freed += forget_older(self._shelves.quarantine, self._shelves.clock.now() - SET_ASIDE_IS_KEPT_FOR)
        for root in (self._shelves.root, self._shelves.quarantine):
            places.remove_empty(root)
        return freed

    def room(self) -> DiskRoom:
        return places.disk_room(self._shelves.root)

    def _sweep(self, series: Series, path: Path) -> int:
        before = places.bytes_in(path)

        def work(folder: Folder) -> None:
            kept = self._shelves.mended(folder, series)
            now = self._shelves.clock.now()
            self._shelves.clean(
                folder, kept, also_retired=kept is not None and kept.fetched_at < now - RETIRED_IS_KEPT_FOR
            )
            if kept is None:
                folder.remove(LOCK)

        self._shelves.look_exclusively(series, work, patience_seconds=0)
        return before - places.bytes_in(path)
