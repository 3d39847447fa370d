"""What is done once an account was closed: its jobs end, its rows go, its files go. Any of it may be done twice."""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

from loguru import logger

from backend.domain.own_data import DEPARTURES_ARE_KEPT_FOR
from backend.domain.own_data_ports import Departures, OwnFiles
from backend.domain.ports import Clock

# A job that is told to stop is gone within 5 s; one whose runner died never says so.
JOBS_MAY_TAKE_SECONDS = 8.0
_PAUSE_SECONDS = 0.1


class Leaving:
    """Takes closed accounts apart, for whoever leaves and for the housekeeping that makes up for a crash."""

    def __init__(
        self,
        departures: Departures,
        files: OwnFiles,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._departures = departures
        self._files = files
        self._clock = clock
        self._monotonic = monotonic

    async def finish(self, user_id: UUID) -> None:
        """All of theirs is gone afterwards, but for what a job writes that nobody could stop."""
        await self._until_no_job_runs(user_id)
        while await self._departures.remove_some(user_id):
            pass
        await asyncio.to_thread(self._files.remove, user_id)

    async def delete(self, user_id: UUID, reason: str) -> bool:
        """For an operator; False when there is no such account."""
        if not await self._departures.close(user_id, reason):
            return False
        await self.finish(user_id)
        return True

    async def go_on(self) -> int:
        """Finish what was interrupted, and look once more after those who left a while ago; how many are done with."""
        done = 0
        for departure in await self._departures.waiting():
            try:
                await self.finish(departure.user_id)
            except Exception:  # noqa: BLE001 - one that cannot be finished now must not keep the others; it is tried again
                logger.exception("What somebody left behind could not be removed; it is tried again")
                continue
            if departure.left_at <= self._clock.now() - DEPARTURES_ARE_KEPT_FOR:
                await self._departures.forget(departure.user_id)
                done += 1
        return done

    async def _until_no_job_runs(self, user_id: UUID) -> None:
        until = self._monotonic() + JOBS_MAY_TAKE_SECONDS
        while await self._departures.running_jobs(user_id) and self._monotonic() < until:  # noqa: ASYNC110 - told by the database alone
            await asyncio.sleep(_PAUSE_SECONDS)
