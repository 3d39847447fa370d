"""Tells each user's events to all of that user's streams: read once, encoded once, never buffered without bound."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from cachetools import LRUCache
from loguru import logger

from backend.api.errors import NotReady
from backend.domain.accounts import Identity
from backend.domain.errors import DatabaseUnavailable, QuotaReached
from backend.domain.events import EVENT_CHANNEL, PROGRESS_CHANNEL, EventType, TaskEvent
from backend.domain.ports import AccountWatch, Clock, EventBus, EventFeed, Meter

MOST_WAITING_FRAMES = 64
MOST_STREAMS_OF_A_USER = 64
USERS_A_READ = 500
EVENTS_A_READ = 64
SWEEP_SECONDS = 1.0
SUSPENSION_SECONDS = 3.0
HEARTBEAT_SECONDS = 15.0
# A reader who takes nothing for so long is gone, whatever its connection says.
STALLED_SECONDS = 20.0
PAUSE_SECONDS = 0.5
REMEMBERED_PROGRESS = 10_000


class End(StrEnum):
    """Why a stream ended."""

    LEFT = "left"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"


class Frame:
    """One thing to tell, with its encodings made when first needed and shared by all streams."""

    def __init__(self, type_: str, task: Mapping[str, Any], *, id_: int | None = None, at: datetime | None = None):
        self.type, self.task, self.id, self.at = type_, task, id_, at

    @cached_property
    def sse(self) -> bytes:
        id_line = "" if self.id is None else f"id: {self.id}\n"
        data = json.dumps({"type": self.type, "task": self.task}, separators=(",", ":"))
        return f"event: {self.type}\n{id_line}data: {data}\n\n".encode()


class Stream:
    """What waits for one client, who may leave, be too slow, or be told to go."""

    __slots__ = (
        "_frames",
        "_waiter",
        "end",
        "has_missed",
        "identity",
        "is_catching_up",
        "on_end",
        "quiet_since",
        "sending_since",
    )

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.end: End | None = None
        # Called when the stream ends while a send may be stuck.
        self.on_end: Callable[[], None] | None = None
        # While it reads from the table, what fits no more is left there.
        self.is_catching_up = True
        self.has_missed = False
        self.quiet_since = time.monotonic()
        self.sending_since: float | None = None
        self._frames: deque[Frame | None] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, frame: Frame | None) -> None:
        """None is the sign of life. What fits no more is left to the table, unless it is the client who takes nothing.

        Such a client is dropped, and resumes where it was.
        """
        if len(self._frames) < MOST_WAITING_FRAMES:
            self._frames.append(frame)
            self._wake()
        elif self.is_catching_up or self.sending_since is None:
            self.has_missed = True
        else:
            self.close(End.TOO_SLOW)

    async def take(self) -> Sequence[Frame | None]:
        """Everything that waits, as soon as there is something; nothing once the stream ended."""
        while not self._frames and self.end is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self.end is not None:
            return ()
        frames = tuple(self._frames)
        self._frames.clear()
        self.quiet_since = time.monotonic()
        return frames

    async def sending(self, send: Awaitable[None]) -> None:
        """Send within sight of the sweeper, who ends what is stuck."""
        self.sending_since = time.monotonic()
        await send
        self.sending_since = None

    def close(self, end: End) -> None:
        if self.end is not None:
            return
        self.end = end
        self._frames.clear()
        self._wake()
        if self.on_end is not None:
            self.on_end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Audience:
    """The streams of one user, and the last event that was told to them (None: not known yet)."""

    __slots__ = ("held", "is_stale", "place", "streams")

    def __init__(self) -> None:
        self.place: int | None = None
        self.streams: set[Stream] = set()
        # There may be news in the table, which come before any progress that was heard meanwhile.
        self.is_stale = False
        self.held: dict[str, Frame] = {}

    def tell(self, frame: Frame) -> None:
        for stream in self.streams:
            stream.offer(frame)

    def tell_held(self) -> None:
        held, self.held = self.held, {}
        for frame in held.values():
            self.tell(frame)


class Streams:
    """One subscription and one reader for all streams of the process."""

    def __init__(self, *, bus: EventBus, feed: EventFeed, accounts: AccountWatch, clock: Clock, meter: Meter) -> None:
        self._bus = bus
        self._feed = feed
        self._accounts = accounts
        self._clock = clock
        self._meter = meter
        self._audiences: dict[UUID, _Audience] = {}
        # Users of whom there may be news in the table, those who wait longest first.
        self._stale: dict[UUID, None] = {}
        self._has_stale = asyncio.Event()
        # Told again to whoever comes while the job runs: (user, job) -> the last progress.
        self._progress: LRUCache[tuple[UUID, str], Frame] = LRUCache(REMEMBERED_PROGRESS)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    def open(self) -> None:
        """Listen from now on; called before the first request."""
        work = (self._hear, self._read, self._sweep, self._end_suspended)
        self._tasks = [asyncio.create_task(_for_ever(step)) for step in work]

    async def close(self) -> None:
        """End every stream, so that the server need not wait for readers who never leave."""
        self._is_closed = True
        for stream in self._all():
            stream.close(End.STOPPING)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def enter(self, identity: Identity) -> Stream:
        """A stream of this user that takes in whatever is told from now on, though nobody knows yet since when."""
        if self._is_closed:
            raise NotReady("Tidemark is stopping.")
        audience = self._audiences.setdefault(identity.user_id, _Audience())
        if len(audience.streams) >= MOST_STREAMS_OF_A_USER:
            raise QuotaReached("open streams", limit=MOST_STREAMS_OF_A_USER, count=len(audience.streams))
        stream = Stream(identity)
        audience.streams.add(stream)
        self._meter.stream_opened()
        return stream

    def begin(self, user_id: UUID, last_id: int) -> None:
        """The table was just seen to end with this event: for the user's first stream, telling begins behind it."""
        audience = self._audiences[user_id]
        if audience.place is None:
            audience.place = last_id
            # Something may have happened between that look and now, or been heard of before it.
            self._mark_stale(user_id)

    def leave(self, stream: Stream, end: End) -> None:
        stream.close(end)
        user_id = stream.identity.user_id
        audience = self._audiences[user_id]
        audience.streams.discard(stream)
        if not audience.streams:
            del self._audiences[user_id]
        self._meter.stream_closed(str(stream.end))

    def progress_of(self, user_id: UUID, job_ids: Sequence[UUID]) -> Sequence[Frame]:
        """The last known progress of these jobs."""
        known = (self._progress.get((user_id, str(job_id))) for job_id in job_ids)
        return [frame for frame in known if frame is not None]

    async def _hear(self) -> None:
        async for message in self._bus.subscribe(EVENT_CHANNEL, PROGRESS_CHANNEL):
            if message.payload is None:
                for user_id in self._audiences:
                    self._mark_stale(user_id)
            elif message.channel == EVENT_CHANNEL:
                whose, _, event_id = message.payload.partition(" ")
                self._hear_of_event(UUID(whose), int(event_id))
            else:
                told = json.loads(message.payload)
                self._hear_progress(UUID(told["user_id"]), told["task"])
        await asyncio.sleep(PAUSE_SECONDS)

    def _hear_of_event(self, user_id: UUID, event_id: int) -> None:
        audience = self._audiences.get(user_id)
        if audience is not None and audience.place is not None and audience.place < event_id:
            self._mark_stale(user_id)

    def _hear_progress(self, user_id: UUID, task: Mapping[str, Any]) -> None:
        frame = self._remember(user_id, Frame(EventType.TASK_PROGRESS, task))
        audience = self._audiences.get(user_id)
        if audience is None:
            return
        if audience.is_stale:
            audience.held[task["id"]] = frame
        else:
            audience.tell(frame)

    def _remember(self, user_id: UUID, heard: Frame) -> Frame:
        """What is told again to who comes later names the log also when this time it went without saying."""
        key = user_id, heard.task["id"]
        known = self._progress.get(key)
        self._progress[key] = heard
        if known is None or "log_tail" in heard.task or "log_tail" not in known.task:
            return heard
        if known.task["attempt"] == heard.task["attempt"]:
            self._progress[key] = Frame(heard.type, {**heard.task, "log_tail": known.task["log_tail"]})
        return heard

    def _mark_stale(self, user_id: UUID) -> None:
        self._audiences[user_id].is_stale = True
        self._stale[user_id] = None
        self._has_stale.set()

    async def _read(self) -> None:
        """Read what is new of everybody of whom there may be news, in one statement, and tell it."""
        await self._has_stale.wait()
        users = list(self._stale)[:USERS_A_READ]
        for user_id in users:  # whoever is marked from here on is read again
            del self._stale[user_id]
        if not self._stale:
            self._has_stale.clear()
        places = {user_id: self._audiences[user_id].place for user_id in users if user_id in self._audiences}
        after = {user_id: place for user_id, place in places.items() if place is not None}
        try:
            events = await self._feed.of_users(after, limit=EVENTS_A_READ) if after else ()
        except BaseException:
            for user_id in after.keys() & self._audiences.keys():
                self._mark_stale(user_id)
            raise
        self._tell_events(events)
        for user_id in after.keys() & self._audiences.keys() - self._stale.keys():
            self._audiences[user_id].is_stale = False
            self._audiences[user_id].tell_held()

    def _tell_events(self, events: Sequence[TaskEvent]) -> None:
        now = self._clock.now()
        for event in events:
            audience = self._audiences.get(event.user_id)
            # The audience may have gone meanwhile, and another have come that began further on.
            if audience is None or audience.place is None or event.id <= audience.place:
                continue
            audience.tell(Frame(event.type, event.task, id_=event.id, at=event.at))
            audience.place = event.id
            self._meter.event_told((now - event.at).total_seconds())
        for user_id, count in Counter(event.user_id for event in events).items():
            if count == EVENTS_A_READ and user_id in self._audiences:
                self._mark_stale(user_id)  # there may be more than one read takes

    async def _sweep(self) -> None:
        """Give signs of life, and end what expired or is stuck."""
        await asyncio.sleep(SWEEP_SECONDS)
        now, moment = self._clock.now(), time.monotonic()
        for stream in self._all():
            if stream.identity.expires_at <= now:
                stream.close(End.EXPIRED)
            elif stream.sending_since is not None and moment - stream.sending_since > STALLED_SECONDS:
                stream.close(End.TOO_SLOW)
            elif moment - stream.quiet_since >= HEARTBEAT_SECONDS:
                stream.quiet_since = moment
                stream.offer(None)

    async def _end_suspended(self) -> None:
        await asyncio.sleep(SUSPENSION_SECONDS)
        if not self._audiences:
            return
        for user_id in await self._accounts.suspended(list(self._audiences)):
            for stream in tuple(self._audiences[user_id].streams if user_id in self._audiences else ()):
                stream.close(End.SUSPENDED)

    def _all(self) -> list[Stream]:
        return [stream for audience in self._audiences.values() for stream in audience.streams]


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """What fails is tried again: telling must go on as long as the process does."""
    while True:
        try:
            await step()
        except DatabaseUnavailable as error:
            logger.debug("Streams wait for the database: {}", error.detail)
            await asyncio.sleep(PAUSE_SECONDS)
        except Exception:  # noqa: BLE001 - a defect in telling one thing must not silence all the others
            logger.exception("Telling events failed; it goes on")
            await asyncio.sleep(PAUSE_SECONDS)
