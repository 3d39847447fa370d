"""The WebSocket over a real socket: who may speak, what is heard, that nothing is lost or doubled, and how it ends."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from loguru import logger
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from backend.api import conversation, limits, streams, watching
from backend.domain.jobs import JobFailure, JobKind, Outcome
from backend.domain.ports import RateLimit
from backend.infrastructure.rate_limits import MemoryRateLimiter
from tests.api.conftest import Person, Site, assert_problem, open_site
from tests.api.served import served
from tests.api.talking import Runner, Talker, buy_ticket, socket_address, talking
from tests.cluster import FreshDatabase

pytestmark = pytest.mark.timeout(90)

BROKEN = JobFailure(
    code="out_of_memory",
    title="The task needed more memory than it was given",
    detail="It used 402 MiB of 384 MiB.",
    remedy="Choose a shorter range, then run it again.",
    log_tail="reading 525,600 bars",
)


@pytest.fixture(scope="module")
async def url(site: Site) -> AsyncIterator[str]:
    async with served(site.house) as url:
        yield url


@pytest.fixture
def runner(ada: Person) -> Runner:
    return Runner(person=ada)


async def refused(address: str, **options: Any) -> httpx.Response:
    """The answer in place of a socket."""
    with pytest.raises(InvalidStatus) as found:
        await connect(address, proxy=None, **options)
    answer = found.value.response
    return httpx.Response(answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


@contextmanager
def kept_lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged meanwhile."""
    lines: list[dict[str, Any]] = []
    sink = logger.add(lambda message: lines.append(dict(message.record)), level="DEBUG")
    yield lines
    logger.remove(sink)


def sample(site: Site, name: str, **labels: str) -> float:
    return site.house.monitor.registry.get_sample_value(f"tidemark_{name}", labels) or 0


# What is heard


async def test_life_of_a_backtest_is_told_from_the_queue_to_its_result(url: str, ada: Person, runner: Runner) -> None:
    job = await runner.submit()
    about = {"backtestId": str(job.id), "userId": str(ada.user_id)}
    async with talking(url, ada) as talker:
        await talker.subscribe(job.id)
        assert await talker.hear() == ("backtest:subscribed", {"backtestId": str(job.id)})
        assert await talker.hear() == ("backtest:queued", {**about, "timestamp": job.queued_at.isoformat()})
        lease = await runner.start(job)
        assert lease.job.started_at is not None
        started = {**about, "attempt": 1, "timestamp": lease.job.started_at.isoformat()}
        assert await talker.hear() == ("backtest:started", started)
        await runner.progress(lease, 40, message="Bar 400 of 1,000", current_date="2025-03-31")
        told = {**about, "progress": 40, "message": "Bar 400 of 1,000", "currentDate": "2025-03-31"}
        assert await talker.hear() == ("backtest:progress", told)
        result = {"summary": {"total_return": 0.12, "sharpe_ratio": 1.4, "max_drawdown": -0.08}}
        await runner.finish(lease, Outcome.completed(result))
        summary = {"totalReturn": 0.12, "sharpeRatio": 1.4, "maxDrawdown": -0.08}
        ended = {**about, "status": "completed", "resultId": str(job.id), "summary": summary}
        assert await talker.hear() == ("backtest:complete", ended)
        await talker.silence()


async def test_what_the_task_does_not_say_is_null(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running(JobKind.WALK_FORWARD)
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        assert await talker.events(2) == ["backtest:subscribed", "backtest:started"]
        await runner.progress(lease, None)
        _, told = await talker.hear()
        assert (told["progress"], told["message"], told["currentDate"]) == (None, "Testing", None)
        await runner.finish(lease, Outcome.completed({"fills": 3}))
        _, told = await talker.hear()
        assert told["summary"] == {"totalReturn": None, "sharpeRatio": None, "maxDrawdown": None}


async def test_failure_is_told_with_its_cause_and_remedy(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running(JobKind.SWEEP)
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        await runner.finish(lease, Outcome.failed(BROKEN))
        live = await talker.hear()
        await talker.subscribe(lease.job.id)
        assert await talker.hear() == ("backtest:subscribed", {"backtestId": str(lease.job.id)})
        late = await talker.hear()
    event, data = live
    assert event == "backtest:error"
    assert (data["error"], data["code"], data["remedy"]) == (BROKEN.detail, BROKEN.code, BROKEN.remedy)
    assert data["timestamp"].endswith("+00:00")
    assert "log_tail" not in str(data)
    assert late == live


async def test_cancelled_one_is_complete_with_what_there_is_of_it(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running()
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        await runner.cancel(lease.job)  # an event too, but it runs on until it stops
        await runner.finish(lease, Outcome.cancelled({"total_return": 0.5}))
        event, data = await talker.hear()
        assert (event, data["status"], data["resultId"]) == ("backtest:complete", "cancelled", str(lease.job.id))
        assert data["summary"]["totalReturn"] == 0.5


async def test_one_that_is_run_again_is_told_again(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running()
    await runner.progress(lease, 90)
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        assert (await talker.events(2))[1] == "backtest:started"
        await runner.finish(lease, Outcome.failed(BROKEN))
        while (await talker.hear())[0] != "backtest:error":
            pass
        await runner.retry(lease.job)
        assert (await talker.hear())[0] == "backtest:queued"
        again = await runner.start(lease.job)
        event, data = await talker.hear()
        assert (event, data["attempt"]) == ("backtest:started", 2)
        await runner.progress(lease, 95)  # a word of the first attempt that comes too late
        await runner.progress(again, 5)
        assert (await talker.hear())[1]["progress"] == 5


# Who comes late


async def test_who_comes_late_hears_how_far_it_is_and_then_the_rest(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running()
    async with talking(url, ada) as first:
        await first.subscribe(lease.job.id)
        await first.events(2)
        for percent in (10, 20, 30):
            await runner.progress(lease, percent)
            assert (await first.hear())[1]["progress"] == percent
        async with talking(url, ada) as second:
            await second.subscribe(lease.job.id)
            assert await second.events(2) == ["backtest:subscribed", "backtest:started"]
            assert (await second.hear())[1]["progress"] == 30
            await runner.progress(lease, 40)
            assert (await second.hear())[1]["progress"] == 40
            await second.silence()


async def test_who_comes_after_the_end_hears_the_end(url: str, ada: Person, runner: Runner) -> None:
    job = await runner.completed(summary={"total_return": 0.1}, result_id="kept-elsewhere")
    async with talking(url, ada) as talker:
        await talker.subscribe(job.id)
        assert (await talker.hear())[0] == "backtest:subscribed"
        event, data = await talker.hear()
        assert (event, data["status"], data["resultId"]) == ("backtest:complete", "completed", "kept-elsewhere")
        assert data["summary"] == {"totalReturn": 0.1, "sharpeRatio": None, "maxDrawdown": None}
        await talker.silence()


async def test_progress_of_an_earlier_attempt_is_not_told_to_who_comes_late(
    url: str, ada: Person, runner: Runner
) -> None:
    lease = await runner.running()
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        await runner.progress(lease, 90)
        await talker.hear()
        await runner.finish(lease, Outcome.failed(BROKEN))
        await runner.retry(lease.job)
        await runner.start(lease.job)
        assert await talker.events(3) == ["backtest:error", "backtest:queued", "backtest:started"]
        await talker.subscribe(lease.job.id)
        assert await talker.events(2) == ["backtest:subscribed", "backtest:started"]
        await talker.silence()


async def test_subscribing_at_any_moment_tells_each_thing_once_and_in_order(
    url: str, ada: Person, runner: Runner
) -> None:
    """Backtests live while many subscribe: each client hears the whole rest of a life, and nothing twice."""
    chance = random.Random(11)
    order = ["backtest:queued", "backtest:started", "backtest:progress", "backtest:complete"]

    async def live(job: Any) -> None:
        lease = await runner.start(job)
        for percent in range(0, 100, 10):
            await runner.progress(lease, percent)
            await asyncio.sleep(chance.random() / 500)
        await runner.finish(lease, Outcome.completed({}))

    async def follow(talker: Talker, job: Any) -> None:
        await asyncio.sleep(chance.random() / 15)
        await talker.subscribe(job.id)
        heard = [await talker.hear()]
        assert heard[0][0] == "backtest:subscribed"
        while heard[-1][0] != "backtest:complete":
            heard.append(await talker.hear())
        events = [event for event, _ in heard[1:]]
        assert list(dict.fromkeys(events)) == [event for event in order if event in events]
        assert all(events.count(event) == 1 for event in events if event != "backtest:progress")
        assert events == ["backtest:complete"] or "backtest:started" in events
        percents = [data["progress"] for event, data in heard if event == "backtest:progress"]
        assert percents == sorted(set(percents))
        await talker.silence()

    async with AsyncExitStack() as stack:
        for _ in range(8):
            job = await runner.submit()
            talkers = [await stack.enter_async_context(talking(url, ada)) for _ in range(6)]
            await asyncio.gather(live(job), *(follow(talker, job) for talker in talkers))


async def test_burst_of_events_hides_none_of_those_subscribed_to(url: str, ada: Person, runner: Runner) -> None:
    job = await runner.submit()
    async with talking(url, ada) as talker:
        await talker.subscribe(job.id)
        await talker.events(2)
        await ada.site.execute(
            "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " select $1, 'sweep', '{}', 1, 1, 3, 60 from generate_series(1, 500)",
            ada.user_id,
            role="postgres",
        )
        lease = await runner.start(job)
        await runner.finish(lease, Outcome.completed({}))
        assert await talker.events(2) == ["backtest:started", "backtest:complete"]


# What is watched


async def test_nothing_is_heard_of_what_is_not_subscribed_to(url: str, ada: Person, runner: Runner) -> None:
    watched, other = await runner.submit(), await runner.submit()
    async with talking(url, ada) as talker:
        await talker.subscribe(watched.id)
        await talker.events(2)
        await runner.progress(await runner.start(other), 10)
        await runner.start(watched)
        event, data = await talker.hear()
        assert (event, data["backtestId"]) == ("backtest:started", str(watched.id))


async def test_nothing_is_heard_after_unsubscribing_until_one_subscribes_again(
    url: str, ada: Person, runner: Runner
) -> None:
    lease = await runner.running()
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        await talker.say("backtest:unsubscribe", backtestId=str(lease.job.id))
        assert await talker.hear() == ("backtest:unsubscribed", {"backtestId": str(lease.job.id)})
        await runner.progress(lease, 10)
        marker = await runner.submit()
        await talker.subscribe(marker.id)
        assert await talker.events(2) == ["backtest:subscribed", "backtest:queued"]
        await runner.finish(lease, Outcome.completed({}))
        await runner.start(marker)
        event, data = await talker.hear()
        assert (event, data["backtestId"]) == ("backtest:started", str(marker.id))
        await talker.subscribe(lease.job.id)
        assert await talker.events(2) == ["backtest:subscribed", "backtest:complete"]


async def test_anothers_backtest_is_as_unknown_as_one_that_never_was(
    url: str, site: Site, ada: Person, runner: Runner
) -> None:
    eve = await site.person()
    adas = await runner.running()
    train = await Runner(person=eve).submit(JobKind.TRAIN)
    async with talking(url, eve) as talker:
        answers = []
        for wanted in (adas.job.id, uuid4(), train.id):
            await talker.subscribe(wanted)
            error = await talker.error()
            assert error.pop("backtestId") == str(wanted)
            answers.append({**error, "detail": error["detail"].replace(str(wanted), "X")})
        assert answers[0] == answers[1] == answers[2]
        assert (answers[0]["code"], answers[0]["event"]) == ("backtest_not_found", "backtest:subscribe")
        await runner.progress(adas, 50)
        await runner.finish(adas, Outcome.completed({}))
        await talker.silence()


async def test_one_socket_watches_a_bounded_number(
    url: str, ada: Person, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_ROOMS", 2)
    jobs = [await runner.submit() for _ in range(3)]
    async with talking(url, ada) as talker:
        for job in jobs[:2]:
            await talker.subscribe(job.id)
            await talker.events(2)
        await talker.subscribe(jobs[2].id)
        assert (await talker.error())["code"] == "quota_reached"
        await talker.say("backtest:unsubscribe", backtestId=str(jobs[0].id))
        await talker.subscribe(jobs[2].id)
        assert await talker.events(3) == ["backtest:unsubscribed", "backtest:subscribed", "backtest:queued"]


async def test_who_reconnects_hears_what_became_of_it_meanwhile(url: str, ada: Person, runner: Runner) -> None:
    lease = await runner.running()
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        talker.socket.transport.abort()
    await runner.finish(lease, Outcome.completed({}))
    async with talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        assert await talker.events(2) == ["backtest:subscribed", "backtest:complete"]


async def test_two_servers_on_one_database_tell_the_same(database: FreshDatabase) -> None:
    async with open_site(database) as here, served(here.house) as url:
        person = await here.person()
        runner = Runner(person=person)
        alike = {"project": here.house.project, "verifier": here.house.verifier}
        async with open_site(database, **alike) as there, served(there.house) as other_url:
            lease = await runner.running()
            async with talking(url, person) as one, talking(other_url, person) as other:
                for talker in (one, other):
                    await talker.subscribe(lease.job.id)
                    await talker.events(2)
                await runner.progress(lease, 50)
                assert await one.hear() == await other.hear()
                await runner.finish(lease, Outcome.completed({}))
                assert await one.hear() == await other.hear()


# Who may come


async def test_ticket_opens_one_socket(url: str, ada: Person) -> None:
    ticket = await buy_ticket(url, ada)
    async with talking(url) as talker:
        await talker.say("authenticate", ticket=ticket)
        assert await talker.hear() == ("authenticated", {"userId": str(ada.user_id)})
    async with talking(url) as talker:
        await talker.say("authenticate", ticket=ticket)
        assert (await talker.error())["code"] == "token_rejected"
        assert (await talker.parting())[0] == 4401


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"event":"authenticate","data":{}}', "not_signed_in"),
        ('{"event":"authenticate","data":{"token":7,"ticket":null}}', "not_signed_in"),
        ('{"event":"authenticate","data":{"token":"x.y.z"}}', "token_rejected"),
        ('{"event":"authenticate","data":{"token":"\\ud800"}}', "token_rejected"),
        ('{"event":"authenticate","data":{"ticket":"\\ud800"}}', "token_rejected"),
        (
            '{"event":"backtest:subscribe","data":{"backtestId":"0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a"}}',
            "not_signed_in",
        ),
        ("nonsense", "message_not_understood"),
        (b"\x00", "message_not_understood"),
    ],
)
async def test_first_message_that_does_not_authenticate_is_the_last(url: str, message: str | bytes, code: str) -> None:
    async with talking(url) as talker:
        await talker.socket.send(message)
        assert (await talker.error())["code"] == code
        assert await talker.parting() == (4401, "Not signed in: the first message must bring a good token or ticket.")


async def test_expired_token_is_refused(url: str, site: Site) -> None:
    person = await site.person(exp=int(time.time()) - 60)
    async with talking(url) as talker:
        await talker.say("authenticate", token=person.token)
        assert "expired" in (await talker.error())["detail"]
        assert (await talker.parting())[0] == 4401


async def test_who_says_nothing_is_not_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "AUTHENTICATE_SECONDS", 0.2)
    async with talking(url) as talker:
        assert await talker.parting() == (4408, "No message authenticated in time.")


async def test_socket_ends_when_the_token_expires(url: str, site: Site) -> None:
    person = await site.person(exp=int(time.time()) + 3)
    async with talking(url, person) as talker:
        assert (await talker.parting())[0] == 4401
    assert time.time() <= person.claims["exp"] + 3


async def test_socket_ends_within_seconds_of_a_suspension_and_no_other_opens(url: str, site: Site, ada: Person) -> None:
    async with talking(url, ada) as talker:
        await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", ada.user_id)
        began = time.monotonic()
        assert await talker.parting() == (4403, "This account is suspended.")
        assert time.monotonic() - began < 5
    async with talking(url) as talker:
        await talker.say("authenticate", token=ada.token)
        assert (await talker.error())["code"] == "account_suspended"
        assert (await talker.parting())[0] == 4403


async def test_suspended_user_can_subscribe_to_nothing(
    url: str, site: Site, ada: Person, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await runner.submit()
    async with talking(url, ada) as talker:
        await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", ada.user_id)
        await talker.subscribe(job.id)
        assert (await talker.error())["code"] == "account_suspended"
        assert (await talker.parting())[0] == 4403


async def test_a_user_has_a_bounded_number_of_sockets_and_gets_places_back(url: str, site: Site, ada: Person) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(streams.MOST_STREAMS_OF_A_USER):
            await stack.enter_async_context(talking(url, ada))
        async with talking(url) as talker:
            await talker.say("authenticate", token=ada.token)
            error = await talker.error()
            assert (error["code"], "64" in error["detail"]) == ("quota_reached", True)
            assert await talker.parting() == (4429, "Too many streams of this user are open.")
    await until(lambda: sample(site, "sockets") == 0)
    async with talking(url, ada):
        assert sample(site, "sockets") == 1


async def test_pages_of_other_origins_open_nothing(url: str, site: Site, ada: Person) -> None:
    port = url.rpartition(":")[2]
    for foreign in ("https://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1", "://", "x"):
        answer = await refused(socket_address(url), origin=foreign)
        assert_problem(answer, 403, "origin_not_allowed")
    for own in (url, site.house.address):
        async with talking(url, ada, origin=own):
            pass
    async with talking(f"http://localhost:{port}", ada, origin=f"http://localhost:{port}"):
        pass


async def test_origins_of_the_settings_may_open_one(site: Site, ada: Person) -> None:
    settings = site.house.settings.model_copy(
        update={"cors_origins": ("https://research.example.com/",), "public_url": "https://tidemark.example.com:443"}
    )
    async with served(replace(site.house, settings=settings)) as url:
        for allowed in ("https://research.example.com", "https://tidemark.example.com"):
            async with talking(url, ada, origin=allowed):
                pass
        assert_problem(
            await refused(socket_address(url), origin="http://research.example.com"), 403, "origin_not_allowed"
        )


async def test_other_hosts_and_paths_open_nothing(url: str) -> None:
    answer = await refused(socket_address(url), additional_headers={"Host": "evil.example"})
    assert_problem(answer, 421, "unknown_host")
    assert_problem(await refused(socket_address(url, "/socket")), 404, "no_such_path")


async def test_request_without_an_upgrade_is_told_what_lives_here(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/ws")
    assert_problem(answer, 426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"


async def test_new_sockets_are_counted_against_the_limits_of_address_and_user(
    site: Site, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADDRESS_READS", RateLimit(name="address_reads", requests=3, window_seconds=60))
    monkeypatch.setattr(conversation, "USER_READS", RateLimit(name="user_reads", requests=2, window_seconds=60))
    async with served(replace(site.house, limiter=MemoryRateLimiter())) as url:
        for _ in range(2):
            async with talking(url, ada):
                pass
        async with talking(url) as talker:
            await talker.say("authenticate", token=ada.token)
            assert (await talker.error())["code"] == "rate_limited"
            assert (await talker.parting())[0] == 4429
        answer = await refused(socket_address(url))
        assert_problem(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0


# What may be said


async def test_what_is_not_understood_is_said_so_and_after_a_few_the_socket_ends(url: str, ada: Person) -> None:
    async with talking(url, ada) as talker:
        for message in (
            "{",
            b'{"event":"backtest:subscribe","data":{}}',
            '{"event":"dance","data":{}}',
            '{"event":"backtest:subscribe","data":{"backtestId":"no-id"}}',
        ):
            await talker.socket.send(message)
            assert (await talker.error())["code"] == "message_not_understood"
        await talker.silence()
        await talker.socket.send("[" * 30_000)
        assert (await talker.error())["code"] == "message_not_understood"
        assert await talker.parting() == (4400, "Too many messages were not understood.")


@pytest.mark.parametrize(
    "message",
    ["null", "[]", '"x"', "{}", '{"event":"x"}', '{"event":7,"data":{}}', '{"event":"authenticate","data":[]}'],
)
async def test_messages_of_any_other_shape_are_not_understood(url: str, ada: Person, message: str) -> None:
    async with talking(url, ada) as talker:
        await talker.socket.send(message)
        assert (await talker.error())["code"] == "message_not_understood"


async def test_second_authentication_is_refused(url: str, site: Site, ada: Person) -> None:
    async with talking(url, ada) as talker:
        await talker.say("authenticate", token=(await site.person()).token)
        error = await talker.error()
        assert (error["code"], error["event"]) == ("message_not_understood", "authenticate")


@pytest.mark.parametrize("fragments", [1, 10])
async def test_huge_message_ends_the_socket(url: str, ada: Person, fragments: int) -> None:
    huge = json.dumps({"event": "x" * 40_000, "data": {}})
    async with talking(url, ada) as talker:
        size = len(huge) // fragments + 1
        await talker.socket.send([huge[at : at + size] for at in range(0, len(huge), size)])
        assert (await talker.parting())[0] == 1009
    async with talking(url) as stranger:
        await stranger.socket.send(huge)
        assert (await stranger.parting())[0] == 1009


async def test_who_talks_too_much_is_stopped(site: Site, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "USER_MESSAGES", RateLimit(name="user_messages", requests=3, window_seconds=60))
    async with served(replace(site.house, limiter=MemoryRateLimiter())) as url, talking(url, ada) as talker:
        for _ in range(3):
            await talker.silence()
        await talker.say("backtest:unsubscribe", backtestId=str(uuid4()))
        assert (await talker.error())["code"] == "rate_limited"
        assert await talker.parting() == (4429, "Too many messages in too short a time.")


# How it ends


async def test_sockets_end_with_a_word_when_the_server_stops(site: Site, ada: Person) -> None:
    async with AsyncExitStack() as clients:
        async with served(site.house) as url:
            known = await clients.enter_async_context(talking(url, ada))
            stranger = await clients.enter_async_context(talking(url))
            began = time.monotonic()
        assert time.monotonic() - began < 3
        for talker in (known, stranger):
            assert await talker.parting() == (1012, "Tidemark is stopping. Connect again in a moment.")


async def test_every_socket_is_counted_and_leaves_one_line_without_a_token(url: str, site: Site, ada: Person) -> None:
    left, rejected = (sample(site, "sockets_closed_total", why=why) for why in ("left", "not_signed_in"))
    with kept_lines() as lines:
        async with talking(url, ada, additional_headers={"X-Request-ID": "given-by-client"}) as talker:
            assert sample(site, "sockets") == 1
            assert talker.socket.response is not None
            assert talker.socket.response.headers["X-Request-ID"] == "given-by-client"
        async with talking(url) as talker:
            await talker.say("authenticate", token=f"{ada.token[:-4]}AAAA")
            request_id = (await talker.error())["requestId"]
            await talker.parting()
        await until(lambda: sample(site, "sockets") == 0)
    assert sample(site, "sockets_closed_total", why="left") == left + 1
    assert sample(site, "sockets_closed_total", why="not_signed_in") == rejected + 1
    ends = [line["extra"] for line in lines if line["message"] == "A socket ended"]
    assert [(end["request_id"], end.get("user_id"), end["ended"], end["code"]) for end in ends] == [
        ("given-by-client", str(ada.user_id), "left", 1000),
        (request_id, None, "not_signed_in", 4401),
    ]
    assert [line["message"] for line in lines if "101" in line["message"]] == ["GET /ws 101"] * 2
    assert ada.token[-40:-4] not in str(lines)


async def test_open_sockets_hold_no_connection_to_the_database(site: Site, ada: Person, runner: Runner) -> None:
    job = await runner.submit()
    async with served(site.house) as url, AsyncExitStack() as stack:
        for _ in range(20):
            talker = await stack.enter_async_context(talking(url, ada))
            await talker.subscribe(job.id)
            await talker.events(2)
        await until(lambda: site.house.database.idle == site.house.database.size)
