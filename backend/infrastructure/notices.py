"""What was committed is told to every process: soon, together with what was committed meanwhile, and never in the way.

A notice that left with its commit would hold up everybody else's commits: docs/decisions/0005-jobs-are-rows.md.
"""

import asyncio
import json
from collections.abc import Collection, Sequence
from itertools import islice
from uuid import UUID

from backend.domain.events import TOLD_CHANNEL
from backend.domain.job_ports import EventBus

# So many ids are told at a time: 150 take less than the 7,999 bytes that Postgres allows.
IDS_A_NOTICE = 150
# After each notice: nobody sees so short a while, and much of what comes close together goes into the next one.
PAUSE_SECONDS = 0.002
# The bus took nothing: it is away for a moment, or full. Jobs are looked for by every runner within that time.
RETRY_SECONDS = 1.0


class CommitNotices:
    """A Notices over the bus."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        # In the order in which they were told, each once.
        self._queued: dict[UUID, None] = {}
        self._users: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Tell from now on, also what came before."""
        self._teller = asyncio.create_task(self._keep_telling())

    async def close(self) -> None:
        """What is left is told as far as the bus takes it: nobody else knows of it."""
        teller, self._teller = self._teller, None
        if teller is not None:
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)
        while (self._queued or self._users) and await self._tell_some():
            pass

    def tell(self, *, queued: Sequence[UUID] = (), users: Collection[UUID] = ()) -> None:
        self._queued.update(dict.fromkeys(queued))
        self._users.update(dict.fromkeys(users))
        self._wake.set()

    async def _keep_telling(self) -> None:
        """One notice at a time, and what comes meanwhile goes into the next."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queued or self._users:
                is_told = await self._tell_some()
                await asyncio.sleep(PAUSE_SECONDS if is_told else RETRY_SECONDS)

    async def _tell_some(self) -> bool:
        """Whether the bus took it. What it did not take of users is told later, since only streams would find out."""
        queued = _taken(self._queued, IDS_A_NOTICE)
        users = _taken(self._users, IDS_A_NOTICE - len(queued))
        words = {"queued": [str(one) for one in queued], "users": [str(one) for one in users]}
        is_told = False
        try:
            is_told = await self._bus.publish(TOLD_CHANNEL, json.dumps(words))
        finally:
            if not is_told:
                self._users.update(dict.fromkeys(users))
        return is_told


def _taken(ids: dict[UUID, None], most: int) -> list[UUID]:
    taken = list(islice(ids, most))
    for one in taken:
        del ids[one]
    return taken
