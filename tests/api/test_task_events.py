"""The stream of events over a real socket: nothing lost, nothing doubled, and nobody stays who may not."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from backend.api.task_events import TASK_EVENTS_PATH
from backend.domain.events import PROGRESS_CHANNEL
from tests.api.conftest import Person, Site, assert_problem
from tests.api.served import Listener, listening, served

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
async def url(site: Site) -> AsyncIterator[str]:
    async with served(site.house) as url:
        yield url


async def add_tasks(person: Person, count: int = 1) -> None:
    """So many tasks in a transaction each, and so as many events."""
    for _ in range(count):
        await person.site.execute(
            "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " values ($1, 'sweep', '{}', 1, 1, 3, 60)",
            person.user_id,
            role="postgres",
        )


async def ids_of(listener: Listener, count: int) -> list[int | None]:
    return [told.id for told in await listener.events(count)]


async def test_listener_hears_what_happens_from_now_on(url: str, ada: Person) -> None:
    await add_tasks(ada, 2)
    async with listening(url, ada.headers) as listener:
        greeting = await listener.next()
        assert (greeting.type, greeting.id) == (None, 2)
        await add_tasks(ada)
        told = await listener.event()
    assert (told.type, told.id, told.data["type"]) == ("task_queued", 3, "task_queued")
    assert (told.task["kind"], told.task["state"]) == ("sweep", "queued")
    assert listener.answer.headers["content-type"] == "text/event-stream"
    assert listener.answer.headers["cache-control"] == "no-store, no-transform"
    assert listener.answer.headers["x-content-type-options"] == "nosniff"
    assert listener.answer.headers["x-request-id"]


async def test_nobody_hears_of_another_ones_tasks(url: str, site: Site, ada: Person) -> None:
    eve = await site.person()
    async with listening(url, eve.headers) as listener:
        await listener.next()
        await add_tasks(ada, 3)
        await add_tasks(eve)
        told = await listener.event()
    assert told.id == 1


async def test_stream_cut_at_each_event_goes_on_with_nothing_lost_or_doubled(url: str, ada: Person) -> None:
    async with listening(url, ada.headers) as listener:
        last = (await listener.next()).id
    heard = []
    for number in range(1, 13):
        # Half of them happen while nobody listens, half while somebody does.
        if number % 2:
            await add_tasks(ada)
        async with listening(url, ada.headers, after=last) as listener:
            assert (await listener.next()).id == last
            if not number % 2:
                await add_tasks(ada)
            told = await listener.event()
        last = told.id
        heard.append(told.id)
    assert heard == list(range(1, 13))


async def test_stream_cut_anywhere_while_events_rain_loses_and_doubles_nothing(url: str, ada: Person) -> None:
    chance = random.Random(7)
    raining = asyncio.create_task(add_tasks(ada, 150))
    heard: list[int | None] = []
    last = 0
    while len(heard) < 150:
        async with listening(url, ada.headers, after=last) as listener:
            heard += await ids_of(listener, min(chance.randint(1, 12), 150 - len(heard)))
            last = listener.last_id or last
    await raining
    assert heard == list(range(1, 151))


async def test_all_streams_of_a_user_hear_the_same(url: str, ada: Person) -> None:
    async with listening(url, ada.headers) as one, listening(url, ada.headers, after=0) as other:
        await one.next()
        await add_tasks(ada, 5)
        assert await ids_of(one, 5) == await ids_of(other, 5) == [1, 2, 3, 4, 5]


async def test_long_absence_is_made_up_for_page_by_page(url: str, ada: Person) -> None:
    await ada.site.execute(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " select $1, 'sweep', '{}', 1, 1, 3, 60 from generate_series(1, 950)",
        ada.user_id,
        role="postgres",
    )
    async with listening(url, ada.headers, after=3) as listener:
        assert await ids_of(listener, 947) == list(range(4, 951))
        await add_tasks(ada)
        assert (await listener.event()).id == 951


async def test_burst_is_heard_whole_by_who_listens(url: str, ada: Person) -> None:
    async with listening(url, ada.headers) as listener:
        await listener.next()
        await ada.site.execute(
            "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " select $1, 'sweep', '{}', 1, 1, 3, 60 from generate_series(1, 1000)",
            ada.user_id,
            role="postgres",
        )
        assert await ids_of(listener, 1000) == list(range(1, 1001))
    assert listener.last_id == 1000


async def test_reader_whose_place_is_gone_is_told_to_begin_anew(url: str, ada: Person) -> None:
    await add_tasks(ada, 6)
    await ada.site.execute(
        "delete from public.task_events where user_id = $1 and id <= 3", ada.user_id, role="postgres"
    )
    async with listening(url, ada.headers, after=3) as listener:
        assert await ids_of(listener, 3) == [4, 5, 6]
    for gone in (0, 2, 99):
        async with listening(url, ada.headers, after=gone) as listener:
            told = await listener.event()
            assert (told.type, told.id, told.data) == ("reset", 6, {"type": "reset"})
    async with listening(url, ada.headers, after=2) as listener:
        await listener.event()
        await add_tasks(ada)
        assert (await listener.event()).id == 7


async def test_progress_has_no_id_and_is_told_again_to_who_comes_later(url: str, site: Site, ada: Person) -> None:
    await add_tasks(ada)
    async with listening(url, ada.headers, after=0) as first:
        job_id = (await first.event()).task["id"]
        await site.execute(
            "update public.tasks set state = 'running', leased_until = now() + interval '1 minute' where user_id = $1",
            ada.user_id,
            role="postgres",
        )
        assert (await first.event()).type == "task_running"
        progress = f'{{"user_id":"{ada.user_id}","task":{{"id":"{job_id}","stage":"Sweeping","percent":40}}}}'
        await site.house.bus.publish(PROGRESS_CHANNEL, progress)
        told = await first.event()
        assert (told.type, told.id) == ("task_progress", None)
        assert told.task == {"id": job_id, "stage": "Sweeping", "percent": 40}
        assert first.last_id == 2
    async with listening(url, ada.headers, after=2) as second:
        assert (await second.event()).task["percent"] == 40
    await site.execute(
        "update public.tasks set state = 'completed', leased_until = null, finished_at = now() where user_id = $1",
        ada.user_id,
        role="postgres",
    )
    async with listening(url, ada.headers, after=2) as third:
        assert (await third.event()).type == "task_completed"
        await add_tasks(ada)
        assert (await third.event()).type == "task_queued"


async def test_stream_ends_when_the_token_expires(url: str, site: Site) -> None:
    person = await site.person(exp=int(time.time()) + 3)
    async with listening(url, person.headers) as listener:
        told = await asyncio.wait_for(listener.until_the_end(), 8)
    assert told[-1].comments == ["ended, expired"]
    assert time.time() <= person.claims["exp"] + 3


async def test_stream_ends_within_seconds_of_a_suspension(url: str, site: Site, ada: Person) -> None:
    async with listening(url, ada.headers) as listener:
        await listener.next()
        await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", ada.user_id)
        await asyncio.wait_for(listener.until_the_end(), 5)
    async with listening(url, ada.headers) as refused:
        assert_problem(refused.answer, 403, "account_suspended")


async def test_stream_needs_a_caller(url: str) -> None:
    async with listening(url) as listener:
        assert_problem(listener.answer, 401, "not_signed_in")
    async with listening(url, {"Authorization": "Bearer x.y.z"}) as listener:
        assert_problem(listener.answer, 401, "token_rejected")


async def test_token_in_the_address_opens_nothing(url: str, ada: Person) -> None:
    for name in ("access_token", "token", "authorization"):
        async with httpx.AsyncClient(base_url=url) as client:
            assert_problem(await client.get(TASK_EVENTS_PATH, params={name: ada.token}), 401, "not_signed_in")
    async with listening(url, ticket=ada.token) as listener:
        assert_problem(listener.answer, 401, "token_rejected")


@pytest.mark.parametrize("place", ["-1", "1.5", "x", "٣", "9" * 19, "9" * 5000])
async def test_place_that_is_none_is_refused(url: str, ada: Person, place: str) -> None:
    async with listening(url, ada.headers, last_event_id=place) as listener:
        body = assert_problem(listener.answer, 422, "invalid_input")
    assert body["errors"][0]["pointer"] == "/query/last_event_id"


async def test_other_methods_are_refused_and_head_is_answered(url: str, ada: Person) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        refused = await client.post(TASK_EVENTS_PATH, headers=ada.headers)
        assert_problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD"
        head = await client.head(TASK_EVENTS_PATH, headers=ada.headers)
        assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/event-stream", b"")


async def test_ticket_opens_one_stream(url: str, ada: Person) -> None:
    await add_tasks(ada, 2)
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/api/system/stream-ticket", headers=ada.headers)
    ticket = answer.json()["ticket"]
    assert answer.headers["cache-control"] == "no-store"
    async with listening(url, ticket=ticket, last_event_id="1") as listener:
        assert (await listener.event()).id == 2
    async with listening(url, ticket=ticket) as listener:
        assert_problem(listener.answer, 401, "token_rejected")


async def test_ticket_of_a_suspended_user_opens_nothing(url: str, site: Site, ada: Person) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        ticket = (await client.post("/api/system/stream-ticket", headers=ada.headers)).json()["ticket"]
    await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", ada.user_id)
    async with listening(url, ticket=ticket) as listener:
        assert_problem(listener.answer, 403, "account_suspended")


async def test_stream_of_a_ticket_ends_with_the_token_that_bought_it(url: str, site: Site) -> None:
    person = await site.person(exp=int(time.time()) + 3)
    async with httpx.AsyncClient(base_url=url) as client:
        ticket = (await client.post("/api/system/stream-ticket", headers=person.headers)).json()
    assert time.time() < person.claims["exp"] + 1
    async with listening(url, ticket=ticket["ticket"]) as listener:
        await asyncio.wait_for(listener.until_the_end(), 8)


async def test_a_user_has_a_bounded_number_of_streams(url: str, ada: Person) -> None:
    async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=80)) as client:
        opened = [client.stream("GET", TASK_EVENTS_PATH, headers=ada.headers) for _ in range(64)]
        for one in opened:
            assert (await one.__aenter__()).status_code == 200
        async with listening(url, ada.headers) as listener:
            body = assert_problem(listener.answer, 429, "quota_reached")
        assert "64" in body["detail"]
        for one in opened:
            await one.__aexit__(None, None, None)
    for _ in range(50):
        async with listening(url, ada.headers) as listener:
            if listener.answer.status_code == 200:
                return
        await asyncio.sleep(0.1)
    pytest.fail("the places of those who left were never free again")


async def test_stream_ends_at_once_when_the_server_stops(site: Site, ada: Person) -> None:
    async with served(site.house) as url:
        opening = listening(url, ada.headers)
        listener = await opening.__aenter__()
        await listener.next()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    await listener.until_the_end()
    await opening.__aexit__(None, None, None)
