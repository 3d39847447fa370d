"""Writes down what became of jobs: one write at a time, and what ends meanwhile goes together into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from loguru import logger

from backend.domain.errors import ServiceUnavailable
from backend.domain.job_ports import JobQueue
from backend.domain.jobs import JobFailure, Outcome
from backend.worker.running import Return, Running, Verdict

MOST_IN_ONE_WRITE = 64
_PAUSE_SECONDS = 0.5

T = TypeVar("T")


class Books:
    """What is put here is written in the end, however long the database is away, unless its lease is lost."""

    def __init__(self, queue: JobQueue, on_written: Callable[[Running], None]) -> None:
        """`on_written` hears of each job of which there is nothing more to write."""
        self._queue = queue
        self._on_written = on_written
        self._entries: list[tuple[Running, Verdict]] = []
        self._wake = asyncio.Event()

    def put(self, running: Running, verdict: Verdict) -> None:
        self._entries.append((running, verdict))
        self._wake.set()

    async def keep(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._entries:
                page, self._entries = self._entries[:MOST_IN_ONE_WRITE], self._entries[MOST_IN_ONE_WRITE:]
                await self._write(page)
                for running, _ in page:
                    self._on_written(running)

    async def _write(self, page: Sequence[tuple[Running, Verdict]]) -> None:
        ended = [(running, verdict) for running, verdict in page if isinstance(verdict, Outcome)]
        if ended:
            await self._finish(ended)
        returned = [running for running, verdict in page if isinstance(verdict, Return)]
        if returned:
            await self._hand_back(returned)
        for running, verdict in page:
            if isinstance(verdict, JobFailure):
                await self._lose(running, verdict)

    async def _finish(self, ended: Sequence[tuple[Running, Outcome]]) -> None:
        """All in one transaction. When something in it cannot be stored, each by itself: only that one fails."""
        try:
            written = await _once_reached(
                lambda: self._queue.finish(
                    [(running.lease, outcome) for running, outcome in ended if not running.is_lost]
                )
            )
        except Exception:  # noqa: BLE001 - a result that cannot be stored must not be tried for ever
            if len(ended) > 1:
                for one in ended:
                    await self._finish([one])
            else:
                await self._finish_unstorable(*ended[0])
            return
        for running, _ in ended:
            _warn_of_loss(running, is_written=running.lease.job.id in written)

    async def _finish_unstorable(self, running: Running, outcome: Outcome) -> None:
        logger.exception("What became of a task cannot be stored")
        if outcome.failure != NOT_STORABLE:
            await self._finish([(running, Outcome.failed(NOT_STORABLE))])

    async def _hand_back(self, returned: Sequence[Running]) -> None:
        await _once_reached(
            lambda: self._queue.hand_back([running.lease for running in returned if not running.is_lost])
        )

    async def _lose(self, running: Running, failure: JobFailure) -> None:
        if not running.is_lost:
            state = await _once_reached(lambda: self._queue.lose(running.lease, failure))
            _warn_of_loss(running, is_written=state is not None)


NOT_STORABLE = JobFailure(
    code="result_not_storable",
    title="The result cannot be stored",
    detail="The database refused what the task returned.",
    remedy="This is a defect of Tidemark; the operator's log has the reason.",
)


async def _once_reached(write: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await write()
        except ServiceUnavailable:
            await asyncio.sleep(_PAUSE_SECONDS)


def _warn_of_loss(running: Running, *, is_written: bool) -> None:
    if not (is_written or running.is_lost):
        logger.warning("A lease was lost before its job was written down")
