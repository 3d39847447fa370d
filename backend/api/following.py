"""Following one user's events: what the client missed, then what comes, with no gap and nothing twice."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from backend.api.stream import End, Frame, Stream
from backend.api.streams import Streams
from backend.bootstrap import House
from backend.bootstrap_services import Services
from backend.domain.errors import AccountSuspended, DatabaseUnavailable
from backend.domain.events import EventLog

EVENTS_A_PAGE = 200


class Following:
    """The way of one client through the record and into the present. It holds no database connection in between."""

    __slots__ = ("_house", "_stream", "_streams", "began_anew", "is_behind", "place")

    def __init__(self, house: House, streams: Streams, stream: Stream, *, after: int | None) -> None:
        self._house = house
        self._streams = streams
        self._stream = stream
        # There is more for the client in the table.
        self.is_behind = False
        # The client asked for events that are gone, or that never were.
        self.began_anew = False
        # The last event that the client has, once it has all that `begin` and `more` returned.
        self.place = after

    async def begin(self) -> Sequence[Frame]:
        """The first page of what was missed, and how far the running jobs are. Raises SessionEnded."""
        async with self._looking() as services:
            if self._stream.identity.session_id is not None:
                await services.accounts.require_live_session()
            log = await services.events.log(after=self.place, limit=EVENTS_A_PAGE)
            running = await services.events.running()
        told = self._streams.begin(self._stream.identity.user_id, log.last_id)
        if self.place is None or not log.continues(self.place):
            self.began_anew = self.place is not None
            self.place = log.last_id
            log = replace(log, events=())
        # What another stream's later look made everybody's past may not be this one's yet.
        missed = self._take_page(replace(log, last_id=max(log.last_id, told)))
        return [*missed, *self._streams.progress_of(self._stream.identity.user_id, running)]

    async def more(self) -> Sequence[Frame | None]:
        """What comes next (None is a sign of life); nothing only when the stream has ended."""
        while True:
            fresh = await self.catch_up() if self.is_behind else self._in_order(await self._stream.take())
            if fresh or self._stream.end is not None:
                return fresh

    def waiting(self) -> Sequence[Frame | None]:
        """What waits for the client at this moment, for who asks no more than that."""
        return self._in_order(self._stream.take_now())

    def advance(self, frame: Frame) -> bool:
        """Go past this frame, if it is the client's turn to hear it; past no gap, since the table has what is there."""
        if frame.id is None:
            return True
        if frame.id != self._place + 1:
            self.is_behind = self.is_behind or frame.id > self._place
            return False
        self.place = frame.id
        return True

    async def catch_up(self) -> Sequence[Frame]:
        """The next page of the table, for who is behind; none when the stream had to end."""
        try:
            async with self._looking() as services:
                log = await services.events.log(after=self._place, limit=EVENTS_A_PAGE)
        except AccountSuspended:
            self._stream.close(End.SUSPENDED)
        except DatabaseUnavailable:
            self._stream.close(End.UNAVAILABLE)
        else:
            if log.continues(self._place):
                return self._take_page(log)
            self._stream.close(End.OUTDATED)
        return ()

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[Services]:
        async with (
            self._streams.turn_to_read(),
            self._house.acting_as(self._stream.identity, readonly=True) as services,
        ):
            yield services

    def _in_order(self, offered: Sequence[Frame | None]) -> Sequence[Frame | None]:
        """Without what the client has already."""
        fresh = [frame for frame in offered if frame is None or self.advance(frame)]
        if self._stream.has_missed:
            self.is_behind, self._stream.has_missed = True, False
        self._stream.is_catching_up = self.is_behind
        return fresh

    def _take_page(self, log: EventLog) -> Sequence[Frame]:
        frames = [Frame(event.type, event.task, id_=event.id, at=event.at) for event in log.events]
        if frames and frames[-1].id is not None:
            self.place = frames[-1].id
        self.is_behind = self._place < log.last_id
        self._stream.is_catching_up = self.is_behind
        return frames

    @property
    def _place(self) -> int:
        return self.place or 0
