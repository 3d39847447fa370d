"""How events are told on: once each, in order, within bounds, and after whatever went wrong in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.api import streams
from backend.api.streams import MOST_WAITING_FRAMES, End, Frame, Stream, Streams
from backend.domain.accounts import Identity
from backend.domain.errors import DatabaseUnavailable, QuotaReached, ServiceUnavailable
from backend.domain.events import EVENT_CHANNEL, PROGRESS_CHANNEL, TOLD_CHANNEL, EventType, FeedPlace, TaskEvent
from tests.fakes import START, FakeAccountWatch, FakeClock, FakeEventBus, FakeMeter


class Feed:
    """An EventFeed whose reads can be counted, held up and made to fail."""

    def __init__(self) -> None:
        self.events: list[TaskEvent] = []
        self.reads: list[Mapping[UUID, int]] = []
        self.failures = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def add(self, user_id: UUID, count: int = 1) -> None:
        for _ in range(count):
            number = 1 + sum(event.user_id == user_id for event in self.events)
            self.events.append(
                TaskEvent(id=number, user_id=user_id, type=EventType.TASK_RUNNING, at=START, task={"id": "job"})
            )

    async def of_users(self, after: Mapping[UUID, int], *, limit: int) -> Sequence[TaskEvent]:
        self.reads.append(dict(after))
        await self.may_answer.wait()
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable
        return [
            event
            for user_id, place in after.items()
            for event in [one for one in self.events if one.user_id == user_id and one.id > place][:limit]
        ]

    async def since(self, place: FeedPlace | None, *, limit: int) -> tuple[Sequence[TaskEvent], FeedPlace]:
        raise NotImplementedError("streams read by user")


class Hall:
    """Streams over fakes."""

    def __init__(self) -> None:
        self.bus, self.feed, self.watch = FakeEventBus(), Feed(), FakeAccountWatch()
        self.clock, self.meter = FakeClock(), FakeMeter.fresh()
        self.streams = Streams(bus=self.bus, feed=self.feed, accounts=self.watch, clock=self.clock, meter=self.meter)

    def enter(self, user_id: UUID, *, last_id: int = 0, session_id: UUID | None = None) -> Stream:
        stream = self.streams.enter(_identity(user_id, session_id))
        stream.is_catching_up = False
        self.streams.begin(user_id, last_id)
        return stream

    async def happens(self, user_id: UUID, count: int = 1) -> None:
        self.feed.add(user_id, count)
        await self.bus.publish(EVENT_CHANNEL, f"{user_id} {sum(one.user_id == user_id for one in self.feed.events)}")

    async def progresses(self, user_id: UUID, percent: int, *, attempt: int = 1) -> None:
        task = {"id": "job", "attempt": attempt, "percent": percent}
        await self.bus.publish(PROGRESS_CHANNEL, json.dumps({"user_id": str(user_id), "task": task}))


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    monkeypatch.setattr(streams, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(streams, "SUSPENSION_SECONDS", 0.01)
    monkeypatch.setattr(streams, "PAUSE_SECONDS", 0.01)
    hall = Hall()
    hall.streams.open()
    await asyncio.sleep(0.02)
    yield hall
    await hall.streams.close()


async def heard(stream: Stream, count: int) -> list[int | str | None]:
    """The ids of the next events; of progress its percentage as text; None for a sign of life."""
    found: list[int | str | None] = []
    while len(found) < count:
        frames = await asyncio.wait_for(stream.take(), 5)
        assert frames, f"the stream ended: {stream.end}"
        found += [None if frame is None else frame.id or f"{frame.task['percent']} %" for frame in frames]
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_every_stream_of_the_user_hears_each_event_once_from_one_encoding(hall: Hall) -> None:
    ada = uuid4()
    one, other = hall.enter(ada), hall.enter(ada)
    await hall.happens(ada, 2)
    frames = [frame for frame in await asyncio.wait_for(one.take(), 5) if frame is not None]
    same = [frame for frame in await asyncio.wait_for(other.take(), 5) if frame is not None]
    assert [frame.id for frame in frames] == [1, 2]
    assert all(mine.sse_chunk is theirs.sse_chunk for mine, theirs in zip(frames, same, strict=True))
    assert frames[0].sse == (b'event: task_running\nid: 1\ndata: {"type":"task_running","task":{"id":"job"}}\n\n')


async def test_what_happened_before_the_first_stream_is_not_told_again(hall: Hall) -> None:
    ada = uuid4()
    hall.feed.add(ada, 4)
    stream = hall.enter(ada, last_id=4)
    await hall.happens(ada)
    assert await heard(stream, 1) == [5]


async def test_what_happens_between_the_look_and_the_beginning_is_told(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.streams.enter(_identity(ada))
    await hall.happens(ada, 2)  # heard of before anybody knows where this user's record ends
    hall.streams.begin(ada, 1)
    assert await heard(stream, 1) == [2]


async def test_stream_that_begins_while_nothing_happens_costs_no_reading(hall: Hall) -> None:
    ada, eve = uuid4(), uuid4()
    hall.feed.add(ada, 3)
    hall.enter(ada, last_id=3)
    eves = hall.enter(eve)
    await hall.happens(eve)
    assert await heard(eves, 1) == [1]
    assert [set(read) for read in hall.feed.reads] == [{eve}]


async def test_interruption_before_the_beginning_is_made_good_by_reading(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.streams.enter(_identity(ada))
    hall.feed.add(ada, 2)  # its notice got lost
    await hall.bus.interrupt()
    await asyncio.sleep(0.02)
    hall.streams.begin(ada, 1)
    assert await heard(stream, 1) == [2]


async def test_user_who_leaves_and_comes_back_during_a_read_hears_nothing_twice(hall: Hall) -> None:
    ada = uuid4()
    first = hall.enter(ada)
    hall.feed.may_answer.clear()
    await hall.happens(ada, 3)
    await until(lambda: bool(hall.feed.reads))
    hall.streams.leave(first, End.LEFT)
    second = hall.enter(ada, last_id=2)
    hall.feed.may_answer.set()
    assert await heard(second, 1) == [3]
    await hall.happens(ada)
    assert await heard(second, 1) == [4]


async def test_many_users_are_read_in_one_go(hall: Hall) -> None:
    users = [uuid4() for _ in range(20)]
    all_streams = [hall.enter(user) for user in users]
    for user in users:
        await hall.happens(user)
    assert [await heard(stream, 1) for stream in all_streams] == [[1]] * 20
    assert len(hall.feed.reads) == 1


async def test_nobody_is_read_of_whom_there_is_no_stream(hall: Hall) -> None:
    await hall.happens(uuid4())
    ada = uuid4()
    stream = hall.enter(ada)
    await hall.happens(ada)
    await heard(stream, 1)
    assert all(set(read) == {ada} for read in hall.feed.reads)


async def test_after_an_interruption_everything_is_read_again(hall: Hall) -> None:
    ada, eve = uuid4(), uuid4()
    adas, eves = hall.enter(ada), hall.enter(eve)
    hall.feed.add(ada, 2)
    hall.feed.add(eve)
    await hall.bus.interrupt()
    assert (await heard(adas, 2), await heard(eves, 1)) == ([1, 2], [1])


async def test_database_that_is_away_for_a_while_delays_but_loses_nothing(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    hall.feed.failures = 3
    await hall.happens(ada, 2)
    assert await heard(stream, 2) == [1, 2]


async def test_burst_that_no_buffer_holds_drops_nobody_and_leaves_the_rest_to_the_table(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    await hall.happens(ada, MOST_WAITING_FRAMES + 40)
    await until(lambda: stream.has_missed)
    assert await heard(stream, MOST_WAITING_FRAMES) == list(range(1, MOST_WAITING_FRAMES + 1))
    assert stream.end is None


async def test_more_events_than_one_read_takes_come_all(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "EVENTS_A_READ", 10)
    ada = uuid4()
    stream = hall.enter(ada)
    await hall.happens(ada, 35)
    assert await heard(stream, 35) == list(range(1, 36))


async def test_defect_in_a_message_silences_nobody(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    await hall.bus.publish(EVENT_CHANNEL, "nonsense")
    await hall.happens(ada)
    assert await heard(stream, 1) == [1]


async def test_who_is_named_after_a_commit_is_read_and_nobody_else(hall: Hall) -> None:
    ada, eve = uuid4(), uuid4()
    adas, _ = hall.enter(ada), hall.enter(eve)
    hall.feed.add(ada, 2)
    await hall.bus.publish(TOLD_CHANNEL, json.dumps({"queued": [str(uuid4())], "users": [str(ada), str(uuid4())]}))
    assert await heard(adas, 2) == [1, 2]
    assert [set(read) for read in hall.feed.reads] == [{ada}]


async def test_an_event_of_which_no_notice_ever_came_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_AGAIN_SECONDS", 0.05)
    hall, ada = Hall(), uuid4()
    hall.streams.open()
    try:
        stream = hall.enter(ada)
        await asyncio.sleep(0.02)
        hall.feed.add(ada)
        assert await heard(stream, 1) == [1]
    finally:
        await hall.streams.close()


async def test_who_comes_during_a_round_of_looking_again_is_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_AGAIN_SECONDS", 1.0)
    monkeypatch.setattr(streams, "USERS_A_READ", 1)
    hall, (ada, bob, eve) = Hall(), [uuid4() for _ in range(3)]
    hall.enter(ada)
    hall.enter(bob)
    hall.streams.open()
    try:
        await asyncio.sleep(0.05)  # the round began, and what the bus makes everybody read was read
        hall.feed.reads.clear()
        stream = hall.enter(eve)
        hall.feed.add(eve)
        assert await heard(stream, 1) == [1]
        assert [set(read) for read in hall.feed.reads] == [{ada}, {bob}, {eve}]
    finally:
        await hall.streams.close()


async def test_the_first_progress_of_a_job_comes_after_the_beginning_that_nobody_heard_of(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    hall.feed.add(ada)
    await hall.progresses(ada, 10)
    assert await heard(stream, 2) == [1, "10 %"]


async def test_the_first_progress_of_another_attempt_comes_after_its_beginning(hall: Hall) -> None:
    """The process that had the first one was killed."""
    ada = uuid4()
    stream = hall.enter(ada)
    hall.feed.add(ada)
    await hall.progresses(ada, 60)
    assert await heard(stream, 2) == [1, "60 %"]
    hall.feed.add(ada, 2)
    await hall.progresses(ada, 10, attempt=2)
    assert await heard(stream, 3) == [2, 3, "10 %"]


async def test_progress_waits_for_the_event_that_was_heard_of_before_it(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    hall.feed.may_answer.clear()
    await hall.happens(ada)
    await hall.progresses(ada, 10)
    await hall.progresses(ada, 20)
    await asyncio.sleep(0.05)
    hall.feed.may_answer.set()
    assert await heard(stream, 2) == [1, "20 %"]


async def test_progress_that_waited_is_not_told_after_the_end_of_its_job(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    hall.feed.may_answer.clear()
    await hall.happens(ada)
    await hall.progresses(ada, 90)
    await asyncio.sleep(0.02)
    hall.feed.events.append(TaskEvent(id=2, user_id=ada, type=EventType.TASK_COMPLETED, at=START, task={"id": "job"}))
    hall.feed.may_answer.set()
    await hall.bus.publish(EVENT_CHANNEL, f"{ada} 2")
    assert await heard(stream, 2) == [1, 2]
    await hall.happens(ada)
    assert await heard(stream, 1) == [3]


async def test_last_progress_is_told_again_until_its_job_ends(hall: Hall) -> None:
    ada, job_id = uuid4(), uuid4()
    stream = hall.enter(ada)
    told = {"user_id": str(ada), "task": {"id": str(job_id), "percent": 40}}
    await hall.bus.publish(PROGRESS_CHANNEL, json.dumps(told))
    await heard(stream, 1)
    assert [frame.task["percent"] for frame in hall.streams.progress_of(ada, [job_id])] == [40]
    assert hall.streams.progress_of(uuid4(), [job_id]) == []
    hall.feed.events.append(
        TaskEvent(id=1, user_id=ada, type=EventType.TASK_FAILED, at=START, task={"id": str(job_id)})
    )
    await hall.bus.publish(EVENT_CHANNEL, f"{ada} 1")
    await heard(stream, 1)
    assert hall.streams.progress_of(ada, [job_id]) == []


async def test_only_the_latest_progress_is_remembered_within_bounds(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "REMEMBERED_PROGRESS", 3)
    ada, jobs = uuid4(), [uuid4() for _ in range(4)]
    stream = hall.enter(ada)
    for job_id in (*jobs[:3], jobs[0], jobs[3]):
        await hall.bus.publish(
            PROGRESS_CHANNEL, json.dumps({"user_id": str(ada), "task": {"id": str(job_id), "percent": 1}})
        )
        assert await heard(stream, 1) == ["1 %"]
    assert {frame.task["id"] for frame in hall.streams.progress_of(ada, jobs)} == {str(jobs[n]) for n in (0, 2, 3)}


async def test_others_have_their_turn_while_thousands_are_told(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TELLINGS_A_TURN", 10)
    ada = uuid4()
    ear = _Ear()
    hall.enter(ada).ear = ear
    await hall.progresses(ada, 0)
    await until(lambda: ear.heard == 1)
    for percent in range(1, 61):
        await hall.progresses(ada, percent)
    heard_by_turn = []
    async with asyncio.timeout(5):
        while ear.heard < 61:
            await asyncio.sleep(0)
            heard_by_turn.append(ear.heard)
    assert max(after - before for before, after in pairwise([1, *heard_by_turn])) <= 10


async def test_reader_whose_connection_takes_nothing_is_dropped_alone(hall: Hall) -> None:
    ada = uuid4()
    lazy, diligent = hall.enter(ada), hall.enter(ada)
    stuck = asyncio.create_task(lazy.sending(asyncio.sleep(60)))
    for number in range(MOST_WAITING_FRAMES + 1):
        await hall.progresses(ada, number)
        await heard(diligent, 1)
    stuck.cancel()
    assert (lazy.end, diligent.end) == (End.TOO_SLOW, None)
    assert await lazy.take() == ()


async def test_reader_who_catches_up_is_not_dropped_and_knows_that_it_missed_something(hall: Hall) -> None:
    ada = uuid4()
    stream = hall.enter(ada)
    stream.is_catching_up = True
    for number in range(MOST_WAITING_FRAMES + 1):
        stream.offer(Frame("task_progress", {"percent": number}))
    assert (stream.end, stream.has_missed, len(await stream.take())) == (None, True, MOST_WAITING_FRAMES)


async def test_stream_ends_with_its_token(hall: Hall) -> None:
    stream = hall.enter(uuid4())
    hall.clock.advance(hours=1)
    assert await asyncio.wait_for(stream.take(), 5) == ()
    assert stream.end is End.EXPIRED


async def test_streams_of_a_suspended_user_end_and_no_others(hall: Hall) -> None:
    ada, eve = uuid4(), uuid4()
    adas, eves = hall.enter(ada), hall.enter(eve)
    hall.watch.known_suspended.add(eve)
    assert await asyncio.wait_for(eves.take(), 5) == ()
    assert (adas.end, eves.end) == (None, End.SUSPENDED)


async def test_streams_of_a_signed_out_session_end_and_no_others(hall: Hall) -> None:
    ada = uuid4()
    here, there = (hall.enter(ada, session_id=uuid4()) for _ in range(2))
    assert there.identity.session_id is not None
    hall.watch.known_signed_out.add(there.identity.session_id)
    assert await asyncio.wait_for(there.take(), 5) == ()
    assert (here.end, there.end) == (None, End.SIGNED_OUT)


async def test_silence_is_broken_by_signs_of_life(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)
    assert await heard(hall.enter(uuid4()), 2) == [None, None]


async def test_a_user_has_a_bounded_number_of_streams_and_gets_places_back(hall: Hall) -> None:
    ada = uuid4()
    entered = [hall.enter(ada) for _ in range(streams.MOST_STREAMS_OF_A_USER)]
    with pytest.raises(QuotaReached):
        hall.enter(ada)
    assert hall.meter.streams == len(entered)
    hall.streams.leave(entered[0], End.LEFT)
    hall.enter(ada)
    assert hall.meter.problems == ["stream left"]


async def test_closing_ends_every_stream_and_lets_nobody_in(hall: Hall) -> None:
    stream = hall.enter(uuid4())
    await hall.streams.close()
    assert (await stream.take(), stream.end) == ((), End.STOPPING)
    with pytest.raises(ServiceUnavailable):
        hall.enter(uuid4())


class _Ear:
    """Counts what it hears."""

    heard = 0

    def hear(self, frame: Frame | None) -> None:
        self.heard += 1


def _identity(user_id: UUID, session_id: UUID | None = None) -> Identity:
    claims: dict[str, Any] = {"sub": str(user_id), "role": "authenticated"}
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=session_id,
        expires_at=START + timedelta(minutes=30),
        claims=claims,
    )
