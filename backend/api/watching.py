"""The backtests that one socket watches: of each it hears how it stands, then every change, once and in order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from backend.api import backtest_messages as messages
from backend.api.messages import told
from backend.api.streams import Frame, Stream, Streams
from backend.bootstrap import House
from backend.domain.errors import BacktestNotFound, JobNotFound, QuotaReached
from backend.domain.events import Standing
from backend.domain.jobs import Job, JobState

MOST_ROOMS = 200
REMEMBERED_WORDS = 1_000
# Only these have a result to tell of.
_WITH_RESULT = (JobState.COMPLETED, JobState.CANCELLED)


class Watching:
    """What one socket has subscribed to. It reads the table at a subscription and at an end."""

    def __init__(self, house: House, streams: Streams, stream: Stream, say: Callable[[str], Awaitable[None]]) -> None:
        self._house = house
        self._streams = streams
        self._stream = stream
        self._say = say
        self._user_id = stream.identity.user_id
        self._rooms: dict[str, _Room] = {}
        # No frame may pass between the look at the table and the room that knows of that look.
        self._in_turn = asyncio.Lock()

    async def subscribe(self, backtest_id: UUID) -> None:
        """Tell how it stands, and from there on what becomes of it. Once more does no harm: it is told again."""
        async with self._in_turn:
            if str(backtest_id) not in self._rooms and len(self._rooms) >= MOST_ROOMS:
                raise QuotaReached("backtests watched by one socket", limit=MOST_ROOMS, count=len(self._rooms))
            standing = await self._look(backtest_id)
            room = self._rooms[str(backtest_id)] = _Room(standing)
            await self._tell("backtest:subscribed", {"backtestId": str(backtest_id)})
            result = standing.job.result
            await self._tell(*messages.standing(self._user_id, messages.in_brief(standing.job), result))
            await self._tell_progress(room)

    async def unsubscribe(self, backtest_id: UUID) -> None:
        """Also what was never subscribed to is not watched afterwards."""
        async with self._in_turn:
            self._rooms.pop(str(backtest_id), None)
            await self._tell("backtest:unsubscribed", {"backtestId": str(backtest_id)})

    async def tell(self, frames: Sequence[Frame | None]) -> None:
        """Pass on what concerns the rooms. A sign of life needs no words: the server pings."""
        async with self._in_turn:
            for frame in frames:
                room = None if frame is None else self._rooms.get(frame.task["id"])
                if frame is None or room is None:
                    continue
                if frame.id is None:
                    await self._tell_progress(room, frame)
                elif room.takes(frame.id, frame.task):
                    await self._tell(*messages.standing(self._user_id, frame.task, await self._result(frame.task)))
            if self._stream.is_catching_up:
                # Events that found no place are in the table; the last progress is only here.
                for room in self._rooms.values():
                    await self._tell_progress(room)

    async def _tell_progress(self, room: "_Room", heard: Frame | None = None) -> None:
        """The latest word alone, and that once, though older ones are still on their way."""
        latest = next(iter(self._streams.progress_of(self._user_id, [room.id])), heard)
        if latest is not None and room.takes_progress(latest):
            await self._say(_progress_in_words(self._user_id, latest))

    async def _look(self, backtest_id: UUID) -> Standing:
        """Another's backtest, one that never was, and a task of another kind are all the same to who asks."""
        try:
            async with self._house.acting_as(self._stream.identity, readonly=True) as services:
                standing = await services.events.standing(backtest_id)
        except JobNotFound:
            raise BacktestNotFound(backtest_id) from None
        if standing.job.kind not in messages.KINDS:
            raise BacktestNotFound(backtest_id)
        return standing

    async def _result(self, task: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Events do not carry results. One that was run again meanwhile has none any more."""
        if task["state"] not in _WITH_RESULT:
            return None
        job: Job | None = None
        try:
            async with self._house.acting_as(self._stream.identity, readonly=True) as services:
                job = await services.jobs.job(UUID(task["id"]))
        except JobNotFound:
            return None
        return job.result if job.state == task["state"] else None

    async def _tell(self, event: str, data: Mapping[str, Any]) -> None:
        await self._say(told(event, data))


@lru_cache(REMEMBERED_WORDS)
def _progress_in_words(user_id: UUID, frame: Frame) -> str:
    """Made once for all sockets of the user."""
    return told(*messages.progress(user_id, frame.task))


class _Room:
    """One backtest as its socket knows it."""

    __slots__ = ("_attempt", "_last_progress", "_place", "_state", "id")

    def __init__(self, standing: Standing) -> None:
        self.id = standing.job.id
        self._place = standing.last_id
        self._state = standing.job.state
        self._attempt = standing.job.attempts
        self._last_progress: Frame | None = None

    def takes(self, event_id: int, task: Mapping[str, Any]) -> bool:
        """Whether this event is news. That a running one was asked to stop is an event, but none to tell."""
        if event_id <= self._place:
            return False
        before = (self._state, self._attempt)
        self._place, self._state, self._attempt = event_id, JobState(task["state"]), task["attempts"]
        return before != (self._state, self._attempt)

    def takes_progress(self, frame: Frame) -> bool:
        """Whether this is news of the attempt that runs."""
        is_of_this_run = frame.task.get("attempt", self._attempt) == self._attempt
        if self._state != JobState.RUNNING or not is_of_this_run or frame is self._last_progress:
            return False
        self._last_progress = frame
        return True
