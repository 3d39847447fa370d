"""Events in a real Postgres: in the order of the commits, told with them, and never skipped by a reader."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from backend.data.storage.jobs import JobTable
from backend.domain.events import FeedPlace
from backend.domain.jobs import JobFailure, JobState, Outcome
from tests.cluster import FreshDatabase
from tests.job_tables import BACKTEST, ROOM, Tables, identity, open_tables


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


async def test_ids_of_a_user_are_in_the_order_of_the_commits(tables: Tables) -> None:
    """The second of two transactions cannot take an id before the first one, which holds the user, has ended."""
    who = identity(await tables.fresh.add_user())
    order: list[str] = []
    first_wrote, first_may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with tables.api.acting_as(who) as connection:
            await JobTable(connection).submit(replace(BACKTEST, payload={"name": "slow"}))
            first_wrote.set()
            await first_may_end.wait()
        order.append("slow")

    async def quick() -> None:
        await first_wrote.wait()
        async with tables.api.acting_as(who) as connection:
            await JobTable(connection).submit(replace(BACKTEST, payload={"name": "quick"}))
        order.append("quick")

    tasks = [asyncio.create_task(slow()), asyncio.create_task(quick())]
    await first_wrote.wait()
    await asyncio.sleep(0.2)
    # A reader sees nothing yet, rather than the second without the first.
    assert (await tables.of(who.user_id).event_log(after=0, limit=9)).events == ()
    first_may_end.set()
    await asyncio.gather(*tasks)
    assert order == ["slow", "quick"]
    assert [event.id for event in (await tables.of(who.user_id).event_log(after=0, limit=9)).events] == [1, 2]


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
    lease = await tables.queue.claim(job.id, "runner", ROOM)
    assert lease is not None
    failure = JobFailure(code="broken", title="Broken", detail="It broke.", log_tail="canary in the log")
    await tables.queue.finish(lease, Outcome(state=JobState.FAILED, result={"canary": "came out"}, failure=failure))
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
        await tables.queue.claim(job.id, "runner", ROOM)
        assert await next_of(heard, 1) == {("tidemark_event", f"{who.user_id} 2")}
        await tables.of(who.user_id).request_cancel(job.id)
        assert await next_of(heard, 2) == {("tidemark_job_cancel", str(job.id)), ("tidemark_event", f"{who.user_id} 3")}
    finally:
        await listener.close()


async def next_of(heard: "asyncio.Queue[tuple[str, str]]", count: int) -> set[tuple[str, str]]:
    return {await asyncio.wait_for(heard.get(), 5) for _ in range(count)}
