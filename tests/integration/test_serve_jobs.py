"""The runner inside a real `tidemark serve`: it says that it is there, does the housekeeping, and leaves nothing."""

import asyncio
import time
from collections.abc import Callable, Iterator

import asyncpg
import httpx
import psutil
import pytest

from tests.integration.trader import SETTINGS, Trader
from tests.serving import WITH_WORKS, Running, data_folder, serving


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder) as running:
        yield running


def test_it_is_ready_for_jobs_and_does_the_housekeeping(running: Running) -> None:
    checks = {check["name"]: check for check in httpx.get(f"{running.url}/readyz").json()["checks"]}
    assert checks["workers"]["ok"]
    assert "worker processes answer" in checks["workers"]["detail"]
    wait_for(lambda: housekeeping(running) == ["completed"])
    assert 'tidemark_job_duration_seconds_count{kind="maintain",outcome="completed"} 1.0' in metrics(running)


def test_a_killed_worker_is_replaced_and_counted(running: Running) -> None:
    victim = workers(running)[0]
    victim.kill()
    wait_for(lambda: "tidemark_worker_restarts_total 1.0" in metrics(running))
    wait_for(lambda: httpx.get(f"{running.url}/readyz").status_code == 200)


def test_no_worker_outlives_a_killed_server() -> None:
    with data_folder() as folder, serving(folder) as doomed:
        left = workers(doomed)
        assert left
        doomed.process.kill()
        assert psutil.wait_procs(left, timeout=5)[1] == []


def test_what_a_job_forked_outlives_a_killed_server_no_longer_than_until_the_next_start() -> None:
    with data_folder() as folder:
        with serving(folder, command=WITH_WORKS, **SETTINGS) as doomed:
            Trader(doomed).has(("guard", {"how": "fork"}))
            wait_for(lambda: any(worker.children() for worker in workers(doomed)))
            left = workers(doomed)
            (forked,) = [child for worker in left for child in worker.children()]
            doomed.process.kill()
            assert psutil.wait_procs(left, timeout=5)[1] == []
            assert forked.is_running()
        with serving(folder, command=WITH_WORKS, **SETTINGS):
            assert psutil.wait_procs([forked], timeout=5)[1] == []


def workers(running: Running) -> list[psutil.Process]:
    children = psutil.Process(running.process.pid).children()
    return [child for child in children if "backend.worker.process" in child.cmdline()]


def metrics(running: Running) -> str:
    return httpx.get(f"{running.url}/metrics").text


def housekeeping(running: Running) -> list[str]:
    async def ask() -> list[str]:
        connection = await asyncpg.connect(running.status["DB_URL"])
        try:
            # Row level security is forced, and the owner of the table is nobody's user.
            await connection.execute("set role service_role")
            return [row["state"] for row in await connection.fetch("select state from public.tasks")]
        finally:
            await connection.close()

    return asyncio.run(ask())


def wait_for(holds: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
