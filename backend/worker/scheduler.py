"""One process among all of an installation puts its housekeeping into the queue, as jobs like any other."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from loguru import logger

from backend.domain.errors import TidemarkError
from backend.domain.job_ports import Election, JobQueue
from backend.domain.jobs import KINDS, JobKind, NewJob

if TYPE_CHECKING:
    from backend.bootstrap import House

# Also how long the installation is without a scheduler when the chosen one is gone.
LOOK_SECONDS = 10.0
# Below what people wait for.
PRIORITY = -5


class Scheduler:
    """Knows when each kind of housekeeping is due. Two of a kind never wait at once: the queue sees to that."""

    def __init__(
        self,
        queue: JobQueue,
        election: Election,
        every_seconds: dict[JobKind, float],
        *,
        only_when: Mapping[JobKind, Callable[[], Awaitable[bool]]] = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`only_when` looks whether there is anything to do for a kind that has often nothing."""
        self._queue = queue
        self._only_when = only_when
        self._election = election
        self._every_seconds = every_seconds
        self._clock = clock
        # At the start everything is due: nobody knows when it was done last.
        self._due_at = dict.fromkeys(every_seconds, clock())

    async def look(self) -> list[JobKind]:
        """Add what is due, if this is the chosen process; what that was."""
        if not await self._election.is_won():
            return []
        due = [kind for kind, at in self._due_at.items() if at <= self._clock()]
        added = []
        for kind in due:
            self._due_at[kind] = self._clock() + self._every_seconds[kind]
            if kind in self._only_when and not await self._only_when[kind]():
                continue
            await self._queue.add(NewJob(kind=kind, payload={}, demand=KINDS[kind].demand, priority=PRIORITY))
            added.append(kind)
        return added

    async def keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except TidemarkError as error:
                logger.warning("The scheduler waits: {}", error.detail)
            except Exception:  # noqa: BLE001 - one bad look must not end the scheduler; it is logged and tried again
                logger.exception("The scheduler met an error that nobody expected")
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def open_scheduler(house: "House") -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(
        house.queue,
        house.election,
        {JobKind.MAINTAIN: 3600.0, JobKind.SCORE: 60.0},
        only_when={JobKind.SCORE: house.models.book.is_any_due},
    )
    task = asyncio.create_task(scheduler.keep_looking())
    try:
        yield scheduler
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
