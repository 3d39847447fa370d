"""One leased job for as long as this runner has it: where it is done, and what shall become of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from loguru import logger

from backend.domain.backtests import BACKTEST_KINDS
from backend.domain.errors import ServiceUnavailable, TidemarkError
from backend.domain.job_data import LARGEST_RESULT_BYTES, size_of
from backend.domain.job_ports import JobHandler
from backend.domain.jobs import KINDS, Job, JobFailure, JobKind, Lease, Outcome, Progress, Workplace
from backend.worker.child import COOPERATION_SECONDS, Child
from backend.worker.children import Children
from backend.worker.endings import Assignment, Ending, How, result_too_large
from backend.worker.errands import Errand


class Return(Enum):
    """The job goes back to the queue without having counted."""

    HANDED_BACK = "handed back"


# They read or write series of bars or models, some of which are their user's own.
_ABOUT_FILES = frozenset({JobKind.IMPORT, JobKind.GUARD, JobKind.TRAIN, *BACKTEST_KINDS})

# Ended for good, lost with its process, or handed back.
Verdict = Outcome | JobFailure | Return
Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where jobs are done: in children by the import path of a function, or in the runner by a handler."""

    children: Children
    works: Mapping[JobKind, str]
    handlers: Mapping[JobKind, JobHandler]
    errands: Mapping[JobKind, Errand] = field(default_factory=dict)

    def handler(self, kind: JobKind) -> JobHandler | None:
        """Who does it in the runner itself; None when a child does."""
        return self.handlers.get(kind) if KINDS[kind].workplace is Workplace.RUNNER else None


class Running:
    """A leased job waits for a child, is at work, then is over, and says so once.

    It can be asked to stop, be lost to another runner, or be stopped with the server.
    """

    def __init__(self, lease: Lease, on_end: Callable[["Running", Verdict], None]) -> None:
        self.lease = lease
        self.is_lost = False
        self.is_over = False
        # Of a job that a child did: how long the work itself took, where that is known.
        self.was_sent = False
        self.worked_seconds: float | None = None
        # What is given back when it is over: the room that it takes, and its child.
        self.taken = contextlib.ExitStack()
        self._on_end = on_end
        self._is_cancelled = False
        self._is_stopped = False
        self._child: Child | None = None
        self._handling: asyncio.Task[None] | None = None

    @property
    def is_waiting(self) -> bool:
        return not self.is_over and self._child is None and self._handling is None

    @property
    def answers(self) -> bool:
        """Whether its lease may be renewed: not when the child that does it is silent."""
        return self._child is None or self._child.answers

    @property
    def used_bytes(self) -> int:
        return self._child.resident_bytes if self._child is not None else 0

    def cancel(self) -> None:
        """Its user wants it stopped: asked at first, gone within 5 s."""
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self.is_waiting:
            self.end(Outcome.cancelled())
        elif self._child is not None:
            self._child.end_job_soon(How.CANCELLED)
        elif self._handling is not None:
            asyncio.get_running_loop().call_later(COOPERATION_SECONDS, self._handling.cancel)

    def lose(self) -> None:
        """Somebody else has the lease, so nothing that comes of it counts."""
        self.is_lost = True
        self._give_up()

    def stop(self) -> None:
        """It goes back to the queue: the server stops and has waited long enough, or the job has."""
        self._is_stopped = True
        self._give_up()

    def begin_in(self, child: Child, work: str, report: Report, errand: Errand | None = None) -> None:
        """With an errand, what it does before and after is done here."""
        if errand is None:
            self._give_to(child, work, report, self._came_back)
        else:
            self._handling = asyncio.create_task(self._run_errand(errand, child, work, report))

    def _give_to(self, child: Child, work: str, report: Report, on_end: Callable[[Ending], None]) -> None:
        job = self.lease.job
        assignment = Assignment(
            work=work,
            payload=_told_whose(job),
            cores=job.demand.cores,
            memory_bytes=job.demand.memory_bytes,
            wall_limit_seconds=job.wall_limit_seconds,
        )
        self._child = child
        self.was_sent = True
        child.begin(assignment, report, on_end)

    def begin_here(self, handler: JobHandler, report: Report) -> None:
        self._handling = asyncio.create_task(self._handle(handler, report))

    def end(self, verdict: Verdict) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._child = None
        self._on_end(self, verdict)

    async def abandoned(self) -> None:
        """At the very end of the runner nothing of it goes on here."""
        if self._handling is not None:
            self._handling.cancel()
            await asyncio.gather(self._handling, return_exceptions=True)

    def _give_up(self) -> None:
        if self.is_waiting:
            self.end(Return.HANDED_BACK)
        if self._child is not None:
            self._child.kill(How.STOPPED)
        if self._handling is not None:
            self._handling.cancel()

    def _came_back(self, ending: Ending) -> None:
        self.worked_seconds = ending.seconds
        self.end(self._judge(ending))

    def _judge(self, ending: Ending) -> Verdict:
        match ending:
            case Ending(how=How.STOPPED):
                return Return.HANDED_BACK
            case Ending(how=How.CANCELLED, result=result):
                return Outcome.cancelled(result or None, ending.log_tail)
            case Ending(how=How.DIED, failure=JobFailure() as failure):
                return failure
            case Ending(failure=JobFailure() as failure):
                return Outcome.failed(failure)
        return Outcome.completed(ending.result or {}, ending.log_tail)

    async def _run_errand(self, errand: Errand, child: Child, work: str, report: Report) -> None:
        async def begin() -> Verdict | None:
            await errand.before(self.lease.job)
            if self._is_cancelled:
                return Outcome.cancelled()
            self._give_to(child, work, report, lambda ending: self._came_back_to(errand, ending))
            return None

        if (verdict := await self._answered(begin)) is not None:
            self.end(verdict)

    def _came_back_to(self, errand: Errand, ending: Ending) -> None:
        if ending.how is not How.RETURNED or not ending.result:
            self._came_back(ending)
            return
        self.worked_seconds, self._child = ending.seconds, None
        self._handling = asyncio.create_task(self._finish_errand(errand, ending))

    async def _finish_errand(self, errand: Errand, ending: Ending) -> None:
        job, result = self.lease.job, ending.result or {}
        refused = await self._answered(lambda: errand.after(job, result))
        self.end(refused if refused is not None else self._judge(ending))

    async def _handle(self, handler: JobHandler, report: Report) -> None:
        async def run() -> Verdict:
            return self._keep(await handler.run(self.lease.job, report, lambda: self._is_cancelled))

        if (verdict := await self._answered(run)) is not None:
            self.end(verdict)

    async def _answered(self, ask: Callable[[], Awaitable[Verdict | None]]) -> Verdict | None:
        """What came of something that is done here, in time and whatever it raises."""
        job = self.lease.job
        try:
            async with asyncio.timeout(job.wall_limit_seconds):
                return await ask()
        except asyncio.CancelledError:
            if not (self._is_cancelled or self._is_stopped or self.is_lost):
                raise  # the runner is at its very end, and the lease will run out
            return Outcome.cancelled() if self._is_cancelled else Return.HANDED_BACK
        except TimeoutError:
            return Outcome.failed(
                JobFailure(
                    code="time_limit_reached",
                    title="The task took too long",
                    detail=f"It was not done after {job.wall_limit_seconds:,} s, the limit for its kind.",
                )
            )
        except ServiceUnavailable as error:
            # Trying again later may help, and attempts are counted.
            return JobFailure(code=error.code, title=error.title, detail=error.detail)
        except TidemarkError as error:
            return Outcome.failed(JobFailure(code=error.code, title=error.title, detail=error.detail))
        except Exception as error:  # noqa: BLE001 - whatever it raises, its job must end
            logger.exception("A task of the kind {} failed", job.kind)
            return Outcome.failed(
                JobFailure(code="unexpected_error", title="The task failed", detail=f"{type(error).__name__}: {error}")
            )

    def _keep(self, result: Mapping[str, object]) -> Outcome:
        if (size := size_of(result)) > LARGEST_RESULT_BYTES:
            return Outcome.failed(result_too_large(size))
        return Outcome.cancelled(result or None) if self._is_cancelled else Outcome.completed(result)


def _told_whose(job: Job) -> Mapping[str, object]:
    """Work that touches its user's own files is told whose they are by the row of the job, never by its payload."""
    if job.kind not in _ABOUT_FILES:
        return job.payload
    return {**job.payload, "user_id": str(job.user_id), "task_id": str(job.id)}


def log_failure(job: Job, verdict: Verdict) -> None:
    """For the operator, whose the job is not: what it met, nothing of what it worked on."""
    failure = verdict if isinstance(verdict, JobFailure) else verdict.failure if isinstance(verdict, Outcome) else None
    if failure is not None:
        facts = {"task_id": str(job.id), "user_id": job.user_id and str(job.user_id), "code": failure.code}
        logger.bind(**facts, attempt=job.attempts).warning("A task of the kind {} failed: {}", job.kind, failure.title)
