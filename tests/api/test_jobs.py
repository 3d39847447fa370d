"""One's own tasks over HTTP: the list, one of them, cancelling, running again, and what the machine can give."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.domain.errors import QuotaReached
from backend.domain.jobs import Demand, JobFailure, JobKind, NewJob, Outcome
from tests.api.conftest import Person, Site, assert_problem
from tests.fake_jobs import FakeMachine
from tests.job_tables import BACKTEST, ROOM, identity

BROKEN = JobFailure(code="broken", title="It broke", detail="By 3 of 5.", remedy="Mend it.", log_tail="crack")


async def submit(site: Site, who: Person, kind: JobKind = JobKind.BACKTEST) -> UUID:
    async with site.house.acting_as(identity(who.user_id)) as services:
        return (await services.jobs.submit(kind, {"fast": 20})).id


async def finish(site: Site, job_id: UUID, outcome: Outcome) -> None:
    (lease,) = await site.house.queue.claim("runner", ROOM, job_ids=[job_id])
    assert await site.house.queue.finish([(lease, outcome)])


async def read(client: httpx.AsyncClient, who: Person, job_id: UUID) -> dict[str, Any]:
    answer = await client.get(f"/api/system/tasks/{job_id}", headers=who.headers)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_task_is_shown_with_what_went_in_and_came_out(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    waiting = await read(client, ada, job_id)
    assert (waiting["kind"], waiting["state"], waiting["payload"]) == ("backtest", "queued", {"fast": 20})
    assert (waiting["attempts"], waiting["max_attempts"], waiting["result"]) == (0, 3, None)
    await finish(site, job_id, Outcome.completed({"sharpe": 1.25}))
    done = await read(client, ada, job_id)
    assert (done["state"], done["result"], done["is_partial"]) == ("completed", {"sharpe": 1.25}, False)
    assert done["finished_at"].endswith("Z")


async def test_failure_says_why_and_what_to_do(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    await finish(site, job_id, Outcome.failed(BROKEN))
    assert (await read(client, ada, job_id))["failure"] == {
        "code": "broken",
        "title": "It broke",
        "detail": "By 3 of 5.",
        "remedy": "Mend it.",
        "log_tail": "crack",
    }


async def test_list_is_ones_own_in_pages_and_narrowed(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    eve = await site.person()
    await submit(site, eve)
    mine = [str(await submit(site, ada)) for _ in range(3)]
    sweep = await submit(site, ada, JobKind.SWEEP)
    await finish(site, sweep, Outcome.completed({}))
    seen: list[str] = []
    path = "/api/system/tasks?limit=2&state=queued&state=running"
    while path:
        answer = await client.get(path, headers=ada.headers)
        seen += [item["id"] for item in answer.json()["items"]]
        assert {item["state"] for item in answer.json()["items"]} == {"queued"}
        path = answer.links.get("next", {}).get("url", "")
    assert seen == mine[::-1]
    found = (await client.get("/api/system/tasks?kind=sweep", headers=ada.headers)).json()["items"]
    assert [item["id"] for item in found] == [str(sweep)]
    assert "payload" not in found[0]


@pytest.mark.parametrize("query", ["state=asleep", "kind=nap", "limit=0", "&".join(["state=queued"] * 21)])
async def test_list_refuses_what_does_not_exist(client: httpx.AsyncClient, ada: Person, query: str) -> None:
    assert_problem(await client.get(f"/api/system/tasks?{query}", headers=ada.headers), 422, "invalid_input")


async def test_waiting_task_says_what_it_waits_for(site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    async with site.client(resources=FakeMachine(cores=0)) as client:
        assert (await read(client, ada, job_id))["waits_for"] == "The machine is smaller than that."
    async with site.client() as client:
        assert (await read(client, ada, job_id))["waits_for"] is None


async def test_cancelling_a_queued_and_a_running_task(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    queued, running = await submit(site, ada), await submit(site, ada)
    assert await site.house.queue.claim("runner", ROOM, job_ids=[running])
    answer = await client.post(f"/api/system/tasks/{queued}/cancel", headers=ada.headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    answer = await client.post(f"/api/system/tasks/{running}/cancel", headers=ada.headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    assert answer.json()["cancel_requested_at"]


async def test_retry_is_accepted_once_under_a_key(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    await finish(site, job_id, Outcome.failed(BROKEN))
    headers = {**ada.headers, "Idempotency-Key": "again-1"}
    first = await client.post(f"/api/system/tasks/{job_id}/retry", headers=headers)
    assert (first.status_code, first.json()["state"], first.json()["failure"]) == (202, "queued", None)
    assert first.headers["location"] == f"/api/system/tasks/{job_id}"
    again = await client.post(f"/api/system/tasks/{job_id}/retry", headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    other = await client.post(f"/api/system/tasks/{job_id}/retry", headers=ada.headers)
    assert "is queued" in assert_problem(other, 409, "job_not_retryable")["detail"]


async def test_retry_beyond_the_quota_tells_limit_and_count(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    await client.post(f"/api/system/tasks/{job_id}/cancel", headers=ada.headers)
    await site.execute(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " select $1, 'sweep', '{}', 1, 1, 1, 1 from generate_series(1, 1000)",
        ada.user_id,
        role="postgres",
    )
    answer = await client.post(f"/api/system/tasks/{job_id}/retry", headers=ada.headers)
    body = assert_problem(answer, 429, "quota_reached")
    assert (body["limit"], body["count"]) == (1000, 1000)
    assert "1,000 waiting tasks" in body["detail"]
    assert (await read(client, ada, job_id))["state"] == "cancelled"


async def test_retry_of_what_the_machine_cannot_hold_is_refused_with_the_numbers(site: Site, ada: Person) -> None:
    job_id = await submit(site, ada)
    async with site.client(resources=FakeMachine(memory_bytes=100 * 1024**2)) as client:
        await client.post(f"/api/system/tasks/{job_id}/cancel", headers=ada.headers)
        answer = await client.post(f"/api/system/tasks/{job_id}/retry", headers=ada.headers)
    detail = assert_problem(answer, 422, "job_too_large")["detail"]
    assert "512 MiB" in detail
    assert "100 MiB" in detail


@pytest.mark.parametrize("ending", ["", "/cancel", "/retry"])
async def test_tasks_of_others_are_not_there(client: httpx.AsyncClient, site: Site, ada: Person, ending: str) -> None:
    eve = await site.person()
    job_id = await submit(site, ada)
    for wanted in (job_id, uuid4()):
        method = "POST" if ending else "GET"
        answer = await client.request(method, f"/api/system/tasks/{wanted}{ending}", headers=eve.headers)
        assert_problem(answer, 404, "job_not_found")
    assert (await read(client, ada, job_id))["state"] == "queued"


async def test_housekeeping_is_nobodys(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    job = await site.house.queue.add(
        NewJob(kind=JobKind.MAINTAIN, payload={}, demand=Demand(cores=1, memory_bytes=1024))
    )
    answer = await client.get(f"/api/system/tasks/{job.id}", headers=ada.headers)
    assert_problem(answer, 404, "job_not_found")


async def test_resources_tell_what_there_is_and_what_waits(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await submit(site, ada, JobKind.EXPORT)
    body = (await client.get("/api/system/resources", headers=ada.headers)).json()
    assert body["capacity"] == {"cores": 4, "memory_bytes": 4 * 1024**3}
    assert body["room"]["cores"] == 4
    assert body["cpu_percent"] == 12.5
    assert {one["kind"]: one["count"] for one in body["waiting"]}["export"] == 1


async def test_health_names_each_part(client: httpx.AsyncClient, ada: Person) -> None:
    body = (await client.get("/api/system/health", headers=ada.headers)).json()
    assert body["status"] == "well"
    assert [check["name"] for check in body["checks"]][:2] == ["database", "migrations"]


async def test_payload_that_is_submitted_is_the_payload_that_runs(site: Site, ada: Person) -> None:
    async with site.house.acting_as(identity(ada.user_id)) as services:
        job = await services.jobs.submit(JobKind.BACKTEST, {"note": "ä \"'\\ ;--", "nested": {"list": [1, 2.5, None]}})
    (lease,) = await site.house.queue.claim("runner", ROOM, job_ids=[job.id])
    assert lease.job.payload == {"note": "ä \"'\\ ;--", "nested": {"list": [1, 2.5, None]}}
    assert BACKTEST.kind == lease.job.kind


async def submit_and_fail(site: Site, who: Person) -> None:
    async with site.house.acting_as(identity(who.user_id)) as services:
        await services.jobs.submit(JobKind.BACKTEST, {})
        raise ZeroDivisionError


async def test_the_runner_hears_of_a_job_when_it_is_committed_and_never_of_one_that_was_undone(site: Site) -> None:
    ada = await site.person()
    told: list[UUID] = []
    stop = site.house.hints.listen(told.append)
    try:
        async with site.house.acting_as(identity(ada.user_id)) as services:
            job = await services.jobs.submit(JobKind.BACKTEST, {})
            assert told == []
        assert told == [job.id]
        with pytest.raises(ZeroDivisionError):
            await submit_and_fail(site, ada)
        assert told == [job.id]
        await finish(site, job.id, Outcome.failed(BROKEN))
        async with site.house.acting_as(identity(ada.user_id)) as services:
            await services.jobs.retry(job.id)
        assert told == [job.id, job.id]
    finally:
        stop()


async def test_a_submit_that_others_overtook_at_the_quota_is_refused_by_the_commit(site: Site) -> None:
    ada = await site.person()
    await site.execute(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " select $1, 'backtest', '{}', 1, 1, 1, 60 from generate_series(1, 999)",
        ada.user_id,
        role="postgres",
    )

    async def submit_slowly() -> None:
        async with site.house.acting_as(identity(ada.user_id)) as services:
            await services.jobs.submit(JobKind.BACKTEST, {})
            await submit(site, ada)

    with pytest.raises(QuotaReached) as refused:
        await submit_slowly()
    assert (refused.value.limit, refused.value.count) == (1000, 1000)
