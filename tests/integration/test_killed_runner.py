"""Runners killed at each step, stopped past their leases, and left without their database: one result each time."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

import psutil
import pytest

from backend.domain.job_ports import JobRepository
from backend.domain.jobs import Demand, Job, JobKind, JobState, NewJob
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from tests.cluster import MIGRATIONS, FreshDatabase
from tests.integration.writers import postmaster_of
from tests.job_tables import Tables, open_tables

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = Demand(cores=1, memory_bytes=128 * 1024**2)


class RunnerProcess:
    """A runner that can be killed, and what it says."""

    def __init__(self, fresh: FreshDatabase, step: str = "") -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.runner_process",
                fresh.dsn("app_worker"),
                fresh.dsn("app_api"),
                step,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()
        self.wait_for_the_start()

    def wait_for_the_start(self) -> None:
        try:
            assert self.line() == "open"
        except (AssertionError, Empty):
            self.end()
            raise

    def line(self, *, seconds: float = 20) -> str:
        return self._lines.get(timeout=seconds).strip()

    def wait_for(self, line: str, *, seconds: float = 20) -> None:
        while self.line(seconds=seconds) != line:
            pass

    def said(self) -> list[str]:
        lines = []
        with contextlib.suppress(Empty):
            while True:
                lines.append(self._lines.get_nowait().strip())
        return lines

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        self.process.wait(20)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


@pytest.fixture
async def mine(tables: Tables) -> JobRepository:
    return await tables.person()


@contextlib.contextmanager
def runner(fresh: FreshDatabase, step: str = "") -> Iterator[RunnerProcess]:
    running = RunnerProcess(fresh, step)
    try:
        yield running
    finally:
        running.end()


def counting(*, steps: int, marks: Path | None = None) -> NewJob:
    payload = {"steps": steps, "pause": 0.05, **({"marks": str(marks)} if marks else {})}
    return NewJob(kind=JobKind.BACKTEST, payload=payload, demand=SMALL)


async def becomes(mine: JobRepository, job: Job, state: JobState, *, seconds: float = 30) -> Job:
    deadline = time.monotonic() + seconds
    while True:
        found = await mine.job(job.id)
        assert found is not None
        if found.state == state:
            return found
        assert time.monotonic() < deadline, f"{found.state}, not {state}: {found.failure}"
        await asyncio.sleep(0.05)


async def events_of(mine: JobRepository, job: Job) -> list[str]:
    log = await mine.event_log(after=0, limit=1000)
    return [event.type.removeprefix("task_") for event in log.events if event.task["id"] == str(job.id)]


async def expire_leases(tables: Tables) -> None:
    await tables.execute("update public.tasks set leased_until = now() - interval '1 s' where state = 'running'")


@pytest.mark.parametrize("step", ["claimed", "computed"])
async def test_a_runner_killed_before_the_result_is_written_means_a_second_attempt(
    tables: Tables, mine: JobRepository, step: str
) -> None:
    job = await mine.submit(counting(steps=4))
    with runner(tables.fresh, step) as doomed:
        assert doomed.process.wait(20) == -signal.SIGKILL
    assert (await becomes(mine, job, JobState.RUNNING)).attempts == 1
    await expire_leases(tables)
    with runner(tables.fresh):
        done = await becomes(mine, job, JobState.COMPLETED)
    assert (done.result, done.attempts) == ({"counted": 4}, 2)
    assert await events_of(mine, job) == ["queued", "running", "queued", "running", "completed"]


async def test_a_runner_killed_after_the_result_is_written_means_nothing(tables: Tables, mine: JobRepository) -> None:
    job = await mine.submit(counting(steps=4))
    with runner(tables.fresh, "written") as doomed:
        assert doomed.process.wait(20) == -signal.SIGKILL
    with runner(tables.fresh):
        other = await mine.submit(counting(steps=1))
        await becomes(mine, other, JobState.COMPLETED)
    done = await becomes(mine, job, JobState.COMPLETED)
    assert done.attempts == 1
    assert await events_of(mine, job) == ["queued", "running", "completed"]


async def test_a_runner_killed_in_the_middle_takes_its_children_along_and_all_jobs_finish_once(
    tables: Tables, mine: JobRepository, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    jobs = [await mine.submit(counting(steps=20, marks=marks)) for _ in range(5)]
    with runner(tables.fresh) as first:
        for job in jobs[:2]:
            await becomes(mine, job, JobState.RUNNING)
        await asyncio.sleep(0.3)
        children = first.children()
        first.end(signal.SIGKILL)
        assert psutil.wait_procs(children, timeout=5)[1] == []
    await expire_leases(tables)
    with runner(tables.fresh):
        for job in jobs:
            assert (await becomes(mine, job, JobState.COMPLETED)).result == {"counted": 20}
            assert (await events_of(mine, job)).count("completed") == 1
    assert len(marks.read_text().splitlines()) == 7


async def test_what_a_stopped_runner_writes_after_its_lease_changes_nothing(
    tables: Tables, mine: JobRepository
) -> None:
    job = await mine.submit(counting(steps=30))
    with runner(tables.fresh) as sleeper:
        await becomes(mine, job, JobState.RUNNING)
        for process in [psutil.Process(sleeper.process.pid), *sleeper.children()]:
            os.kill(process.pid, signal.SIGSTOP)
        await expire_leases(tables)
        with runner(tables.fresh) as other:
            other.wait_for(f"claimed {job.id}")
            for child in sleeper.children():
                os.kill(child.pid, signal.SIGCONT)
            os.kill(sleeper.process.pid, signal.SIGCONT)
            done = await becomes(mine, job, JobState.COMPLETED)
            other.wait_for(f"written {job.id}")
        await asyncio.sleep(1)
        assert f"written {job.id}" not in sleeper.said()
    assert (done.attempts, done.lease_epoch) == (2, 2)
    assert await events_of(mine, job) == ["queued", "running", "queued", "running", "completed"]


async def test_two_runners_share_the_queue_and_each_job_runs_once(
    tables: Tables, mine: JobRepository, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    with runner(tables.fresh), runner(tables.fresh):
        jobs = [await mine.submit(counting(steps=1, marks=marks)) for _ in range(40)]
        for job in jobs:
            assert (await becomes(mine, job, JobState.COMPLETED)).attempts == 1
    assert len(marks.read_text().splitlines()) == 40


async def test_a_runner_that_is_told_to_end_gives_its_job_back_at_once(tables: Tables, mine: JobRepository) -> None:
    job = await mine.submit(counting(steps=10_000))
    with runner(tables.fresh) as first:
        await becomes(mine, job, JobState.RUNNING)
        first.end(signal.SIGTERM)
        assert first.process.returncode == 0
    back = await mine.job(job.id)
    assert back is not None
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)


@contextlib.asynccontextmanager
async def mortal_tables(data_dir: Path) -> AsyncIterator[Tables]:
    """On a Postgres of its own, which may be killed."""
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    await asyncio.to_thread(postgres.start)
    try:
        owner = postgres.address.dsn("postgres")
        await migrate(owner, MIGRATIONS)
        passwords = postgres.address.passwords
        await set_login_passwords(owner, {login: passwords[login] for login in ("app_api", "app_worker")})
        async with open_tables(FreshDatabase(name="postgres", address=postgres.address)) as tables:
            yield tables
    finally:
        await asyncio.to_thread(postgres.stop)


@pytest.mark.timeout(180)
async def test_jobs_finish_though_postgres_is_killed_while_they_run(data_dir: Path) -> None:
    async with mortal_tables(data_dir) as tables:
        mine = await tables.person()
        with runner(tables.fresh):
            jobs = [await mine.submit(counting(steps=30)) for _ in range(2)]
            for job in jobs:
                await becomes(mine, job, JobState.RUNNING)
            (await asyncio.to_thread(postmaster_of, data_dir)).kill()
            await asyncio.sleep(3)
            late = await mine.submit(counting(steps=1))
            for job in [*jobs, late]:
                assert (await becomes(mine, job, JobState.COMPLETED)).attempts == 1
                assert await events_of(mine, job) == ["queued", "running", "completed"]


@pytest.mark.timeout(180)
async def test_many_brief_jobs_finish_once_though_postgres_is_killed_in_the_middle_of_batches(data_dir: Path) -> None:
    async with mortal_tables(data_dir) as tables:
        mine = await tables.person()
        jobs = [await mine.submit(NewJob(kind=JobKind.WALK_FORWARD, payload={}, demand=SMALL)) for _ in range(600)]
        with runner(tables.fresh) as running:
            for _ in range(2):
                for _ in range(200):
                    running.line()
                (await asyncio.to_thread(postmaster_of, data_dir)).kill()
            await asyncio.sleep(3)
            done = [await becomes(mine, job, JobState.COMPLETED, seconds=60) for job in jobs]
        assert {job.result is not None for job in done} == {True}
        # A claim whose answer was lost does not count as an attempt.
        assert {job.attempts for job in done} == {1}
        log = await mine.event_log(after=0, limit=10_000)
        assert [event.id for event in log.events] == list(range(1, len(log.events) + 1))
        assert sum(event.type == "task_completed" for event in log.events) == 600
