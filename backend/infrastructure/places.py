"""Work that takes long has few places, and nobody takes all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from backend.domain.errors import QuotaReached


class Places:
    """So many at once of one user, who is refused beyond; and so many of all, who wait for each other."""

    def __init__(self, what: str, *, of_one: int, at_once: int | None = None) -> None:
        """`what` is told to whoever is refused. Without `at_once` whoever does the work knows how much of it."""
        self._what = what
        self._of_one = of_one
        self._turn = None if at_once is None else asyncio.Semaphore(at_once)
        self._present: Counter[UUID] = Counter()

    @asynccontextmanager
    async def of(self, owner: UUID) -> AsyncIterator[None]:
        """A place, with the turn that belongs to it. Raises QuotaReached."""
        if self._present[owner] >= self._of_one:
            raise QuotaReached(self._what, limit=self._of_one, count=self._present[owner])
        self._present[owner] += 1
        try:
            if self._turn is None:
                yield
            else:
                async with self._turn:
                    yield
        finally:
            self._present[owner] -= 1
            if not self._present[owner]:
                del self._present[owner]
