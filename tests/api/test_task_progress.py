"""What no row says of a task: how far it is, what it printed up to now, why it waits and for how long."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.forecast import CompletedRun
from backend.domain.jobs import Demand, JobKind, Lease, NewJob, Outcome, Progress
from backend.services.foresight import Foresight
from backend.worker.progress import Telling
from tests.api.conftest import Person, Site
from tests.api.served import PATIENCE_SECONDS, listening, served
from tests.fake_jobs import FakeMachine
from tests.job_tables import ROOM, identity

TASKS = "/api/system/tasks"
SMALL = Demand(cores=1, memory_bytes=1024)


@pytest.fixture(autouse=True)
async def _empty_queue(site: Site) -> AsyncIterator[None]:
    yield
    await site.execute("delete from public.tasks", role="postgres")


@asynccontextmanager
async def client_of(site: Site, who: Person) -> AsyncIterator[httpx.AsyncClient]:
    """The site as it is served, where progress is listened to."""
    async with (
        served(site.house) as url,
        httpx.AsyncClient(base_url=url, headers=who.headers, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


async def running(site: Site, who: Person, runner: str = "tests") -> Lease:
    async with site.house.acting_as(identity(who.user_id)) as services:
        job = await services.jobs.submit(JobKind.BACKTEST, {}, demand=SMALL)
    (lease,) = await site.house.queue.claim(runner, ROOM, job_ids=[job.id])
    return lease


async def tell(site: Site, lease: Lease, *reports: Progress) -> None:
    telling = Telling(lease.job, site.house.bus, site.house.foresight.forecasts, time.monotonic)
    for report in reports:
        telling.tell(report)
        await asyncio.sleep(0.3)


async def heard(client: httpx.AsyncClient, job_id: UUID, stage: str) -> dict[str, Any]:
    """The task as soon as its progress has arrived."""
    for _ in range(100):
        task: dict[str, Any] = (await client.get(f"{TASKS}/{job_id}")).json()
        if task["progress"] and task["progress"]["stage"] == stage:
            return task
        await asyncio.sleep(0.05)
    raise AssertionError(f"no progress was heard of {job_id}")


async def test_running_task_shows_how_far_it_is_in_list_and_in_full(site: Site, ada: Person) -> None:
    lease = await running(site, ada)
    async with client_of(site, ada) as client:
        before = (await client.get(f"{TASKS}/{lease.job.id}")).json()
        assert (before["progress"], before["log_tail"]) == (None, None)
        await tell(site, lease, Progress(stage="bars", percent=40.0, message="4 of 10", log_tail="one\ntwo"))
        task = await heard(client, lease.job.id, "bars")
        assert task["progress"] == {
            "stage": "bars",
            "percent": 40.0,
            "message": "4 of 10",
            "eta_seconds": task["progress"]["eta_seconds"],
        }
        assert task["log_tail"] == "one\ntwo"
        (listed,) = (await client.get(TASKS)).json()["items"]
        assert listed["progress"]["percent"] == 40.0
        assert "log_tail" not in listed


async def test_log_that_did_not_change_is_still_known(site: Site, ada: Person) -> None:
    lease = await running(site, ada)
    async with client_of(site, ada) as client, listening(str(client.base_url), ada.headers) as listener:
        await listener.next()
        await tell(
            site,
            lease,
            Progress(stage="bars", log_tail="one"),
            Progress(stage="trades", log_tail="one"),
        )
        assert (await heard(client, lease.job.id, "trades"))["log_tail"] == "one"
        first, second = await listener.events(2)
        assert (first.task["log_tail"], "log_tail" in second.task) == ("one", False)
        async with listening(str(client.base_url), ada.headers) as late:
            told = await late.event()
        assert (told.type, told.task["stage"], told.task["log_tail"]) == ("task_progress", "trades", "one")


async def test_progress_of_an_earlier_attempt_is_not_shown(site: Site, ada: Person) -> None:
    lease = await running(site, ada)
    async with client_of(site, ada) as client:
        await tell(site, lease, Progress(stage="first", log_tail="of the first"))
        await heard(client, lease.job.id, "first")
        await site.execute(
            "update public.tasks set leased_until = now() - interval '1 s' where id = $1", lease.job.id, role="postgres"
        )
        await site.house.queue.reap()
        (again,) = await site.house.queue.claim("tests", ROOM, job_ids=[lease.job.id])
        task = (await client.get(f"{TASKS}/{lease.job.id}")).json()
        assert (task["state"], task["attempts"], task["progress"], task["log_tail"]) == ("running", 2, None, None)
        await tell(site, again, Progress(stage="second"))
        assert (await heard(client, lease.job.id, "second"))["log_tail"] is None


async def test_ended_task_keeps_its_log(site: Site, ada: Person) -> None:
    lease = await running(site, ada)
    async with client_of(site, ada) as client:
        await tell(site, lease, Progress(stage="bars", log_tail="so far"))
        await heard(client, lease.job.id, "bars")
        await site.house.queue.finish([(lease, Outcome.completed({}, "so far\nand done"))])
        task = (await client.get(f"{TASKS}/{lease.job.id}")).json()
        assert (task["state"], task["log_tail"], task["progress"]) == ("completed", "so far\nand done", None)


async def test_progress_is_told_to_nobody_else(site: Site, ada: Person) -> None:
    eve = await site.person()
    lease = await running(site, ada)
    async with client_of(site, ada) as client:
        forged = {"user_id": str(eve.user_id), "task": {"id": str(lease.job.id), "attempt": 1, "stage": "forged"}}
        await site.house.bus.publish(PROGRESS_CHANNEL, json.dumps(forged))
        await tell(site, lease, Progress(stage="bars"))
        assert (await heard(client, lease.job.id, "bars"))["progress"]["stage"] == "bars"
        answer = await client.get(f"{TASKS}/{lease.job.id}", headers=eve.headers)
        assert answer.status_code == 404


async def queued(site: Site, who: Person, count: int = 1, *, demand: Demand = SMALL) -> list[UUID]:
    async with site.house.acting_as(identity(who.user_id)) as services:
        return [(await services.jobs.submit(JobKind.BACKTEST, {}, demand=demand)).id for _ in range(count)]


async def waits(site: Site, who: Person, machine: FakeMachine) -> list[tuple[str | None, float | None]]:
    """Of each task of theirs, the oldest first."""
    async with site.client(resources=machine, foresight=knowing(backtest=30.0)) as client:
        answer = await client.get(f"{TASKS}?state=queued&limit=200", headers=who.headers)
    return [(task["waits_for"], task["waits_seconds"]) for task in answer.json()["items"]][::-1]


def knowing(**seconds: float) -> Foresight:
    foresight = Foresight(Nobody(), Nobody())  # type: ignore[arg-type]  # nothing is looked up
    foresight.forecasts.learn(
        CompletedRun(job_id=uuid4(), kind=JobKind(kind), work_units=None, seconds=took, ended_at=datetime.now(UTC))
        for kind, took in seconds.items()
    )
    return foresight


class Nobody:
    """Stands where nothing is asked."""


class Busy(FakeMachine):
    """A machine that is full."""

    def room(self) -> Demand:
        return Demand(cores=0, memory_bytes=self.capacity().memory_bytes)


async def test_tasks_that_can_start_at_once_wait_for_nothing(site: Site, ada: Person) -> None:
    await queued(site, ada, 3)
    assert await waits(site, ada, FakeMachine(cores=4)) == [(None, None)] * 3


async def test_tasks_behind_others_say_how_many_and_how_long(site: Site, ada: Person) -> None:
    await queued(site, ada, 5)
    eve = await site.person()
    await queued(site, eve)
    found = await waits(site, ada, FakeMachine(cores=2))
    assert found[0] == (None, None)
    assert found[2] == ("Waits for its turn. 3 tasks are ahead of it, 2 of them yours.", 30.0)
    assert found[4] == ("Waits for its turn. 5 tasks are ahead of it, 4 of them yours.", 60.0)


async def test_task_waits_for_what_runs_here_to_end(site: Site, ada: Person) -> None:
    eve = await site.person()
    lease = await running(site, eve)
    await site.execute(
        "update public.tasks set started_at = now() - interval '10 s' where id = $1", lease.job.id, role="postgres"
    )
    await queued(site, ada)
    ((reason, seconds),) = await waits(site, ada, Busy(cores=1))
    assert reason == "A machine without a free core."
    assert seconds is not None
    assert 15 <= seconds <= 20


async def test_how_long_is_not_guessed_where_other_servers_take_tasks(site: Site, ada: Person) -> None:
    await running(site, await site.person(), runner="elsewhere")
    await queued(site, ada)
    ((reason, seconds),) = await waits(site, ada, Busy(cores=1))
    assert seconds is None
    assert str(reason).endswith("other servers take tasks too, and how much room they have is not known here.")


async def test_task_over_ones_limit_of_running_ones_names_it(site: Site) -> None:
    await site.execute(
        "insert into private.plans (name, most_queued, most_running) values ('solo', 9, 1)", role="postgres"
    )
    ada = await site.person()
    await site.execute('update auth.users set raw_app_meta_data = \'{"plan": "solo"}\' where id = $1', ada.user_id)
    await running(site, ada)
    await queued(site, ada)
    ((reason, seconds),) = await waits(site, ada, FakeMachine(cores=4))
    assert reason == "Waits for one of your tasks to end: 1 of at most 1 run."
    assert seconds is not None
    assert 0 < seconds <= 30  # of which some have passed by now
    async with site.client() as client:
        body = (await client.get("/api/system/resources", headers=ada.headers)).json()
    assert body["quota"] == {
        "plan": "solo",
        "queued": {"limit": 9, "count": 1},
        "running": {"limit": 1, "count": 1},
    }
    assert {one["kind"]: one["count"] for one in body["running"]}["backtest"] == 1


async def test_resources_tell_how_long_each_kind_takes(site: Site, ada: Person) -> None:
    foresight = knowing(backtest=30.0)
    async with site.client(foresight=foresight) as client:
        body = (await client.get("/api/system/resources", headers=ada.headers)).json()
    assert body["history"] == [{"kind": "backtest", "jobs": 1, "typical_seconds": 30.0, "eta_error": None}]


async def test_retry_says_why_it_waits(site: Site, ada: Person) -> None:
    (job_id,) = await queued(site, ada)
    async with site.client() as client:
        await client.post(f"{TASKS}/{job_id}/cancel", headers=ada.headers)
    async with site.client(resources=Busy(cores=1), foresight=knowing()) as client:
        answer = await client.post(f"{TASKS}/{job_id}/retry", headers=ada.headers)
    assert answer.status_code == 202
    assert answer.json()["waits_for"].startswith("A machine without a free core.")


async def test_housekeeping_ahead_is_counted_and_not_shown(site: Site, ada: Person) -> None:
    await site.house.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={"secret": 1}, demand=SMALL))
    await queued(site, ada)
    ((reason, _),) = await waits(site, ada, FakeMachine(cores=1))
    assert str(reason).startswith("Waits for its turn. At least 1 task is ahead of it. How long is not known:")
    assert "secret" not in str(reason)
