"""The runner over a real Postgres and real children, in this process: jobs, faults, cancel, shutdown."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psutil
import pytest

from backend.bootstrap_leaving import open_leaving_desk
from backend.bootstrap_market import Market, open_market
from backend.bootstrap_models import open_model_desk
from backend.data.model_files import FolderModelFiles
from backend.data.storage.exchange_keys import KeyVaultTables
from backend.data.storage.housekeeping import HousekeepingTables
from backend.data.storage.job_queue import JobQueueTable
from backend.data.storage.job_records import JobRecordTable
from backend.data.storage.series import SharedSeries
from backend.domain.errors import DatabaseUnavailable
from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.forecast import Forecasts
from backend.domain.job_data import LARGEST_RESULT_BYTES
from backend.domain.job_ports import JobHandler, JobRepository
from backend.domain.jobs import Demand, Job, JobKind, JobState, Lease, NewJob, Outcome, Progress
from backend.domain.market import IMPORT, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.job_hints import LocalJobHints
from backend.infrastructure.key_manager import KeyManager, MasterKey
from backend.infrastructure.monitoring import Monitor
from backend.infrastructure.resource_manager import Memory, ResourceManager
from backend.services.adoption import Adoption
from backend.services.exchange_keys import KeyDesk
from backend.services.foresight import Foresight
from backend.settings import Settings
from backend.worker.children import Children
from backend.worker.fetching import Fetch
from backend.worker.handlers import Maintain
from backend.worker.line import AHEAD_JOBS, LATEST_JOBS
from backend.worker.runner import Runner
from backend.worker.running import Workshop
from tests.cluster import FreshDatabase
from tests.fake_exchange_keys import FakeProber
from tests.integration.test_children import until
from tests.integration.works import WORKS
from tests.job_tables import CONNECTIONS, Tables, claim, open_tables

GIB = 1024**3
MIB = 1024**2
SMALL = Demand(cores=1, memory_bytes=128 * MIB)
# Five for a job that hears nothing, and a slow machine.
LONGEST_FAREWELL_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class House:
    """A queue, its bus, and runners over them."""

    tables: Tables
    bus: PostgresEventBus
    mine: JobRepository
    me: UUID

    @asynccontextmanager
    async def runner(
        self,
        *,
        cores: int = 2,
        handlers: Mapping[JobKind, JobHandler] | None = None,
        meter: Monitor | None = None,
        **settings: Any,
    ) -> AsyncIterator[Runner]:
        runner = Runner(
            bus=self.bus,
            resources=ResourceManager(cores=cores, memory=lambda: Memory(total_bytes=4 * GIB, available_bytes=4 * GIB)),
            workshop=Workshop(children=Children(cores), works=WORKS, handlers=handlers or {}),
            meter=meter or Monitor(),
            **{"queue": self.tables.queue, **settings},
        )
        await runner.open()
        try:
            yield runner
        finally:
            await runner.close()

    async def submit(self, kind: JobKind = JobKind.BACKTEST, demand: Demand = SMALL, **payload: Any) -> Job:
        return await self.mine.submit(NewJob(kind=kind, payload=payload, demand=demand))

    async def submit_many(self, count: int, kind: JobKind, **payload: Any) -> list[Job]:
        """As many at once as there are connections, so that none waits for one in vain."""
        room = asyncio.Semaphore(CONNECTIONS)

        async def submit() -> Job:
            async with room:
                return await self.submit(kind, **payload)

        return await asyncio.gather(*(submit() for _ in range(count)))

    async def job(self, job: Job) -> Job:
        found = await self.mine.job(job.id)
        assert found is not None
        return found

    async def becomes(self, job: Job, state: JobState, *, seconds: float = 20) -> Job:
        deadline = time.monotonic() + seconds
        while (found := await self.job(job)).state != state:
            assert time.monotonic() < deadline, f"{found.state}, not {state}: {found.failure}"
            await asyncio.sleep(0.02)
        return found

    async def events_of(self, job: Job) -> list[str]:
        log = await self.mine.event_log(after=0, limit=1000)
        return [event.type.removeprefix("task_") for event in log.events if event.task["id"] == str(job.id)]

    async def kept_answers(self) -> list[str]:
        async with self.tables.worker.acting_as_service() as connection:
            return [row["key"] for row in await connection.fetch("select key from public.idempotency_keys")]

    async def expire_leases(self) -> None:
        await self.tables.execute(
            "update public.tasks set leased_until = now() - interval '1 s' where state = 'running'"
        )


@pytest.fixture
async def house(database: FreshDatabase) -> AsyncIterator[House]:
    async with open_tables(database) as tables:
        bus = PostgresEventBus(database.dsn("app_api"))
        await bus.open()
        me = await database.add_user()
        try:
            yield House(tables=tables, bus=bus, mine=tables.of(me), me=me)
        finally:
            await bus.close()


async def test_a_submitted_job_is_run_once_with_its_result_and_events(house: House) -> None:
    async with house.runner():
        job = await house.submit(JobKind.PREDICT, symbol="BTC/USDT")
        done = await house.becomes(job, JobState.COMPLETED)
        assert done.result is not None
        assert done.result["symbol"] == "BTC/USDT"
        assert (done.attempts, done.lease_epoch, done.is_partial) == (1, 1, False)
        assert await house.events_of(job) == ["queued", "running", "completed"]


async def test_jobs_that_waited_before_the_runner_came_are_run(house: House) -> None:
    jobs = [await house.submit(JobKind.PREDICT, number=number) for number in range(20)]
    async with house.runner():
        for job in jobs:
            done = await house.becomes(job, JobState.COMPLETED)
            assert done.attempts == 1


async def test_no_more_jobs_run_at_once_than_there_are_cores(house: House) -> None:
    for _ in range(6):
        await house.submit(steps=4, pause=0.05)
    async with house.runner(cores=2) as runner:
        most = 0
        while (counts := await house.mine.counts()).queued or counts.running:
            most = max(most, sum(running._child is not None for running in runner._running.values()))
            await asyncio.sleep(0.02)
        assert most == 2


async def test_a_killed_child_means_a_second_attempt_and_one_result(house: House) -> None:
    async with house.runner() as runner:
        other = await house.submit(steps=30, pause=0.05)
        job = await house.submit(steps=30, pause=0.05)
        await house.becomes(job, JobState.RUNNING)
        os.kill(await pid_of(runner, job), signal.SIGKILL)
        done = await house.becomes(job, JobState.COMPLETED)
        assert done.result == {"counted": 30}
        assert done.attempts == 2
        assert await house.events_of(job) == ["queued", "running", "queued", "running", "completed"]
        assert (await house.becomes(other, JobState.COMPLETED)).attempts == 1


async def test_a_job_that_always_kills_its_child_fails_after_its_attempts(house: House) -> None:
    async with house.runner():
        job = await house.submit(JobKind.GUARD, how="SIGSEGV")
        failed = await house.becomes(job, JobState.FAILED)
        assert failed.attempts == failed.max_attempts == 3
        assert failed.failure is not None
        assert "SIGSEGV" in failed.failure.detail
        assert "the last line before the end" in str(failed.failure.log_tail)


async def test_a_job_that_allocates_without_end_fails_alone_with_its_numbers(house: House) -> None:
    async with house.runner():
        other = await house.submit(steps=20, pause=0.05)
        hog = await house.submit(JobKind.SWEEP)
        failed = await house.becomes(hog, JobState.FAILED)
        assert failed.failure is not None
        assert failed.failure.code == "memory_limit_reached"
        assert "128 MiB were set aside" in failed.failure.detail
        assert failed.attempts == 1
        assert (await house.becomes(other, JobState.COMPLETED)).attempts == 1


async def test_an_error_in_a_job_is_final(house: House) -> None:
    async with house.runner():
        failed = await house.becomes(await house.submit(JobKind.EXPORT, divisor=0), JobState.FAILED)
        assert failed.failure is not None
        assert failed.failure.detail == "ZeroDivisionError: division by zero"
        assert failed.attempts == 1


async def test_a_result_that_the_database_refuses_fails_the_job(house: House) -> None:
    async with house.runner():
        failed = await house.becomes(await house.submit(JobKind.EXPORT), JobState.FAILED)
        assert failed.failure is not None
        assert failed.failure.code == "result_not_storable"


async def test_a_kind_that_nothing_here_does_fails_with_words(house: House) -> None:
    async with house.runner():
        failed = await house.becomes(await house.submit(JobKind.FETCH), JobState.FAILED)
        assert failed.failure is not None
        assert failed.failure.code == "kind_not_available"


async def test_a_cancelled_job_keeps_what_it_had(house: House) -> None:
    async with house.runner():
        job = await house.submit(steps=1000, pause=0.02)
        await house.becomes(job, JobState.RUNNING)
        await asyncio.sleep(0.2)
        await house.mine.request_cancel(job.id)
        cancelled = await house.becomes(job, JobState.CANCELLED, seconds=1)
        assert cancelled.is_partial
        assert cancelled.result is not None
        assert cancelled.result["counted"] > 0


async def test_a_job_that_ignores_its_cancel_is_gone_within_five_seconds(house: House) -> None:
    async with house.runner() as runner:
        job = await house.submit(JobKind.OPTIMIZE)
        await house.becomes(job, JobState.RUNNING)
        pid = await pid_of(runner, job)
        await asyncio.sleep(0.2)
        await house.mine.request_cancel(job.id)
        cancelled = await house.becomes(job, JobState.CANCELLED, seconds=5)
        assert cancelled.result is None
        assert not psutil.pid_exists(pid)
        await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED)


async def test_the_jobs_of_somebody_who_leaves_end_before_their_rows_go(house: House, tmp_path: Path) -> None:
    """Also one that ignores everything; and what waits never begins."""
    desk = open_leaving_desk(tmp_path, SystemClock(), house.tables.worker, FolderModelFiles(tmp_path, SystemClock()))
    async with house.runner(cores=1) as runner:
        running = await house.submit(JobKind.OPTIMIZE)
        await house.becomes(running, JobState.RUNNING)
        waiting = await house.submit()
        pid = await pid_of(runner, running)
        async with asyncio.timeout(LONGEST_FAREWELL_SECONDS):
            assert await desk.leaving.delete(house.me, "They asked for it.")
        assert not psutil.pid_exists(pid)
        for job in (running, waiting):
            assert await house.tables.worker.fetchval("select count(*) from public.tasks where id = $1", job.id) == 0
        await until(lambda: runner.readiness().is_ready)


async def test_a_cancel_that_no_hint_told_of_is_heard_with_the_heartbeat(house: House) -> None:
    async with house.runner(heartbeat_seconds=0.2):
        job = await house.submit(steps=1000, pause=0.02)
        await house.becomes(job, JobState.RUNNING)
        await house.bus.close()
        await house.mine.request_cancel(job.id)
        await house.becomes(job, JobState.CANCELLED, seconds=3)


async def test_a_suspension_ends_what_waits_and_what_runs_within_five_seconds(house: House) -> None:
    async def states() -> list[str]:
        async with house.tables.worker.acting_as_service() as connection:
            return [
                row["state"] for row in await connection.fetch("select state from public.tasks order by created_at")
            ]

    async with house.runner(cores=1) as runner:
        job = await house.submit(JobKind.OPTIMIZE)
        await house.becomes(job, JobState.RUNNING)
        pid = await pid_of(runner, job)
        await house.submit()
        await house.tables.execute(
            "update auth.users set banned_until = now() + interval '1 day' where id = $1", house.me
        )
        assert await states() == ["running", "cancelled"], "what waits ends with the suspension itself"
        async with asyncio.timeout(5):
            while await states() != ["cancelled", "cancelled"]:  # noqa: ASYNC110 - its owner hears nothing any more
                await asyncio.sleep(0.05)
        assert not psutil.pid_exists(pid)


async def test_jobs_are_found_without_any_hint(house: House) -> None:
    async with house.runner():
        await house.bus.close()
        await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED, seconds=5)


async def test_a_long_job_keeps_its_lease(house: House) -> None:
    async with house.runner(heartbeat_seconds=0.2):
        job = await house.submit(steps=40, pause=0.05)
        await house.becomes(job, JobState.RUNNING)
        for _ in range(3):
            await house.tables.execute("update public.tasks set leased_until = now() + interval '0.5 s'")
            await asyncio.sleep(0.4)
        assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1


async def test_a_silent_child_gets_no_lease_and_the_job_runs_elsewhere(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.worker.children.PING_SECONDS", 0.05)
    async with house.runner(heartbeat_seconds=0.2) as runner:
        job = await house.submit(steps=20, pause=0.05)
        await house.becomes(job, JobState.RUNNING)
        os.kill(await pid_of(runner, job), signal.SIGSTOP)
        done = await house.becomes(job, JobState.COMPLETED)
        assert done.attempts == 2
        assert (await house.events_of(job)).count("completed") == 1


async def test_a_job_that_another_runner_left_behind_is_taken_back_and_counted(house: House) -> None:
    job, meter = await house.submit(JobKind.PREDICT), Monitor()
    assert await house.tables.queue.claim("a runner that vanished", Demand(cores=9, memory_bytes=GIB), job_ids=[job.id])
    await house.expire_leases()
    async with house.runner(heartbeat_seconds=0.2, meter=meter):
        assert (await house.becomes(job, JobState.COMPLETED)).attempts == 2
    assert "tidemark_job_leases_expired_total 1.0" in meter.exposition()[0].decode()


async def test_what_the_runner_before_had_is_taken_back_at_once(house: House) -> None:
    job = await house.submit(JobKind.PREDICT)
    assert await house.tables.queue.claim("the one before", Demand(cores=9, memory_bytes=GIB), job_ids=[job.id])
    async with house.runner(gone="the one before"):
        assert (await house.becomes(job, JobState.COMPLETED, seconds=10)).attempts == 2


async def test_what_is_written_under_a_lost_lease_changes_nothing(house: House) -> None:
    async with house.runner(heartbeat_seconds=0.2) as runner:
        job = await house.submit(steps=200, pause=0.05)
        await house.becomes(job, JobState.RUNNING)
        old: Lease = runner._running[job.id].lease
        while (await house.job(job)).state == JobState.RUNNING and runner._running[job.id].lease is old:
            await house.expire_leases()  # unless the heartbeat is quicker
            await house.tables.queue.reap()
        second = await claim(house.tables.queue, job, runner_id="another runner")
        # Either this runner or the other has it by now, under a higher epoch.
        assert not await house.tables.queue.finish([(old, Outcome.completed({"counted": -1}))])
        await until(lambda: job.id not in runner._running or runner._running[job.id].lease.epoch > old.epoch)
        if second is not None:
            assert await house.tables.queue.finish([(second, Outcome.completed({"counted": 7}))])
            assert (await house.becomes(job, JobState.COMPLETED)).result == {"counted": 7}


async def test_at_shutdown_short_jobs_finish_and_long_ones_go_back(house: House) -> None:
    async with house.runner(grace_seconds=2.0):
        short, long = await house.submit(steps=20, pause=0.05), await house.submit(steps=1000, pause=0.05)
        waiting = await house.submit(JobKind.PREDICT)
        await house.becomes(short, JobState.RUNNING)
        await house.becomes(long, JobState.RUNNING)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert (await house.job(short)).state == JobState.COMPLETED
    back = await house.job(long)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)
    assert (await house.job(waiting)).state == JobState.QUEUED
    assert not any("backend.worker.process" in child.cmdline() for child in psutil.Process().children())


async def test_progress_is_told_over_the_bus_with_the_time_to_go(house: House) -> None:
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        async for message in house.bus.subscribe(PROGRESS_CHANNEL):
            if message.payload is not None:
                heard.append(json.loads(message.payload))

    listening = asyncio.create_task(listen())
    async with house.runner():
        job = await house.submit(steps=40, pause=0.05)
        await house.becomes(job, JobState.COMPLETED)
    listening.cancel()
    assert 5 <= len(heard) <= 12
    last = heard[-1]
    assert (last["user_id"], last["task"]["id"]) == (str(house.me), str(job.id))
    assert last["task"]["stage"] == "counting"
    assert last["task"]["percent"] > 50
    assert 0 < last["task"]["eta_seconds"] < 2


async def test_what_a_job_printed_is_told_and_kept(house: House) -> None:
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        async for message in house.bus.subscribe(PROGRESS_CHANNEL):
            if message.payload is not None:
                heard.append(json.loads(message.payload)["task"])

    listening = asyncio.create_task(listen())
    async with house.runner():
        job = await house.submit(JobKind.IMPORT, lines=["reading\n", "\x07writing €\n", "done\n"], pause=0.3)
        done = await house.becomes(job, JobState.COMPLETED)
        cancelled = await house.submit(JobKind.IMPORT, lines=["begun\n"] * 100, pause=0.1)
        await until(lambda: any(task["id"] == str(cancelled.id) and task.get("log_tail") for task in heard))
        await house.mine.request_cancel(cancelled.id)
        stopped = await house.becomes(cancelled, JobState.CANCELLED)
    listening.cancel()
    assert done.log_tail == "reading\nwriting €\ndone"
    told = [task["log_tail"] for task in heard if task["id"] == str(job.id) and "log_tail" in task]
    assert told[0] == "reading"
    assert "reading\nwriting €" in told
    assert str(stopped.log_tail).startswith("begun")


async def test_retry_begins_with_an_empty_log(house: House) -> None:
    async with house.runner():
        job = await house.submit(JobKind.IMPORT, lines=["begun\n"] * 100, pause=0.05)
        await house.becomes(job, JobState.RUNNING)
        await asyncio.sleep(0.3)
        await house.mine.request_cancel(job.id)
        assert (await house.becomes(job, JobState.CANCELLED)).log_tail
    retried = await house.mine.retry(job.id)
    assert retried is not None
    assert retried.log_tail is None


async def test_results_that_are_too_large_fail_their_jobs_with_the_numbers(house: House) -> None:
    class Chatty:
        async def run(
            self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
        ) -> Mapping[str, Any]:
            return {"rows": "1" * (LARGEST_RESULT_BYTES + 1)}

    async with house.runner(handlers={JobKind.FETCH: Chatty()}):
        in_child = await house.submit(
            JobKind.TRAIN, Demand(cores=1, memory_bytes=512 * MIB), bytes=LARGEST_RESULT_BYTES + 2000
        )
        for job in (in_child, await house.submit(JobKind.FETCH)):
            failure = (await house.becomes(job, JobState.FAILED)).failure
            assert failure is not None
            assert failure.code == "result_too_large"
            assert f"at most {LARGEST_RESULT_BYTES:,} are kept" in failure.detail


async def test_forecasts_survive_a_restart_and_follow_what_others_run(house: House) -> None:
    records = JobRecordTable(house.tables.worker)
    async with house.runner():
        for steps in (10, 30, 50):
            job = await house.mine.submit(sized(steps))
            await house.becomes(job, JobState.COMPLETED)
    before, meter = Foresight(records, Monitor()), Monitor()
    await before.look()
    after = Foresight(records, meter)
    await after.look()
    assert after.history() == before.history()
    (history,) = after.history()
    assert (history.kind, history.jobs) == (JobKind.BACKTEST, 3)
    assert after.forecasts.expected(JobKind.BACKTEST, 100.0) == before.forecasts.expected(JobKind.BACKTEST, 100.0)
    async with house.runner():
        await house.becomes(await house.mine.submit(sized(8)), JobState.COMPLETED)
    await after.look()
    assert after.history()[0].jobs == 4
    await after.look()
    assert after.history()[0].jobs == 4
    assert b'tidemark_job_eta_error_ratio{kind="backtest"}' in meter.exposition()[0]


async def test_after_twenty_jobs_their_time_is_foreseen_within_thirty_percent(house: House) -> None:
    """Real jobs in real children, whose sizes differ by ten times."""
    chance = random.Random(7)
    foresight = Foresight(JobRecordTable(house.tables.worker), Monitor())
    missed: list[float] = []
    async with house.runner():
        for number in range(32):
            steps = round(3 * 10 ** chance.random())
            expected = foresight.forecasts.expected(JobKind.BACKTEST, float(steps))
            job = await house.mine.submit(sized(steps))
            done = await house.becomes(job, JobState.COMPLETED)
            assert done.started_at is not None
            assert done.finished_at is not None
            took = (done.finished_at - done.started_at).total_seconds()
            if number >= 20:
                assert expected is not None
                missed.append(abs(expected - took) / took)
            await foresight.look()
    assert median(missed) <= 0.30, missed
    error = foresight.forecasts.error(JobKind.BACKTEST)
    assert error is not None
    assert error <= 0.30


PAUSE = 0.02


def sized(steps: int) -> NewJob:
    return NewJob(
        kind=JobKind.BACKTEST, payload={"steps": steps, "pause": PAUSE}, demand=SMALL, work_units=float(steps)
    )


async def test_a_flood_of_one_user_delays_another_by_one_job_at_most(house: House) -> None:
    flood = [await house.submit(steps=4, pause=0.05) for _ in range(30)]
    other = house.tables.of(await house.tables.fresh.add_user())
    async with house.runner(cores=1):
        await asyncio.sleep(0.5)
        job = await other.submit(NewJob(kind=JobKind.PREDICT, payload={}, demand=SMALL))
        await until_async(lambda: ended(other, job), seconds=3)
    states = [(await house.job(one)).state for one in flood]
    assert states.count(JobState.QUEUED) > 10


async def test_two_runners_run_each_job_once(house: House) -> None:
    jobs = [await house.submit(JobKind.PREDICT) for _ in range(40)]
    async with house.runner(), house.runner():
        for job in jobs:
            assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1
            assert await house.events_of(job) == ["queued", "running", "completed"]


async def test_a_hint_from_here_needs_no_bus(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.runner.POLL_SECONDS", 60)
    hints = LocalJobHints()
    async with house.runner(hints=hints) as runner:
        await knows_that_nothing_waits(runner)
        await house.bus.close()
        job = await house.submit(JobKind.PREDICT)
        hints.tell([job.id])
        assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1


async def test_a_hint_that_comes_twice_is_claimed_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.runner.POLL_SECONDS", 60)
    hints, queue = LocalJobHints(), CountingClaims(house.tables)
    async with house.runner(hints=hints, queue=queue) as runner:
        await knows_that_nothing_waits(runner)
        before = queue.claims
        for _ in range(5):
            job = await house.submit(JobKind.PREDICT)
            hints.tell([job.id])
            await house.becomes(job, JobState.COMPLETED)
        await asyncio.sleep(0.2)
        assert queue.claims - before == 5


async def test_a_hint_about_a_job_that_is_gone_harms_nothing(house: House) -> None:
    hints = LocalJobHints()
    async with house.runner(hints=hints) as runner:
        await knows_that_nothing_waits(runner)
        hints.tell([UUID(int=7)])
        await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED)


@pytest.fixture
def patient_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as brief, also on a machine that is busy with something else."""
    monkeypatch.setattr("backend.worker.line.BRIEF_SECONDS", 0.5)
    monkeypatch.setattr("backend.worker.line.AHEAD_SECONDS", 60)


@pytest.mark.usefixtures("patient_pace")
async def test_another_users_job_passes_what_was_leased_ahead(house: House) -> None:
    """Brief jobs are leased before there is room for them, and still another's first job is among the next."""
    other = house.tables.of(await house.tables.fresh.add_user())
    brief = NewJob(kind=JobKind.WALK_FORWARD, payload={}, demand=SMALL)
    async with house.runner() as runner:
        for _ in range(LATEST_JOBS):
            await house.becomes(await house.submit(JobKind.WALK_FORWARD), JobState.COMPLETED)
        flood = await house.submit_many(400, JobKind.WALK_FORWARD, seconds=0.01)
        await until(lambda: len(runner._line) > 0)
        job = await other.submit(brief)
        committed = time.monotonic()
        await until_async(lambda: ended(other, job))
        mine = [await house.becomes(one, JobState.COMPLETED) for one in flood]
        lone = await other.job(job.id)
    assert {one.attempts for one in mine} == {1}
    assert lone is not None
    before = [one for one in mine if committed < began(one) < began(lone)]
    # What waited here already, and one more claim that was on its way.
    assert len(before) <= 2 * (2 * AHEAD_JOBS + 2)


@pytest.mark.usefixtures("patient_pace")
async def test_what_was_leased_ahead_goes_back_when_the_jobs_turn_out_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.worker.line.BUSY_SECONDS", 0.5)
    async with house.runner(cores=1) as runner:
        for _ in range(LATEST_JOBS):
            await house.becomes(await house.submit(JobKind.WALK_FORWARD), JobState.COMPLETED)
        long = await house.submit_many(4, JobKind.WALK_FORWARD, seconds=3.0)
        await until(lambda: len(runner._line) > 0)
        await until(lambda: len(runner._line) == 0 and len(runner._held) == 1)
        counts = await house.mine.counts()
        assert (counts.running, counts.queued) == (1, 3)
        for job in long:
            done = await house.becomes(job, JobState.COMPLETED)
            assert done.attempts == 1


@pytest.mark.usefixtures("patient_pace")
async def test_two_runners_lease_ahead_and_run_each_job_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine some would go back to the queue, and be queued twice.
    monkeypatch.setattr("backend.worker.line.LONGEST_WAIT_SECONDS", 60)
    async with house.runner(), house.runner():
        for _ in range(2):
            jobs = await house.submit_many(150, JobKind.WALK_FORWARD)
            for job in jobs:
                assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1
    log = await house.mine.event_log(after=0, limit=1000)
    types = Counter(event.type for event in log.events)
    assert set(types.values()) == {300}
    assert [event.id for event in log.events] == list(range(1, 901))


async def test_a_result_that_cannot_be_stored_fails_alone_among_many(house: House) -> None:
    bad = await house.submit_many(3, JobKind.EXPORT)
    good = await house.submit_many(30, JobKind.PREDICT)
    async with house.runner():
        for job in good:
            await house.becomes(job, JobState.COMPLETED)
        for job in bad:
            failed = await house.becomes(job, JobState.FAILED)
            assert failed.failure is not None
            assert failed.failure.code == "result_not_storable"


async def test_jobs_whose_claim_was_answered_into_the_void_are_run_at_once(house: House) -> None:
    """Postgres committed the claim, and the connection broke before it could say so."""
    jobs = [await house.submit(JobKind.PREDICT) for _ in range(3)]
    async with house.runner(queue=LosesFirstAnswer(house.tables)):
        for job in jobs:
            done = await house.becomes(job, JobState.COMPLETED, seconds=10)
            assert done.attempts == 1


def maintain(house: House, market: Market) -> Maintain:
    adoption = Adoption(market.store, SharedSeries(house.tables.worker))
    settings = Settings(_env_file=None, cache_dir=market.cache_dir)
    models = open_model_desk(settings, market, Forecasts(), SystemClock(), house.tables.worker)
    keys = KeyDesk(FakeProber(), KeyManager(lambda: (MasterKey.generate(),)), KeyVaultTables(house.tables.worker))
    leaving = open_leaving_desk(market.cache_dir, SystemClock(), house.tables.worker, models.files).leaving
    return Maintain(
        HousekeepingTables(house.tables.worker),
        market,
        adoption=adoption,
        models=models,
        keys=keys,
        leaving=leaving,
        cache_bytes=0,
    )


async def test_housekeeping_deletes_what_is_old_and_nothing_else(house: House, tmp_path: Path) -> None:
    async with (
        open_market(Settings(_env_file=None, cache_dir=tmp_path, crypto_exchanges=())) as market,
        house.runner(handlers={JobKind.MAINTAIN: maintain(house, market)}),
    ):
        done = await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED)
        await house.tables.execute(
            "update public.task_events set at = now() - interval '7 days 1 minute' where type = 'task_queued'"
        )
        for key, hours in (("old", 25), ("young", 23)):
            await house.tables.execute(
                "insert into public.idempotency_keys (user_id, key, method, path, body_hash, created_at)"
                " values ($1, $2, 'POST', '/', '', now() - make_interval(hours => $3))",
                house.me,
                key,
                hours,
            )
        job = await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))

        async def is_done() -> bool:
            # As long as one of a kind waits or runs, the queue answers with that one.
            again = await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))
            return again.id != job.id

        await until_async(is_done)
        assert await house.events_of(done) == ["running", "completed"]
        assert await house.kept_answers() == ["young"]


async def test_housekeeping_keeps_fetched_series_within_their_room(house: House, tmp_path: Path) -> None:
    async with open_market(Settings(_env_file=None, cache_dir=tmp_path, crypto_exchanges=())) as market:
        day = Span(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 2, tzinfo=UTC))
        fetched = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
        await Fetch(market.markets, market.store).fetch(fetched, [day], lambda _: None, lambda: False)
        loaded = market.store.read(fetched)
        imported = Series(provider=IMPORT, symbol="MINE", timeframe=Timeframe.H1, owner=house.me)
        market.store.write(
            replace(loaded.instrument, provider=IMPORT, symbol="MINE"),
            imported,
            FetchedPage(bars=loaded.bars, covered=day),
            source="a file",
        )
        async with house.runner(handlers={JobKind.MAINTAIN: maintain(house, market)}):
            await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))
            await until(lambda: market.store.manifest(fetched) is None)
        assert market.store.manifest(imported) is not None


class CountingClaims(JobQueueTable):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables.worker, capacity=lambda: Demand(cores=4, memory_bytes=4 * GIB))
        self.claims = 0

    async def claim(self, *arguments: Any, **named: Any) -> Sequence[Lease]:
        self.claims += 1
        return await super().claim(*arguments, **named)


class LosesFirstAnswer(CountingClaims):
    async def claim(self, *arguments: Any, **named: Any) -> Sequence[Lease]:
        leases = await super().claim(*arguments, **named)
        if self.claims == 1:
            assert leases
            raise DatabaseUnavailable()
        return leases


async def knows_that_nothing_waits(runner: Runner) -> None:
    await until(lambda: runner._workshop.children.idle > 0 and runner._nothing_waits)
    await asyncio.sleep(0.2)


def began(job: Job) -> float:
    assert job.result is not None
    return float(job.result["began"])


async def pid_of(runner: Runner, job: Job) -> int:
    await until(lambda: job.id in runner._running and runner._running[job.id]._child is not None)
    child = runner._running[job.id]._child
    assert child is not None
    return child.pid


async def ended(jobs: JobRepository, job: Job) -> bool:
    found = await jobs.job(job.id)
    return found is not None and found.state.is_final


async def until_async(holds: Callable[[], Any], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
