"""One's own tasks: what they are, how far, why and how long they wait, and what they wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from backend.api.dependencies import Caller, Changing, Reading
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, invalid, problems, shows
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.scopes import Reach, needs
from backend.api.streams import Streams
from backend.api.versions import IfNoneMatch, tagged, untagged
from backend.bootstrap_services import Services
from backend.domain import jobs as domain
from backend.domain.accounts import Identity
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidCursor,
    JobNotFound,
    JobNotRetryable,
    JobTooLarge,
    QuotaReached,
    RequestInProgress,
)
from backend.domain.waiting import Wait

router = APIRouter(prefix="/api/system", tags=["Tasks"])

TASKS = "tasks"
_MOST_CHOICES = 20


class Failure(BaseModel):
    """Why a task failed."""

    code: str
    title: str
    detail: str = Field(description="The cause, with its numbers.")
    remedy: str | None = Field(description="What to do about it.")
    log_tail: str | None = Field(description="The last lines that the task wrote.")


class Progress(BaseModel):
    """How far a running task is, by the latest that this server heard of it."""

    stage: str
    percent: float | None
    message: str | None
    eta_seconds: float | None = Field(description="About how long it still takes.")


class Task(BaseModel):
    """One task as lists show it."""

    id: UUID
    kind: domain.JobKind
    state: domain.JobState
    about: str | None = Field(description="Its market data, as `BTC/USDT 1h, demo`; null where it is about none.")
    priority: int
    attempts: int
    max_attempts: int
    cores: int = Field(description="How many cores it takes while it runs.")
    memory_bytes: int = Field(description="How much memory it takes while it runs.")
    wall_limit_seconds: int = Field(description="It is stopped when it runs longer.")
    waits_for: str | None = Field(description="Why a queued task cannot start at this moment; null when it can.")
    waits_seconds: float | None = Field(
        description="About how long a queued task still waits; null when it can start at once, or nobody can know."
    )
    progress: Progress | None = Field(description="Of a running task, as soon as it told something.")
    cancel_requested_at: datetime | None
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: Failure | None
    is_partial: bool = Field(description="The result is what there was when the task was stopped.")


class TaskInFull(Task):
    """One task with what went in and what came out."""

    payload: dict[str, Any]
    result: dict[str, Any] | None
    log_tail: str | None = Field(
        description="The last lines that the task wrote: up to now while it runs, else up to its end."
    )


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_ID = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
_PATH = f"/api/system/tasks/{_ID}"
TASK = Task(
    id=_ID,
    kind=domain.JobKind.BACKTEST,
    state=domain.JobState.FAILED,
    about="BTC/USDT 1h, demo",
    priority=0,
    attempts=1,
    max_attempts=3,
    cores=1,
    memory_bytes=402653184,
    wall_limit_seconds=900,
    waits_for=None,
    waits_seconds=None,
    progress=None,
    cancel_requested_at=None,
    created_at=_NOW,
    queued_at=_NOW,
    started_at=_NOW,
    finished_at=_NOW,
    failure=Failure(
        code="out_of_memory",
        title="The task needed more memory than it was given",
        detail="It used 402 MiB of 384 MiB.",
        remedy="Choose a shorter range, then run it again.",
        log_tail="reading 525,600 bars",
    ),
    is_partial=False,
)
RUNNING = TASK.model_copy(
    update={
        "state": domain.JobState.RUNNING,
        "progress": Progress(stage="Sweeping", percent=40.0, message="4,000 of 10,000", eta_seconds=21.5),
        "finished_at": None,
        "failure": None,
    }
)
QUEUED = TASK.model_copy(
    update={
        "state": domain.JobState.QUEUED,
        "attempts": 0,
        "waits_for": "Waits for a core: it needs 1, and 0 of 2 are free. 3 tasks are ahead of it, 1 of them yours.",
        "waits_seconds": 45.0,
        "started_at": None,
        "finished_at": None,
        "failure": None,
    }
)
TASK_IN_FULL = TaskInFull(
    **TASK.model_dump(), payload={"strategy": "sma_cross"}, result=None, log_tail="reading 525,600 bars"
)
TaskId = Annotated[UUID, Path(description="The task's id.", examples=[str(_ID)])]
_BAD_ID = invalid("/path/task_id", "Input should be a valid UUID.")


@router.get(
    "/tasks",
    operation_id="list_my_tasks",
    openapi_extra=needs(Reach.READ),
    summary="List one's own tasks",
    responses={
        **shows(
            Page[Task], Page[Task](items=[QUEUED, RUNNING, TASK], next_cursor=None), "Newest first.", "ETag", "Link"
        ),
        **NOT_MODIFIED,
        **problems(
            "/api/system/tasks", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def list_my_tasks(
    *,
    request: Request,
    caller: Caller,
    services: Reading,
    state: Annotated[
        list[domain.JobState],
        Query(default_factory=list, max_length=_MOST_CHOICES, description="Only in these states."),
    ],
    kind: Annotated[
        list[domain.JobKind], Query(default_factory=list, max_length=_MOST_CHOICES, description="Only of these kinds.")
    ],
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Every task of the caller, whatever its state; `state` and `kind` may be given more than once."""
    found = await services.jobs.jobs(limit=limit, after=from_cursor(TASKS, cursor), states=state, kinds=kind)
    following = to_cursor(TASKS, found.next) if found.next else None
    known = await _known(request, caller, services, found.items)
    page = Page[Task](
        items=[Task(**shown(job, known)) for job in found.items],
        next_cursor=following,
    )
    answer = tagged(request, page)
    answer.headers.update(link_to_next(request.url.path, limit, following, state=state, kind=kind))
    return answer


@router.get(
    "/tasks/{task_id}",
    operation_id="read_my_task",
    openapi_extra=needs(Reach.READ),
    summary="Read one of one's own tasks",
    responses={
        **shows(TaskInFull, TASK_IN_FULL, "The task, with what went in and what came out.", "ETag"),
        **NOT_MODIFIED,
        **problems(_PATH, *SIGNED_IN, JobNotFound(_ID), _BAD_ID),
    },
)
async def read_my_task(
    *,
    request: Request,
    caller: Caller,
    services: Reading,
    task_id: TaskId,
    _: IfNoneMatch = None,
) -> Response:
    """One task, also long after it ended."""
    job = await services.jobs.job(task_id)
    return tagged(request, in_full(job, await _known(request, caller, services, [job])))


@router.post(
    "/tasks/{task_id}/cancel",
    operation_id="cancel_my_task",
    openapi_extra=needs(Reach.RUN),
    summary="Cancel one of one's own tasks",
    responses={
        **shows(TaskInFull, TASK_IN_FULL, "The task as it is now.", "Idempotency-Replayed"),
        **problems(
            f"{_PATH}/cancel",
            *SIGNED_IN,
            JobNotFound(_ID),
            RequestInProgress(),
            IdempotencyKeyInvalid(),
            IdempotencyKeyReused(),
            _BAD_ID,
        ),
    },
)
async def cancel_my_task(
    *,
    request: Request,
    caller: Caller,
    services: Changing,
    task_id: TaskId,
    key: IdempotencyKey = None,
) -> Response:
    """A queued task is cancelled at once, a running one is asked to stop; one that has ended stays as it is."""

    async def work() -> Response:
        job = await services.jobs.cancel(task_id)
        return _answer(in_full(job, await _known(request, caller, services, [job])))

    return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/tasks/{task_id}/retry",
    operation_id="retry_my_task",
    openapi_extra=needs(Reach.RUN),
    summary="Run one of one's own tasks again",
    status_code=202,
    responses={
        **shows(TaskInFull, TASK_IN_FULL, "Queued again.", "Location", "Idempotency-Replayed", status=202),
        **problems(
            f"{_PATH}/retry",
            *SIGNED_IN,
            JobNotFound(_ID),
            JobNotRetryable(_ID, "running"),
            RequestInProgress(),
            JobTooLarge(cores=4, memory_bytes=2**30, capacity_cores=2, capacity_memory_bytes=3 * 2**30),
            IdempotencyKeyInvalid(),
            IdempotencyKeyReused(),
            _BAD_ID,
            QuotaReached("waiting tasks", limit=1000, count=1000),
        ),
    },
)
async def retry_my_task(
    *,
    request: Request,
    caller: Caller,
    services: Changing,
    task_id: TaskId,
    key: IdempotencyKey = None,
) -> Response:
    """A new attempt of the same task; only a failed or cancelled one can have it."""

    async def work() -> Response:
        job = await services.jobs.retry(task_id)
        answer = _answer(in_full(job, await _known(request, caller, services, [job])), status=202)
        answer.headers["Location"] = f"/api/system/tasks/{job.id}"
        return answer

    return await once(request, key, caller, services.idempotency, work)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What no row says: what running tasks told last, in their present attempt, and why the others wait."""

    told: Mapping[UUID, Mapping[str, Any]]
    waits: Mapping[UUID, Wait]


async def _known(request: Request, caller: Identity, services: Services, jobs: Sequence[domain.JobInBrief]) -> Known:
    streams: Streams = request.app.state.streams
    return Known(told=told_of(streams, caller.user_id, jobs), waits=await services.jobs.waits(jobs))


def told_of(streams: Streams, user_id: UUID, jobs: Sequence[domain.JobInBrief]) -> Mapping[UUID, Mapping[str, Any]]:
    """What those that run, of one user, told last in their present attempt."""
    attempts = {job.id: job.attempts for job in jobs if job.state == domain.JobState.RUNNING}
    told = {UUID(frame.task["id"]): frame.task for frame in streams.progress_of(user_id, tuple(attempts))}
    return {job_id: task for job_id, task in told.items() if task.get("attempt") == attempts[job_id]}


def in_full(job: domain.Job, known: Known) -> TaskInFull:
    return TaskInFull(
        **shown(job, known),
        payload=dict(job.payload),
        result=None if job.result is None else dict(job.result),
        log_tail=known.told[job.id].get("log_tail") if job.id in known.told else _log_tail(job),
    )


def _log_tail(job: domain.Job) -> str | None:
    """A failed run's stands with its failure."""
    return job.log_tail if job.log_tail is not None or job.failure is None else job.failure.log_tail


def shown(job: domain.JobInBrief, known: Known) -> dict[str, Any]:
    failure, progress, wait = job.failure, known.told.get(job.id), known.waits.get(job.id)
    return {
        **{name: getattr(job, name) for name in _AS_THEY_ARE},
        "cores": job.demand.cores,
        "memory_bytes": job.demand.memory_bytes,
        "waits_for": wait and wait.reason,
        "waits_seconds": None if wait is None or wait.seconds is None else _about(wait.seconds),
        "progress": None if progress is None else Progress(**{name: progress[name] for name in Progress.model_fields}),
        "failure": None if failure is None else Failure(**vars(failure)),
    }


def _about(seconds: float) -> float:
    """Two figures and no fractions: more would only flicker."""
    return float(f"{seconds:.2g}") if seconds >= 10 else float(round(seconds))


_AS_THEY_ARE: Sequence[str] = (
    "id",
    "kind",
    "state",
    "about",
    "priority",
    "attempts",
    "max_attempts",
    "wall_limit_seconds",
    "cancel_requested_at",
    "created_at",
    "queued_at",
    "started_at",
    "finished_at",
    "is_partial",
)


def _answer(task: TaskInFull, *, status: int = 200) -> Response:
    return untagged(task, status=status)
