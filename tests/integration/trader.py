"""A user of the command line, for tests of what one types there against a running server whose jobs do something."""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.serving import ROOT, TIDEMARK, Running, environment, tidemark

# Tokens name the installation, whose port changes when it is started again.
SETTINGS = {"TIDEMARK_PUBLIC_URL": "http://tidemark.localhost", "TIDEMARK_RATE_LIMITS": "off"}
MIB = 1024**2


class Trader:
    """A user of the command line, signed in by a token."""

    def __init__(self, running: Running) -> None:
        self.running = running
        answer = httpx.post(
            f"{running.url}/auth/v1/signup",
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
            json={"email": f"{uuid4()}@example.com", "password": "a-long-password-7Qx"},
        ).json()
        self.id = answer["user"]["id"]
        self.settings = {"TIDEMARK_TOKEN": answer["access_token"], "TIDEMARK_SERVER": running.url}

    def types(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        answer = tidemark("tasks", *arguments, data_dir=None, **{**self.settings, **settings})
        assert "Traceback" not in answer.stderr
        return answer

    def reads(self, *arguments: str) -> Any:
        answer = self.types(*arguments, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    @contextmanager
    def watching(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [TIDEMARK, "tasks", "watch", *arguments],
            cwd=ROOT,
            env=environment(**self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def has(self, *jobs: tuple[str, dict[str, Any]], ids: Sequence[str] | None = None) -> list[str]:
        """Add jobs as any part of Tidemark would; their ids."""
        return asyncio.run(self._add(jobs, ids or [str(uuid4()) for _ in jobs]))

    def waits_for(self, task_id: str, state: str) -> None:
        until(lambda: self.task(task_id)["state"] == state)

    def task(self, task_id: str) -> Any:
        """As the API tells it, for whoever asks time and again."""
        headers = {"Authorization": f"Bearer {self.settings['TIDEMARK_TOKEN']}"}
        answer = httpx.get(f"{self.running.url}/api/system/tasks/{task_id}", headers=headers)
        return answer.raise_for_status().json()

    async def _add(self, jobs: Sequence[tuple[str, dict[str, Any]]], ids: Sequence[str]) -> list[str]:
        connection = await asyncpg.connect(self.running.status["DB_URL"])
        try:
            await connection.execute("set role service_role")
            for id_, (kind, payload) in zip(ids, jobs, strict=True):
                await connection.execute(
                    "insert into public.tasks"
                    " (id, user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
                    " values ($1, $2, $3, $4, 1, $5, 1, 60)",
                    id_,
                    self.id,
                    kind,
                    json.dumps(payload),
                    64 * MIB,
                )
        finally:
            await connection.close()
        return list(ids)


def until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


ECHO = ("predict", {"horizon": 5})
BROKEN = ("export", {"divisor": 0})


def long(seconds: float) -> tuple[str, dict[str, Any]]:
    return "backtest", {"steps": int(seconds * 10), "pause": 0.1}
