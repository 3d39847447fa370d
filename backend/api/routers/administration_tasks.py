"""Everybody's tasks, for administrators: listed, looked at and cancelled."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import Administering
from backend.api.documentation import NOT_MODIFIED, WITH_BODY, invalid, problems, shows, takes
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers import jobs
from backend.api.routers.administration_shapes import (
    ADMIN,
    BECAUSE,
    TASK,
    TASK_ID,
    TASK_IN_FULL,
    USER_ID,
    AdminTask,
    AdminTaskInFull,
    Because,
)
from backend.api.scopes import Reach, needs
from backend.api.streams import Streams
from backend.api.versions import IfNoneMatch, tagged, untagged
from backend.domain.administration import SomebodysWholeJob, TaskNotFound
from backend.domain.errors import InvalidCursor
from backend.domain.jobs import JobInBrief, JobKind, JobState

router = APIRouter(prefix="/api/admin/tasks", tags=["Administration"])

TASKS = "admin tasks"
_MOST_CHOICES = 20
_PATH = f"/api/admin/tasks/{TASK_ID}"

TaskId = Annotated[UUID, Path(description="The task's id.", examples=[str(TASK_ID)])]


@router.get(
    "",
    operation_id="list_tasks",
    openapi_extra=needs(Reach.ADMIN),
    summary="List everybody's tasks",
    responses={
        **shows(Page[AdminTask], Page[AdminTask](items=[TASK], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems("/api/admin/tasks", *ADMIN, InvalidCursor(), invalid("/query/state", "Input should be 'queued'.")),
    },
)
async def list_tasks(
    *,
    request: Request,
    administration: Administering,
    user_id: Annotated[UUID | None, Query(description="Only those of this user.", examples=[str(USER_ID)])] = None,
    state: Annotated[
        list[JobState], Query(default_factory=list, max_length=_MOST_CHOICES, description="Only in these states.")
    ],
    kind: Annotated[
        list[JobKind], Query(default_factory=list, max_length=_MOST_CHOICES, description="Only of these kinds.")
    ],
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """The installation's own housekeeping among them. The look is a line of the audit log."""
    found = await administration.tasks(
        user_id=user_id, states=state, kinds=kind, limit=limit, after=from_cursor(TASKS, cursor)
    )
    following = to_cursor(TASKS, found.next) if found.next else None
    told = _told(request, [one.job for one in found.items])
    page = Page[AdminTask](
        items=[AdminTask(**_shown(one.job, one.email, told)) for one in found.items], next_cursor=following
    )
    answer = tagged(request, page)
    whose = {} if user_id is None else {"user_id": [str(user_id)]}
    answer.headers.update(link_to_next(request.url.path, limit, following, state=state, kind=kind, **whose))
    return answer


@router.get(
    "/{task_id:uuid}",
    operation_id="read_task",
    openapi_extra=needs(Reach.ADMIN),
    summary="Read anybody's task",
    responses={
        **shows(AdminTaskInFull, TASK_IN_FULL, "The task, with what went in and what came out.", "ETag"),
        **NOT_MODIFIED,
        **problems(_PATH, *ADMIN, TaskNotFound(TASK_ID)),
    },
)
async def read_task(
    request: Request, administration: Administering, task_id: TaskId, _: IfNoneMatch = None
) -> Response:
    """One task, also long after it ended. It is a line of the audit log."""
    return tagged(request, _in_full(request, await administration.task(task_id)))


@router.post(
    "/{task_id:uuid}/cancel",
    operation_id="cancel_task",
    openapi_extra={**takes(BECAUSE), **needs(Reach.ADMIN)},
    summary="Cancel anybody's task",
    responses={
        **shows(AdminTaskInFull, TASK_IN_FULL, "The task as it is now."),
        **problems(
            f"{_PATH}/cancel",
            *ADMIN,
            *WITH_BODY,
            TaskNotFound(TASK_ID),
            invalid("/reason", "A reason has 1 to 200 characters."),
        ),
    },
)
async def cancel_task(request: Request, because: Because, administration: Administering, task_id: TaskId) -> Response:
    """A queued task is cancelled at once, a running one is asked to stop; one that has ended stays as it is."""
    cancelled = await administration.cancel_task(task_id, reason=because.reason)
    return untagged(_in_full(request, cancelled))


def _told(request: Request, found: Sequence[JobInBrief]) -> Mapping[UUID, Mapping[str, Any]]:
    """What running tasks told last, whoever's they are."""
    streams: Streams = request.app.state.streams
    told: dict[UUID, Mapping[str, Any]] = {}
    for job in found:
        if job.user_id is not None and job.state == JobState.RUNNING:
            told.update(jobs.told_of(streams, job.user_id, [job]))
    return told


def _shown(job: JobInBrief, email: str | None, told: Mapping[UUID, Mapping[str, Any]]) -> dict[str, Any]:
    return {**jobs.shown(job, jobs.Known(told=told, waits={})), "about": None, "user_id": job.user_id, "email": email}


def _in_full(request: Request, found: SomebodysWholeJob) -> AdminTaskInFull:
    known = jobs.Known(told=_told(request, [found.job]), waits={})
    whole = jobs.in_full(found.job, known)
    return AdminTaskInFull(**whole.model_dump(), user_id=found.job.user_id, email=found.email)
