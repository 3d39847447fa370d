"""One leased job for as long as this runner has it: where it is done, and what shall become of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from loguru import logger

from backend.domain.errors import ServiceUnavailable, TidemarkError
from backend.domain.job_data import LARGEST_RESULT_BYTES, size_of
from backend.domain.jobs import KINDS, Job, JobFailure, JobKind, Lease, Outcome, Progress, Workplace
from backend.domain.ports import JobHandler
from backend.worker.child import COOPERATION_SECONDS, Child
from backend.worker.children import Children
from backend.worker.endings import Assignment, Ending, How, result_too_large


class Return(Enum):
    """The job goes back to the queue without having counted."""

    HANDED_BACK = "handed back"


# Ended for good, lost with its process, or handed back.
Verdict = Outcome | JobFailure | Return


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where jobs are done: in children by the import path of a function, or in the runner by a handler."""

    children: Children
    works: Mapping[JobKind, str]
    handlers: Mapping[JobKind, JobHandler]


class Running:
    """A job at work. It can be asked to stop, be lost to another runner, or be stopped with the server."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.is_lost = False
        self._is_cancelled = lease.job.cancel_requested_at is not None
        self._is_stopped = False
        self._child: Child | None = None
        self._handling: asyncio.Task[Mapping[str, object]] | None = None

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
        if self._child is not None:
            self._child.end_job_soon(How.CANCELLED)
        if self._handling is not None:
            asyncio.get_running_loop().call_later(COOPERATION_SECONDS, self._handling.cancel)

    def lose(self) -> None:
        """Somebody else has the lease, so nothing that comes of it counts."""
        self.is_lost = True
        self._end()

    def stop(self) -> None:
        """The server stops and has waited long enough."""
        self._is_stopped = True
        self._end()

    async def do(self, workshop: Workshop, report: Callable[[Progress], None]) -> Verdict:
        job = self.lease.job
        if self._is_cancelled:
            return Outcome.cancelled()
        if KINDS[job.kind].workplace is Workplace.RUNNER and job.kind in workshop.handlers:
            return await self._handle(workshop.handlers[job.kind], report)
        if job.kind in workshop.works:
            return await self._send_to_child(workshop.children, workshop.works[job.kind], report)
        return Outcome.failed(
            JobFailure(
                code="kind_not_available",
                title="This installation cannot do such tasks",
                detail=f"Nothing here does tasks of the kind {job.kind}.",
                remedy="Ask the operator whether all servers run the same version.",
            )
        )

    async def _send_to_child(self, children: Children, work: str, report: Callable[[Progress], None]) -> Verdict:
        job = self.lease.job
        async with children.lend() as child:
            if self._is_stopped or self.is_lost:
                return Return.HANDED_BACK
            if self._is_cancelled:
                return Outcome.cancelled()
            self._child = child
            try:
                assignment = Assignment(
                    work=work,
                    payload=_told_whose(job),
                    cores=job.demand.cores,
                    memory_bytes=job.demand.memory_bytes,
                    wall_limit_seconds=job.wall_limit_seconds,
                )
                return self._judge(await child.run(assignment, report))
            finally:
                self._child = None

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

    async def _handle(self, handler: JobHandler, report: Callable[[Progress], None]) -> Verdict:
        job = self.lease.job
        self._handling = asyncio.ensure_future(handler.run(job, report, lambda: self._is_cancelled))
        try:
            async with asyncio.timeout(job.wall_limit_seconds):
                result = await self._handling
        except asyncio.CancelledError:
            if not (self._is_cancelled or self._is_stopped or self.is_lost):
                raise
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
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its job must end
            logger.exception("A task of the kind {} failed", job.kind)
            return Outcome.failed(
                JobFailure(code="unexpected_error", title="The task failed", detail=f"{type(error).__name__}: {error}")
            )
        finally:
            self._handling = None
        return self._keep(result)

    def _keep(self, result: Mapping[str, object]) -> Outcome:
        if (size := size_of(result)) > LARGEST_RESULT_BYTES:
            return Outcome.failed(result_too_large(size))
        return Outcome.cancelled(result or None) if self._is_cancelled else Outcome.completed(result)

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill(How.STOPPED)
        if self._handling is not None:
            self._handling.cancel()


def _told_whose(job: Job) -> Mapping[str, object]:
    """An import touches its user's files, so whose they are is told by the row of the job, never by its payload."""
    return {**job.payload, "user_id": str(job.user_id)} if job.kind is JobKind.IMPORT else job.payload


def log_failure(job: Job, verdict: Verdict) -> None:
    """For the operator, whose the job is not: what it met, nothing of what it worked on."""
    failure = verdict if isinstance(verdict, JobFailure) else verdict.failure if isinstance(verdict, Outcome) else None
    if failure is not None:
        facts = {"task_id": str(job.id), "user_id": job.user_id and str(job.user_id), "code": failure.code}
        logger.bind(**facts, attempt=job.attempts).warning("A task of the kind {} failed: {}", job.kind, failure.title)
