"""Series that lie on the disk without a line in the catalogue, since the command line fetched them there."""

import asyncio
import time

from backend.domain.market_ports import BarStore, SharedCatalogue

# A look walks all folders, so the catalogue is not listed behind one each time.
LOOK_SECONDS = 10.0


class Adoption:
    """One per process. Imports from the terminal belong to this machine alone, and are left where they are."""

    def __init__(self, store: BarStore, catalogue: SharedCatalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._known: set[object] = set()
        self._looked_at = float("-inf")

    async def look(self) -> int:
        """Add what is new; how many that were."""
        self._looked_at = time.monotonic()
        manifests = await asyncio.to_thread(self._store.manifests)
        found = [one.series for one in manifests if one.series.owner is None and one.series not in self._known]
        added = await self._catalogue.adopt(found) if found else 0
        self._known.update(found)
        return added

    async def look_now_and_then(self) -> None:
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            await self.look()
