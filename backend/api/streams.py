"""Tells each user's events to all of that user's streams: read once, encoded once, never buffered without bound."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from loguru import logger
from pydantic_core import from_json

from backend.api.errors import NotReady
from backend.api.stream import MOST_WAITING_FRAMES, End, Frame, Stream
from backend.domain.accounts import Identity
from backend.domain.errors import DatabaseUnavailable, QuotaReached
from backend.domain.events import EVENT_CHANNEL, PROGRESS_CHANNEL, TOLD_CHANNEL, EventType, TaskEvent
from backend.domain.job_ports import EventBus, EventFeed
from backend.domain.ports import AccountWatch, Clock, Meter

__all__ = ["MOST_WAITING_FRAMES", "End", "Frame", "Stream", "Streams"]

MOST_STREAMS_OF_A_USER = 64
USERS_A_READ = 500
EVENTS_A_READ = 64
# Requests need the connections to the database as well, also when a crowd of streams comes back at once.
READING_AT_ONCE = 8
READING_TURN_SECONDS = 20.0
# After so many the process looks at what else there is to do.
TELLINGS_A_TURN = 256
STREAMS_A_TURN = 250
USERS_A_TURN = 1_000
SWEEP_SECONDS = 1.0
# One who comes in the middle of a round is looked at in the next: 5 s are promised.
SUSPENSION_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
# A reader who takes nothing for so long is gone, whatever its connection says.
STALLED_SECONDS = 20.0
# A notice is lost when the process that would have told it dies first. So everybody's news are looked for now and then.
LOOK_AGAIN_SECONDS = 10.0
PAUSE_SECONDS = 0.5
# Many more than run at a time; some of them ended while nobody listened here.
REMEMBERED_PROGRESS = 2_000
_T = TypeVar("_T")
_ENDS_OF_A_JOB = (EventType.TASK_COMPLETED, EventType.TASK_FAILED, EventType.TASK_CANCELLED)


class _Audience:
    """The streams of one user, and the last event that was told to them (None: not known yet)."""

    __slots__ = ("heard_of", "held", "is_stale", "place", "streams", "user_id")

    def __init__(self, user_id: UUID) -> None:
        self.user_id = user_id
        self.place: int | None = None
        # The last event whose notice came.
        self.heard_of = 0
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
        # By the user's id as notices spell it.
        self._audiences: dict[str, _Audience] = {}
        # Users of whom there may be news in the table, those who wait longest first.
        self._stale: dict[str, None] = {}
        self._has_stale = asyncio.Event()
        self._progress = _LastProgress()
        self._told_in_this_turn = 0
        self._turns = asyncio.Semaphore(READING_AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    def open(self) -> None:
        """Listen from now on; called before the first request."""
        ends = (self._end_suspended, self._end_revoked, self._end_signed_out)
        work = (self._hear, self._read, self._look_again, self._sweep, *ends)
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
        audience = self._audiences.setdefault(str(identity.user_id), _Audience(identity.user_id))
        if len(audience.streams) >= MOST_STREAMS_OF_A_USER:
            raise QuotaReached("open streams", limit=MOST_STREAMS_OF_A_USER, count=len(audience.streams))
        stream = Stream(identity)
        audience.streams.add(stream)
        self._meter.stream_opened()
        return stream

    def begin(self, user_id: UUID, last_id: int) -> int:
        """The table was just seen to end with this event: for the user's first stream, telling begins behind it.

        For any other it goes on behind the event whose id is returned.
        """
        audience = self._audiences[str(user_id)]
        if audience.place is None:
            audience.place = last_id
            if audience.heard_of > last_id or audience.is_stale:
                self._mark_stale(audience)
        return audience.place

    def leave(self, stream: Stream, end: End) -> None:
        stream.close(end)
        whose = str(stream.identity.user_id)
        audience = self._audiences[whose]
        audience.streams.discard(stream)
        if not audience.streams:
            del self._audiences[whose]
        self._meter.stream_closed(str(stream.end))

    def progress_of(self, user_id: UUID, job_ids: Sequence[UUID]) -> Sequence[Frame]:
        """The last known progress of these jobs."""
        known = (self._progress.get(str(user_id), str(job_id)) for job_id in job_ids)
        return [frame for frame in known if frame is not None]

    @asynccontextmanager
    async def turn_to_read(self) -> AsyncIterator[None]:
        """For each stream's own look at the table, of which only a few are made at a time."""
        try:
            async with asyncio.timeout(READING_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("Too many streams begin at once. Try again.") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _hear(self) -> None:
        async for message in self._bus.subscribe(EVENT_CHANNEL, TOLD_CHANNEL, PROGRESS_CHANNEL):
            if message.payload is None:
                for audience in self._audiences.values():
                    self._mark_stale(audience)
            elif message.channel == EVENT_CHANNEL:
                whose, _, event_id = message.payload.partition(" ")
                self._hear_of_event(whose, int(event_id))
            elif message.channel == TOLD_CHANNEL:
                self._hear_of_users(from_json(message.payload)["users"])
            else:
                told = from_json(message.payload)
                self._hear_progress(told["user_id"], told["task"])
            await self._give_way()
        await asyncio.sleep(PAUSE_SECONDS)

    def _hear_of_event(self, whose: str, event_id: int) -> None:
        audience = self._audiences.get(whose)
        if audience is None:
            return
        audience.heard_of = max(audience.heard_of, event_id)
        if audience.place is not None and audience.place < event_id:
            self._mark_stale(audience)

    def _hear_of_users(self, users: Sequence[str]) -> None:
        for whose in users:
            audience = self._audiences.get(whose)
            if audience is not None:
                self._mark_stale(audience)

    def _hear_progress(self, whose: str, task: Mapping[str, Any]) -> None:
        frame = Frame(EventType.TASK_PROGRESS, task)
        known = self._progress.get(whose, task["id"])
        is_first = known is None or known.task.get("attempt") != task.get("attempt")
        self._progress.keep(whose, task["id"], frame)
        audience = self._audiences.get(whose)
        if audience is None:
            return
        if is_first:
            self._mark_stale(audience)  # that the job runs is in the table, and may not have been heard of yet
        if audience.is_stale:
            audience.held[task["id"]] = frame
        else:
            self._tell(audience, frame)

    def _mark_stale(self, audience: _Audience) -> None:
        audience.is_stale = True
        if audience.place is not None:  # else it is read from where it begins
            self._stale[str(audience.user_id)] = None
            self._has_stale.set()

    async def _read(self) -> None:
        """Read what is new of everybody of whom there may be news, in one statement, and tell it."""
        await self._has_stale.wait()
        users = list(islice(self._stale, USERS_A_READ))
        for whose in users:  # whoever is marked from here on is read again
            del self._stale[whose]
        if not self._stale:
            self._has_stale.clear()
        audiences = [self._audiences[whose] for whose in users if whose in self._audiences]
        after = {audience.user_id: audience.place for audience in audiences if audience.place is not None}
        try:
            await self._tell_events(await self._feed.of_users(after, limit=EVENTS_A_READ) if after else ())
        except BaseException:
            for audience in self._still_here(audiences):
                self._mark_stale(audience)
            raise
        for audience in self._still_here(audiences):
            if str(audience.user_id) not in self._stale:
                audience.is_stale = False
                audience.tell_held()

    def _still_here(self, audiences: Sequence[_Audience]) -> Sequence[_Audience]:
        return [audience for audience in audiences if self._audiences.get(str(audience.user_id)) is audience]

    async def _tell_events(self, events: Sequence[TaskEvent]) -> None:
        now = self._clock.now()
        for event in events:
            audience = self._audiences.get(str(event.user_id))
            # The audience may have gone meanwhile, and another have come that began further on.
            if audience is None or audience.place is None or event.id <= audience.place:
                continue
            if event.type in _ENDS_OF_A_JOB:
                self._progress.forget(str(event.user_id), event.task["id"])
                audience.held.pop(event.task["id"], None)
            audience.place = event.id
            self._tell(audience, Frame(event.type, event.task, id_=event.id, at=event.at))
            self._meter.event_told((now - event.at).total_seconds())
            await self._give_way()
        for user_id, count in Counter(event.user_id for event in events).items():
            audience = self._audiences.get(str(user_id))
            if count == EVENTS_A_READ and audience is not None:
                self._mark_stale(audience)  # there may be more than one read takes

    def _tell(self, audience: _Audience, frame: Frame) -> None:
        audience.tell(frame)
        self._told_in_this_turn += len(audience.streams)

    async def _give_way(self) -> None:
        """Thousands are told in one go; requests that came meanwhile shall not wait for the last of them."""
        self._told_in_this_turn += 1
        if self._told_in_this_turn >= TELLINGS_A_TURN:
            self._told_in_this_turn = 0
            await asyncio.sleep(0)

    async def _look_again(self) -> None:
        """Everybody once a round, who came meanwhile at its end: so nobody waits longer than a round takes."""
        turns = max(1, -(-len(self._audiences) // USERS_A_READ))
        looked_at: set[_Audience] = set()
        for turn in range(1, turns + 1):
            await asyncio.sleep(LOOK_AGAIN_SECONDS / turns)
            left = [audience for audience in self._audiences.values() if audience not in looked_at]
            for audience in left[:USERS_A_READ] if turn < turns else left:
                looked_at.add(audience)
                self._mark_stale(audience)

    async def _sweep(self) -> None:
        """Give signs of life, and end what expired or is stuck."""
        async for few in _a_few_at_a_time(self._all(), STREAMS_A_TURN, SWEEP_SECONDS):
            now, moment = self._clock.now(), time.monotonic()
            for stream in few:
                if stream.identity.expires_at <= now:
                    stream.close(End.EXPIRED)
                elif stream.sending_since is not None and moment - stream.sending_since > STALLED_SECONDS:
                    stream.close(End.TOO_SLOW)
                elif moment - stream.quiet_since >= HEARTBEAT_SECONDS:
                    stream.quiet_since = moment
                    stream.offer(None)

    async def _end_suspended(self) -> None:
        users = [audience.user_id for audience in self._audiences.values()]
        async for few in _a_few_at_a_time(users, USERS_A_TURN, SUSPENSION_SECONDS):
            for user_id in await self._accounts.suspended(few) if few else ():
                audience = self._audiences.get(str(user_id))
                for stream in tuple(audience.streams) if audience is not None else ():
                    stream.close(End.SUSPENDED)

    async def _end_revoked(self) -> None:
        by_token = [stream for stream in self._all() if stream.identity.token_id is not None]
        async for few in _a_few_at_a_time(by_token, USERS_A_TURN, SUSPENSION_SECONDS):
            asked = {stream.identity.token_id for stream in few if stream.identity.token_id is not None}
            revoked = await self._accounts.revoked(asked) if asked else frozenset()
            for stream in few:
                if stream.identity.token_id in revoked:
                    stream.close(End.REVOKED)

    async def _end_signed_out(self) -> None:
        by_session = [stream for stream in self._all() if stream.identity.session_id is not None]
        async for few in _a_few_at_a_time(by_session, USERS_A_TURN, SUSPENSION_SECONDS):
            asked = {stream.identity.session_id for stream in few if stream.identity.session_id is not None}
            ended = await self._accounts.signed_out(asked) if asked else frozenset()
            for stream in few:
                if stream.identity.session_id in ended:
                    stream.close(End.SIGNED_OUT)

    def _all(self) -> list[Stream]:
        return [stream for audience in self._audiences.values() for stream in audience.streams]


class _LastProgress:
    """Told again to whoever comes while a job runs; of more jobs than we remember, the latest."""

    def __init__(self) -> None:
        self._frames: OrderedDict[tuple[str, str], Frame] = OrderedDict()

    def keep(self, whose: str, job_id: str, heard: Frame) -> None:
        """What is told again names the log also when this time it went without saying."""
        known = self._frames.get((whose, job_id))
        self._frames[whose, job_id] = heard if known is None else _with_log_of(known, heard)
        self._frames.move_to_end((whose, job_id))
        if len(self._frames) > REMEMBERED_PROGRESS:
            self._frames.popitem(last=False)

    def get(self, whose: str, job_id: str) -> Frame | None:
        return self._frames.get((whose, job_id))

    def forget(self, whose: str, job_id: str) -> None:
        self._frames.pop((whose, job_id), None)


def _with_log_of(known: Frame, heard: Frame) -> Frame:
    if "log_tail" in heard.task or "log_tail" not in known.task:
        return heard
    if known.task.get("attempt") != heard.task.get("attempt"):
        return heard
    return Frame(heard.type, {**heard.task, "log_tail": known.task["log_tail"]})


async def _a_few_at_a_time(items: Sequence[_T], few: int, seconds: float) -> AsyncIterator[Sequence[_T]]:
    """All of them within so many seconds; once nothing when there are none."""
    turns = max(1, -(-len(items) // few))
    for turn in range(turns):
        await asyncio.sleep(seconds / turns)
        yield items[turn * few : (turn + 1) * few]


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
