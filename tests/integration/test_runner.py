"""The runner over a real Postgres and real children, in this process: jobs, faults, cancel, shutdown."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from backend.bootstrap_leaving import open_leaving_desk
from backend.data.model_files import FolderModelFiles
from backend.data.storage.job_records import JobRecordTable
from backend.domain.events import PROGRESS_CHANNEL
from backend.domain.job_data import LARGEST_RESULT_BYTES
from backend.domain.jobs import Demand, Job, JobKind, JobState, Lease, NewJob, Outcome, Progress
from backend.infrastructure.clock import SystemClock
from backend.infrastructure.monitoring import Monitor
from backend.services.foresight import Foresight
from tests.integration.runner_house import GIB, MIB, SMALL, House, pid_of
from tests.integration.test_children import until
from tests.job_tables import claim

# Five for a job that hears nothing, and a slow machine.
LONGEST_FAREWELL_SECONDS = 20


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


async def test_what_was_foreseen_at_each_start_is_held_against_it(house: House) -> None:
    """How near it comes is measured by the benchmark of jobs: here it only has to be told truly."""
    foresight = Foresight(JobRecordTable(house.tables.worker), Monitor())
    missed: list[float] = []
    async with house.runner():
        for steps in (3, 12, 6, 3, 9):
            expected = foresight.forecasts.expected(JobKind.BACKTEST, float(steps))
            done = await house.becomes(await house.mine.submit(sized(steps)), JobState.COMPLETED)
            assert done.started_at is not None
            assert done.finished_at is not None
            took = (done.finished_at - done.started_at).total_seconds()
            if expected is not None:
                missed.append(abs(expected - took) / took)
            await foresight.look()
    assert foresight.forecasts.error(JobKind.BACKTEST) == pytest.approx(median(missed))


PAUSE = 0.02


def sized(steps: int) -> NewJob:
    return NewJob(
        kind=JobKind.BACKTEST, payload={"steps": steps, "pause": PAUSE}, demand=SMALL, work_units=float(steps)
    )
