"""Processes that answer one request and end: whatever a stranger's input does to them concerns nobody else."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Final

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV")


class TookTooLong(Exception):
    """The process was ended, since its time was over."""


class OneShots:
    """After the first request one process waits, warm, for the next. Requests beyond so many at once wait in turn."""

    def __init__(self, module: str, environment: Mapping[str, str], *, longest_seconds: float, at_once: int) -> None:
        """The module reads its standard input to the end, answers on its output and ends. It gets no secret."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(part for part in sys.path if part)
        self._environment = {**inherited, **environment, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        self._module = module
        self._longest_seconds = longest_seconds
        self._turn = asyncio.Semaphore(at_once)
        self._spare: asyncio.subprocess.Process | None = None
        self._is_closed = False
        self.waiting = 0

    async def ask(self, request: bytes) -> tuple[bytes, int]:
        """What it said, and its exit code; raises TookTooLong."""
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        try:
            return await self._answered(request)
        finally:
            self._turn.release()

    async def close(self) -> None:
        self._is_closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            await _end(spare)

    async def _answered(self, request: bytes) -> tuple[bytes, int]:
        process = await self._taken()
        try:
            said, _ = await asyncio.wait_for(process.communicate(request), self._longest_seconds)
        except TimeoutError:
            raise TookTooLong from None
        finally:
            await _end(process)
        return said, process.returncode or 0

    async def _taken(self) -> asyncio.subprocess.Process:
        process, self._spare = self._spare, None
        if process is None or process.returncode is not None:
            process = await self._started()
        if self._spare is None and not self._is_closed:
            self._spare = await self._started()
        return process

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            self._module,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
