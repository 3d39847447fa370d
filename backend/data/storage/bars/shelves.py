"""The folders of all series: opening and locking them, what their manifests say, and what is rubbish in them."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from cachetools import LRUCache

from backend.data.storage.bars import manifests, places
from backend.data.storage.bars.decoding import inspect
from backend.data.storage.bars.files import Damaged
from backend.data.storage.bars.folders import LOCK, Busy, Folder, Gone
from backend.data.storage.bars.manifests import Kept
from backend.data.storage.bars.places import MANIFEST
from backend.data.storage.bars.quarantine import set_aside
from backend.domain.market import Series
from backend.domain.market_errors import SeriesBusy, SeriesDamaged
from backend.domain.ports import Clock

PATIENCE_SECONDS: Final = 60.0
_TRIES = 5
_PARSED_MANIFESTS = 512

T = TypeVar("T")


class Shelves:
    """Every series has a folder."""

    def __init__(self, root: Path, clock: Clock, *, durable: bool, patience_seconds: float) -> None:
        self.root = root.absolute() / places.BARS
        self.quarantine = root.absolute() / places.QUARANTINE
        self.clock = clock
        self._durable = durable
        self._patience_seconds = patience_seconds
        self._parsed: LRUCache[str, tuple[bytes, Kept]] = LRUCache(_PARSED_MANIFESTS)
        self._parsing = threading.Lock()

    def path(self, series: Series) -> Path:
        return self.root / places.series_path(series)

    @contextlib.contextmanager
    def opened(self, series: Series, *, steady: bool = False) -> Iterator[Folder]:
        """To read. `steady` keeps writers out meanwhile. Raises FileNotFoundError."""
        with Folder.opened(self.path(series), durable=self._durable) as folder:
            if not steady:
                yield folder
                return
            try:
                with folder.locked(patience_seconds=self._patience_seconds, shared=True):
                    yield folder
            except Busy:
                raise SeriesBusy(series, self._patience_seconds) from None
            except Gone:
                raise FileNotFoundError(folder.path) from None

    def exclusively(self, series: Series, work: Callable[[Folder], T]) -> T:
        """To write; begins again when somebody removes the folder meanwhile."""
        for _ in range(_TRIES):
            with contextlib.suppress(Gone, FileNotFoundError):
                return self._locked(series, work, make=True)
        raise SeriesDamaged(f"The folder of {series} is removed again and again while it is in use.")

    def look_exclusively(
        self, series: Series, work: Callable[[Folder], T], *, patience_seconds: float | None = None
    ) -> T | None:
        """To mend or remove what there is; None where there is nothing, or nothing any more."""
        for _ in range(_TRIES):
            try:
                return self._locked(series, work, patience_seconds=patience_seconds)
            except FileNotFoundError:
                return None
            except Gone:
                continue
        return None

    def _locked(
        self, series: Series, work: Callable[[Folder], T], *, make: bool = False, patience_seconds: float | None = None
    ) -> T:
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        with Folder.opened(self.path(series), durable=self._durable, make=make) as folder:
            try:
                with folder.locked(patience_seconds=patience):
                    return work(folder)
            except Busy:
                raise SeriesBusy(series, patience) from None

    def kept(self, folder: Folder, series: Series) -> Kept | None:
        """What the manifest says; None without one. Raises Damaged."""
        try:
            data = folder.read(MANIFEST)
        except FileNotFoundError:
            return None
        with self._parsing:
            known = self._parsed.get(str(folder.path))
            if known is None or known[0] != data:
                known = self._parsed[str(folder.path)] = data, manifests.from_bytes(data, series)
            return known[1]

    def mended(self, folder: Folder, series: Series) -> Kept | None:
        """The same for whoever holds the lock: without a manifest that can be believed, all files are set aside."""
        try:
            return self.kept(folder, series)
        except Damaged as damage:
            others = folder.names() - {MANIFEST, LOCK}
            self.set_aside(folder, series, {MANIFEST: str(damage)} | dict.fromkeys(others, "its manifest is damaged"))
            return None

    def without_damage(self, series: Series, suspects: Mapping[str, str]) -> Mapping[str, str]:
        """Set aside those of the suspects that still are what the series needs, and still not what was written."""

        def work(folder: Folder) -> dict[str, str]:
            kept = self.mended(folder, series)
            files = {file.name: file for file in kept.files} if kept else {}
            found = {name: why for name in suspects if name in files and (why := inspect(folder, files[name]))}
            if kept and found:
                # The manifest first: whoever is killed in between leaves rubbish, not a hole.
                folder.write(MANIFEST, manifests.to_bytes(kept.without(set(found))))
                folder.settle()
                self.set_aside(folder, series, found)
            return found

        return self.look_exclusively(series, work) or {}

    def was_set_aside(self, series: Series) -> bool:
        """Whether there is a manifest of it in quarantine: with it went all that there was."""
        place = self.quarantine / places.series_path(series)
        return any(place.glob(f"*-{MANIFEST}"))

    def all_set_aside(self) -> Iterator[Series]:
        """Those of which anything is in quarantine."""
        return places.all_series(self.quarantine, f"*-{MANIFEST}")

    def set_aside(self, folder: Folder, series: Series, damage: Mapping[str, str]) -> None:
        set_aside(folder, damage, self.quarantine / places.series_path(series), self.clock.now())

    def clean(self, folder: Folder, kept: Kept | None, *, also_retired: bool = False) -> None:
        """Remove what no manifest names: only whoever holds the lock writes, so nobody is at it any more."""
        needed = {MANIFEST, LOCK}
        if kept is not None:
            needed |= kept.file_names() if also_retired else kept.file_names() | set(kept.retired)
        for name in folder.names() - needed:
            folder.remove(name)

    def remove(self, series: Series, *, patience_seconds: float | None = None) -> bool:
        """A series with all that is kept of it; whether there was one."""

        def work(folder: Folder) -> bool:
            was_there = MANIFEST in folder.names()
            folder.remove(MANIFEST)  # first: without it nothing counts
            folder.settle()
            self.clean(folder, None)
            folder.remove(LOCK)
            return was_there

        was_there = self.look_exclusively(series, work, patience_seconds=patience_seconds)
        set_aside = self.quarantine / places.series_path(series)
        shutil.rmtree(set_aside, ignore_errors=True)
        _prune(self.path(series), self.root)
        _prune(set_aside.parent, self.quarantine)
        return bool(was_there)


def _prune(folder: Path, root: Path) -> None:
    """Remove the folder and its parents, as long as they are empty."""
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent
