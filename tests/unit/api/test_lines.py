"""How a line tells its client: at once while it can, in order always, and within bounds when the client is slow."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from backend.api.following import Following
from backend.api.lines import PATIENCE_SECONDS, EventLine
from backend.api.stream import MOST_WAITING_FRAMES, End, Frame, Stream
from backend.api.streams import READING_AT_ONCE, Streams
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import AccountSuspended, DatabaseUnavailable
from backend.domain.events import EventLog, EventType, TaskEvent
from backend.domain.job_ports import EventFeed
from tests.fakes import START, FakeAccountWatch, FakeClock, FakeEventBus, FakeMeter


@dataclass
class Wire:
    """A transport that takes everything, until it is told to take no more."""

    written: list[bytes] = field(default_factory=list)
    is_closing: bool = False
    was_aborted: bool = False
    protocol: asyncio.Protocol | None = None

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closing = True

    def abort(self) -> None:
        self.is_closing = self.was_aborted = True


class Table:
    """A house whose one story is the record of events; its reads can be counted, held up and made to fail."""

    def __init__(self) -> None:
        self.first_kept_id, self.last_id = 1, 0
        self.reads = self.reading = self.most_reading = 0
        self.failure: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        # Between two looks.
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    @asynccontextmanager
    async def acting_as(self, identity: Identity, *, readonly: bool) -> AsyncIterator[Any]:
        self.reads += 1
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        try:
            yield SimpleNamespace(events=self)
        finally:
            self.reading -= 1

    async def log(self, *, after: int | None, limit: int) -> EventLog:
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        begin = self.last_id if after is None else after
        ids = range(max(begin + 1, self.first_kept_id), self.last_id + 1)[:limit]
        return EventLog(
            events=tuple(event(number) for number in ids), first_kept_id=self.first_kept_id, last_id=self.last_id
        )

    async def running(self) -> list[Any]:
        await self.may_go_on.wait()
        return []


class Booth:
    """One client's line, from the beginning, over fakes."""

    def __init__(self, table: Table, streams: Streams, who: Identity | None = None) -> None:
        self.table, self.streams, self.wire = table, streams, Wire()
        self.who = who or identity()
        self.connections: set[object] = set()

    @property
    def said(self) -> str:
        return b"".join(self.wire.written).decode()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.said.splitlines() if line.startswith("id: ")]

    async def begin(self, *, is_chunked: bool = True, is_full: bool = False) -> "Booth":
        self.stream: Stream = self.streams.enter(self.who)
        following = Following(cast(House, self.table), self.streams, self.stream, after=None)
        await following.begin()
        self.line = EventLine(self.streams, self.stream, following, "a-request")
        transport = cast(asyncio.Transport, self.wire)
        self.line.take_over(transport, self.connections, is_chunked=is_chunked, is_full=is_full)
        self.line.begin()
        return self

    def happen(self, count: int = 1) -> None:
        """So many events that the hub tells at once."""
        for _ in range(count):
            self.table.last_id += 1
            self.stream.offer(frame(self.table.last_id))


@pytest.fixture
async def booth() -> Booth:
    return await Booth(Table(), hall()).begin()


async def settled(booth: Booth) -> None:
    """Until nothing is read from the table any more."""
    async with asyncio.timeout(5):
        while booth.stream.end is None and booth.stream.ear is None and not booth.line.is_full:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_client_in_step_gets_the_shared_bytes_and_nothing_is_read(booth: Booth) -> None:
    reads, told = booth.table.reads, frame(1)
    booth.stream.offer(told)
    booth.stream.offer(None)
    assert booth.wire.written[0] is told.sse_chunk
    assert booth.wire.written[1:] == [b"4\r\n: \n\n\r\n"]
    assert booth.table.reads == reads


async def test_client_of_http_1_0_gets_no_chunks() -> None:
    booth = await Booth(Table(), hall()).begin(is_chunked=False)
    booth.happen()
    booth.stream.offer(None)
    booth.stream.close(End.STOPPING)
    assert booth.wire.written == [frame(1).sse, b": \n\n", b": ended, stopping\n\n"]
    assert booth.wire.is_closing
    assert not booth.wire.was_aborted


async def test_what_the_client_has_already_is_not_told_again(booth: Booth) -> None:
    booth.happen(2)
    booth.stream.offer(frame(1))
    booth.stream.offer(frame(2))
    booth.happen()
    assert booth.ids == [1, 2, 3]


async def test_frames_wait_for_a_client_that_takes_no_more_and_follow_in_order(booth: Booth) -> None:
    booth.happen()
    booth.line.pause_writing()
    booth.happen(MOST_WAITING_FRAMES)
    assert booth.ids == [1]
    booth.line.resume_writing()
    booth.happen()
    assert booth.ids == list(range(1, MOST_WAITING_FRAMES + 3))


async def test_burst_that_fills_the_line_for_a_moment_costs_nobody_the_stream(booth: Booth) -> None:
    booth.line.pause_writing()
    booth.happen(3 * MOST_WAITING_FRAMES)
    assert booth.said == ""
    booth.line.resume_writing()
    await settled(booth)
    booth.happen()
    assert booth.ids == list(range(1, 3 * MOST_WAITING_FRAMES + 2))


async def test_client_that_goes_on_taking_nothing_is_cut_off(booth: Booth) -> None:
    booth.line.pause_writing()
    booth.stream.sending_since = time.monotonic() - PATIENCE_SECONDS
    booth.happen(MOST_WAITING_FRAMES + 1)
    assert booth.stream.end is End.TOO_SLOW
    assert booth.wire.was_aborted
    assert booth.said == ""


async def test_client_that_was_full_at_the_beginning_waits_for_its_turn() -> None:
    booth = await Booth(Table(), hall()).begin(is_full=True)
    booth.happen(2)
    assert booth.said == ""
    assert booth.stream.sending_since is not None
    booth.line.resume_writing()
    assert booth.ids == [1, 2]
    assert booth.stream.sending_since is None


async def test_gap_is_filled_from_the_table_before_anything_else_is_told(booth: Booth) -> None:
    booth.happen()
    booth.table.last_id += 250  # told to nobody
    booth.table.may_answer.clear()
    booth.happen(2)
    await asyncio.sleep(0)
    booth.happen(2)
    assert booth.ids == [1]
    booth.table.may_answer.set()
    await settled(booth)
    booth.happen()
    assert booth.ids == list(range(1, 257))


async def test_more_than_waits_while_the_table_is_read_is_read_from_there_too(booth: Booth) -> None:
    booth.table.last_id += 3
    booth.table.may_answer.clear()
    booth.happen()
    await asyncio.sleep(0)
    booth.happen(3 * MOST_WAITING_FRAMES)
    booth.table.may_answer.set()
    await settled(booth)
    assert booth.ids == list(range(1, 5 + 3 * MOST_WAITING_FRAMES))


async def test_page_that_fills_the_line_is_followed_by_the_next_when_it_was_taken(booth: Booth) -> None:
    booth.table.last_id += 450
    write = booth.wire.write

    def write_and_be_full(data: bytes) -> None:
        write(data)
        booth.line.pause_writing()

    booth.wire.write = write_and_be_full  # type: ignore[method-assign]
    booth.happen()
    for read in (200, 400, 451):
        await settled(booth)
        assert booth.ids == list(range(1, read + 1))
        booth.line.resume_writing()
    assert booth.stream.ear is booth.line


async def test_streams_of_one_user_that_begin_in_another_order_than_they_looked_miss_nothing(booth: Booth) -> None:
    table, streams, who = booth.table, booth.streams, identity()
    early, late = Booth(table, streams, who), Booth(table, streams, who)
    table.last_id = 5
    table.may_go_on = going_on = asyncio.Event()
    beginning = asyncio.create_task(early.begin())
    await asyncio.sleep(0)
    table.last_id = 7
    table.may_go_on = asyncio.Event()
    table.may_go_on.set()
    await late.begin()
    going_on.set()
    await beginning
    await settled(early)
    assert early.ids == [6, 7]
    assert late.ids == []


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (DatabaseUnavailable(), End.UNAVAILABLE),
        (AccountSuspended(), End.SUSPENDED),
        (RuntimeError("a defect"), End.UNAVAILABLE),
    ],
)
async def test_client_whose_events_cannot_be_read_is_sent_away(booth: Booth, failure: Exception, end: End) -> None:
    booth.table.failure = failure
    booth.table.last_id += 1
    booth.happen()
    await settled(booth)
    assert booth.said.endswith(f": ended, {end}\n\n\r\n0\r\n\r\n")
    assert booth.wire.is_closing


async def test_client_whose_next_event_is_gone_is_sent_away_to_begin_anew(booth: Booth) -> None:
    booth.happen(2)
    booth.table.last_id, booth.table.first_kept_id = 9, 8
    booth.happen()
    await settled(booth)
    assert (booth.stream.end, booth.ids) == (End.OUTDATED, [1, 2])


async def test_client_that_takes_nothing_hears_no_farewell(booth: Booth) -> None:
    booth.line.pause_writing()
    booth.stream.close(End.EXPIRED)
    assert booth.wire.was_aborted


async def test_stream_that_ended_before_the_line_began_says_so() -> None:
    booth = Booth(Table(), hall())
    entered = booth.streams.enter

    def enter(identity: Identity) -> Stream:
        stream = entered(identity)
        stream.close(End.EXPIRED)
        return stream

    booth.streams.enter = enter  # type: ignore[method-assign]
    await booth.begin()
    assert booth.said.endswith(": ended, expired\n\n\r\n0\r\n\r\n")


async def test_lost_connection_leaves_at_once_also_in_the_middle_of_a_read(booth: Booth) -> None:
    booth.table.may_answer.clear()
    booth.table.last_id += 1
    booth.happen()
    await asyncio.sleep(0)
    booth.line.connection_lost(None)
    await asyncio.sleep(0)
    booth.table.may_answer.set()
    await asyncio.sleep(0)
    assert (booth.stream.end, booth.said, booth.connections) == (End.LEFT, "", set())
    assert booth.table.reading == 0
    booth.streams.enter(identity())  # the place is free


async def test_client_that_talks_on_and_on_is_cut_off(booth: Booth) -> None:
    booth.line.data_received(b"x" * 1000)
    assert not booth.wire.was_aborted
    booth.line.data_received(b"x" * 64 * 1024)
    assert booth.wire.was_aborted


async def test_few_streams_at_a_time_read_from_the_table(booth: Booth) -> None:
    crowd = [Booth(booth.table, booth.streams) for _ in range(40)]
    booth.table.may_answer.clear()
    async with asyncio.TaskGroup() as group:
        for one in crowd:
            group.create_task(one.begin())
        await asyncio.sleep(0.01)
        booth.table.may_answer.set()
    assert booth.table.most_reading == READING_AT_ONCE
    assert all(one.stream.ear is one.line for one in crowd)


def hall() -> Streams:
    """The line under test is offered its frames directly, so nobody hears or reads anything here."""
    no_feed = cast(EventFeed, None)
    return Streams(
        bus=FakeEventBus(), feed=no_feed, accounts=FakeAccountWatch(), clock=FakeClock(), meter=FakeMeter.fresh()
    )


def event(number: int) -> TaskEvent:
    return TaskEvent(id=number, user_id=uuid4(), type=EventType.TASK_RUNNING, at=START, task={"id": "job"})


def frame(number: int) -> Frame:
    return Frame(EventType.TASK_RUNNING, {"id": "job"}, id_=number, at=START)


def identity() -> Identity:
    user_id = uuid4()
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=START + timedelta(minutes=30),
        claims={"sub": str(user_id), "role": "authenticated"},
    )
