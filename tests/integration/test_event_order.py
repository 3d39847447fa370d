"""Events in a real Postgres: in the order of the commits, told with them, and never skipped by a reader."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from backend.data.storage.job_queue import JobQueueTable
from backend.data.storage.jobs import JobTable
from backend.domain.events import EVENT_CHANNEL, JOB_CANCEL_CHANNEL, JOB_QUEUED_CHANNEL, EventType, FeedPlace
from backend.domain.jobs import Demand, JobFailure, JobState, Outcome
from tests.cluster import FreshDatabase
from tests.integration.test_children import until
from tests.job_tables import BACKTEST, ROOM, Tables, claim, identity, open_tables


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


async def test_a_slow_submit_keeps_no_other_waiting_and_ids_are_in_the_order_of_the_commits(tables: Tables) -> None:
    """An id is taken by the commit itself."""
    who = identity(await tables.fresh.add_user())
    mine = tables.of(who.user_id)
    async with tables.api.acting_as(who) as connection:
        slow = await JobTable(connection).submit(BACKTEST)
        quick = await asyncio.wait_for(mine.submit(BACKTEST), 2)
        assert [event.task["id"] for event in (await mine.event_log(after=0, limit=9)).events] == [str(quick.id)]
    events = (await mine.event_log(after=0, limit=9)).events
    assert [(event.id, event.task["id"]) for event in events] == [(1, str(quick.id)), (2, str(slow.id))]


async def test_what_is_told_later_leaves_no_notice_with_the_commit(tables: Tables) -> None:
    """The events are there all the same. A cancel of what runs is told at once by whoever asks for it."""
    who = identity(await tables.fresh.add_user())
    notices = Told()
    queue = JobQueueTable(tables.worker, capacity=lambda: ROOM, notices=notices)
    async with heard_by(tables) as heard:
        async with tables.api.acting_as(who) as connection:
            queued: list[UUID] = []
            job = await JobTable(connection, queued).submit(BACKTEST)
            other = await JobTable(connection, queued).submit(BACKTEST)
        leases = await queue.claim("runner", ROOM, job_ids=[job.id, other.id])
        await queue.finish([(lease, Outcome.completed({})) for lease in leases])
        lone = await tables.of(who.user_id).submit(BACKTEST)
        [lease] = await queue.claim("runner", ROOM)
        await tables.of(who.user_id).request_cancel(lone.id)
        await queue.finish([(lease, Outcome.cancelled())])
        await until(lambda: len(heard) >= 4)
        await asyncio.sleep(0.05)
    # The submit that promised nothing, and the cancel.
    assert [channel for channel, _ in heard] == [JOB_QUEUED_CHANNEL, EVENT_CHANNEL, JOB_CANCEL_CHANNEL, EVENT_CHANNEL]
    assert queued == [job.id, other.id]
    assert notices.users == [who.user_id] * 4
    log = await tables.of(who.user_id).event_log(after=0, limit=99)
    assert [event.id for event in log.events] == list(range(1, 11))


class Told:
    """Notices that are only written down."""

    def __init__(self) -> None:
        self.users: list[UUID] = []

    def tell(self, *, queued: Sequence[UUID] = (), users: Collection[UUID] = ()) -> None:
        assert not queued
        self.users += users


@asynccontextmanager
async def heard_by(tables: Tables) -> AsyncIterator[list[tuple[str, str]]]:
    """What comes over the channels of the database."""
    heard: list[tuple[str, str]] = []
    connection = await asyncpg.connect(tables.fresh.dsn("app_worker"))
    try:
        for channel in (JOB_QUEUED_CHANNEL, EVENT_CHANNEL, JOB_CANCEL_CHANNEL):
            await connection.add_listener(channel, lambda _, __, name, text: heard.append((name, text)))
        yield heard
    finally:
        await connection.close()


async def test_ids_of_a_user_wait_for_a_transaction_that_took_one(tables: Tables) -> None:
    """A cancel takes an id at once, so what comes after it cannot commit before it: a reader would skip it."""
    who = identity(await tables.fresh.add_user())
    mine = tables.of(who.user_id)
    job = await mine.submit(BACKTEST)
    order: list[str] = []
    first_wrote, first_may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with tables.api.acting_as(who) as connection:
            await JobTable(connection).request_cancel(job.id)
            first_wrote.set()
            await first_may_end.wait()
            order.append("slow")  # its commit and the other's are heard of in either order

    async def quick() -> None:
        await first_wrote.wait()
        await mine.submit(BACKTEST)
        order.append("quick")

    tasks = [asyncio.create_task(slow()), asyncio.create_task(quick())]
    await first_wrote.wait()
    await asyncio.sleep(0.2)
    assert len((await mine.event_log(after=0, limit=9)).events) == 1
    first_may_end.set()
    await asyncio.gather(*tasks)
    assert order == ["slow", "quick"]
    events = (await mine.event_log(after=0, limit=9)).events
    assert [(event.id, event.type) for event in events] == [
        (1, EventType.TASK_QUEUED),
        (2, EventType.TASK_CANCELLED),
        (3, EventType.TASK_QUEUED),
    ]


async def test_a_job_that_its_own_transaction_cancels_was_queued_first(tables: Tables) -> None:
    who = identity(await tables.fresh.add_user())
    async with tables.api.acting_as(who) as connection:
        jobs = JobTable(connection)
        await jobs.request_cancel((await jobs.submit(BACKTEST)).id)
    events = (await tables.of(who.user_id).event_log(after=0, limit=9)).events
    assert [event.type for event in events] == [EventType.TASK_QUEUED, EventType.TASK_CANCELLED]


async def test_events_of_one_statement_count_up_for_each_user(tables: Tables) -> None:
    ada, eve = [await tables.fresh.add_user() for _ in range(2)]
    for user_id in (ada, eve):
        await tables.flood(user_id, 3)
    leases = await tables.queue.claim("runner", Demand(cores=5, memory_bytes=10))
    assert len(leases) == 5
    assert len(await tables.queue.finish([(lease, Outcome.completed({})) for lease in leases])) == 5
    for user_id in (ada, eve):
        log = await tables.of(user_id).event_log(after=0, limit=99)
        assert [event.id for event in log.events] == list(range(1, log.last_id + 1))
        told = [(event.task["id"], event.type) for event in log.events]
        assert len(set(told)) == len(told)
        # Each job's own events are in their order, whichever else are between them.
        for job_id in {task_id for task_id, _ in told}:
            types = [type for task_id, type in told if task_id == job_id]
            assert types == [EventType.TASK_QUEUED, EventType.TASK_RUNNING, EventType.TASK_COMPLETED][: len(types)]


async def test_undone_transaction_leaves_no_gap(tables: Tables) -> None:
    who = identity(await tables.fresh.add_user())

    async def undo() -> None:
        async with tables.api.acting_as(who) as connection:
            await JobTable(connection).submit(BACKTEST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undo()
    mine = tables.of(who.user_id)
    await mine.submit(BACKTEST)
    log = await mine.event_log(after=0, limit=9)
    assert [event.id for event in log.events] == [1]


async def test_reader_of_all_users_skips_none_of_two_that_commit_in_reverse(tables: Tables) -> None:
    early, late = [identity(await tables.fresh.add_user()) for _ in range(2)]
    place = await start(tables)
    early_wrote, early_may_end = asyncio.Event(), asyncio.Event()

    async def begins_first() -> None:
        async with tables.api.acting_as(early) as connection:
            await JobTable(connection).submit(BACKTEST)
            early_wrote.set()
            await early_may_end.wait()

    task = asyncio.create_task(begins_first())
    await early_wrote.wait()
    await tables.of(late.user_id).submit(BACKTEST)
    events, place = await tables.feed.since(place, limit=100)
    assert events == [], "the later transaction has committed, but an earlier one is still open"
    early_may_end.set()
    await task
    events, place = await tables.feed.since(place, limit=100)
    assert [event.user_id for event in events] == [early.user_id, late.user_id]
    assert await tables.feed.since(place, limit=100) == ([], place)


async def test_reader_of_all_users_goes_on_within_a_transaction(tables: Tables) -> None:
    place = await start(tables)
    user_id = await tables.fresh.add_user()
    await tables.flood(user_id, 7)
    seen: list[int] = []
    while True:
        events, place = await tables.feed.since(place, limit=3)
        if not events:
            break
        seen += [event.id for event in events]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def start(tables: Tables) -> FeedPlace:
    _, place = await tables.feed.since(None, limit=1)
    return place


async def test_events_of_some_users_after_their_ids(tables: Tables) -> None:
    ada, eve, bob = [await tables.fresh.add_user() for _ in range(3)]
    for user_id in (ada, eve, bob):
        await tables.flood(user_id, 4)
    events = await tables.feed.of_users({ada: 2, eve: 0}, limit=3)
    found = {user_id: [event.id for event in events if event.user_id == user_id] for user_id in (ada, eve, bob)}
    assert found == {ada: [3, 4], eve: [1, 2, 3], bob: []}


async def test_log_says_what_was_deleted(tables: Tables) -> None:
    user_id = await tables.fresh.add_user()
    await tables.flood(user_id, 5)
    await tables.execute("delete from public.task_events where user_id = $1 and id <= 3", user_id)
    log = await tables.of(user_id).event_log(after=1, limit=9)
    assert (log.first_kept_id, log.last_id, [event.id for event in log.events]) == (4, 5, [4, 5])
    assert (log.continues(1), log.continues(3), log.continues(5), log.continues(6)) == (False, True, True, False)
    await tables.execute("delete from public.task_events where user_id = $1", user_id)
    empty = await tables.of(user_id).event_log(after=5, limit=9)
    assert (empty.events, empty.first_kept_id, empty.last_id) == ((), 6, 5)


async def test_event_tells_neither_what_went_in_nor_what_came_out(tables: Tables) -> None:
    mine = await tables.person()
    job = await mine.submit(replace(BACKTEST, payload={"canary": "went in"}))
    lease = await claim(tables.queue, job)
    assert lease is not None
    failure = JobFailure(code="broken", title="Broken", detail="It broke.", log_tail="canary in the log")
    await tables.queue.finish([(lease, Outcome(state=JobState.FAILED, result={"canary": "came out"}, failure=failure))])
    events = (await mine.event_log(after=0, limit=9)).events
    assert "canary" not in str(events)
    assert events[-1].task["failure"] == {"code": "broken", "title": "Broken", "detail": "It broke.", "remedy": None}
    assert events[-1].task["id"] == str(job.id)
    assert str(events[-1].task["finished_at"]).endswith("+00:00")


async def test_notices_leave_with_the_commit(tables: Tables) -> None:
    who = identity(await tables.fresh.add_user())
    listener = await asyncpg.connect(tables.fresh.dsn("app_worker"))
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    for channel in ("tidemark_job_queued", "tidemark_job_cancel", "tidemark_event"):
        await listener.add_listener(channel, lambda _c, _p, name, payload: heard.put_nowait((name, str(payload))))
    try:
        async with tables.api.acting_as(who) as connection:
            job = await JobTable(connection).submit(BACKTEST)
            await asyncio.sleep(0.1)
            assert heard.empty()
        assert await next_of(heard, 2) == {
            ("tidemark_job_queued", str(job.id)),
            ("tidemark_event", f"{who.user_id} 1"),
        }
        await claim(tables.queue, job)
        assert await next_of(heard, 1) == {("tidemark_event", f"{who.user_id} 2")}
        await tables.of(who.user_id).request_cancel(job.id)
        assert await next_of(heard, 2) == {("tidemark_job_cancel", str(job.id)), ("tidemark_event", f"{who.user_id} 3")}
    finally:
        await listener.close()


async def next_of(heard: "asyncio.Queue[tuple[str, str]]", count: int) -> set[tuple[str, str]]:
    return {await asyncio.wait_for(heard.get(), 5) for _ in range(count)}
