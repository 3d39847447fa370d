"""FileLooks by processes that end after one look, so that what a file does to them concerns nobody else."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput
from backend.domain.market_errors import BadFile, DataTooLarge, MarketDataError, UnknownUpload

LONGEST_LOOK_SECONDS: Final = 30.0
# Each may take a gigabyte for a moment.
AT_ONCE: Final = 2
_WORK: Final = "backend.worker.looking"
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV")
_ERRORS: Final[Mapping[str, type[MarketDataError]]] = {one.code: one for one in (BadFile, DataTooLarge)}


class ProcessFileLooks:
    """After the first look one process waits, warm, for the next."""

    def __init__(self, environment: Mapping[str, str], *, longest_seconds: float = LONGEST_LOOK_SECONDS) -> None:
        """`environment` says where the uploads are; no secret belongs there."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(part for part in sys.path if part)
        self._environment = {**inherited, **environment, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        self._longest_seconds = longest_seconds
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._spare: asyncio.subprocess.Process | None = None
        self._is_closed = False

    async def look(
        self,
        owner: UUID,
        upload_id: UUID,
        *,
        rows: int,
        reading: Mapping[str, Any] | None = None,
        timeframe: str | None = None,
        calendar: str,
    ) -> Mapping[str, Any]:
        asked = {
            "owner": str(owner),
            "upload_id": str(upload_id),
            "rows": rows,
            "reading": reading,
            "timeframe": timeframe,
            "calendar": calendar,
        }
        async with self._turn:
            answer = await self._asked(json.dumps(asked).encode())
        if "invalid" in answer:
            raise InvalidInput([InputError(pointer=pointer, detail=detail) for pointer, detail in answer["invalid"]])
        if "error" in answer:
            if answer["error"] == UnknownUpload.code:
                raise UnknownUpload(upload_id)
            raise _ERRORS.get(answer["error"], BadFile)(answer["detail"])
        return answer

    async def close(self) -> None:
        self._is_closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            await _end(spare)

    async def _asked(self, request: bytes) -> dict[str, Any]:
        process = await self._taken()
        try:
            said, _ = await asyncio.wait_for(process.communicate(request), self._longest_seconds)
        except TimeoutError:
            raise BadFile(
                f"It was not read within {self._longest_seconds:,.0f} s, so it is none of the usual. Write it anew."
            ) from None
        finally:
            await _end(process)
        if process.returncode != 0 or not said:
            raise BadFile(_why(process.returncode or 0))
        answer: dict[str, Any] = json.loads(said)
        return answer

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
            _WORK,
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


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "It takes too long to read, so it is none of the usual. Write it anew."
    return "Reading it took too much memory, or it makes the reader fail. Write it anew, or split it."
