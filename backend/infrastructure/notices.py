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


class CommitNotices:
    """A Notices over the bus."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        # In the order in which they were told, each once.
        self._queued: dict[UUID, None] = {}
        self._users: dict[UUID, None] = {}
        self._wake = asyncio.Event()

    def tell(self, *, queued: Sequence[UUID] = (), users: Collection[UUID] = ()) -> None:
        self._queued.update(dict.fromkeys(queued))
        self._users.update(dict.fromkeys(users))
        self._wake.set()

    async def keep_telling(self) -> None:
        """Until cancelled: one notice at a time, and what comes meanwhile goes into the next."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queued or self._users:
                queued = _taken(self._queued, IDS_A_NOTICE)
                users = _taken(self._users, IDS_A_NOTICE - len(queued))
                await self._bus.publish(TOLD_CHANNEL, json.dumps({"queued": queued, "users": users}))
                await asyncio.sleep(PAUSE_SECONDS)


def _taken(ids: dict[UUID, None], most: int) -> list[str]:
    taken = list(islice(ids, most))
    for one in taken:
        del ids[one]
    return [str(one) for one in taken]
