"""What the machine that runs tasks can give, what all tasks take of it, and how much of that one may use."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from backend.api.dependencies import Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, problems, shows
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged
from backend.domain import jobs as domain

router = APIRouter(prefix="/api/system", tags=["Tasks"])


class MachinePart(BaseModel):
    """How much of the machine tasks may take together, and how much of that is free."""

    cores: int
    memory_bytes: int


class Waiting(BaseModel):
    """How many tasks of a kind wait, whoever submitted them."""

    kind: domain.JobKind
    count: int
    oldest_queued_at: datetime


class Running(BaseModel):
    """How many tasks of a kind run, whoever submitted them."""

    kind: domain.JobKind
    count: int


class History(BaseModel):
    """How long the latest tasks of a kind took, and how well that was foreseen."""

    kind: domain.JobKind
    jobs: int = Field(description="How many completed tasks this is drawn from.")
    typical_seconds: float = Field(description="The median of what they took.")
    eta_error: float | None = Field(
        description="By what share of its length a task missed the time foreseen at its start, as a median; null"
        " before the second task."
    )


class Use(BaseModel):
    """How many of one's own tasks there are, and how many there may be."""

    limit: int
    count: int


class Quota(BaseModel):
    """What one's plan allows, and how much of that is in use."""

    plan: str
    queued: Use
    running: Use


class Resources(BaseModel):
    """What the machine, or the container around the server, has and does."""

    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    capacity: MachinePart = Field(description="The most that all tasks together may take.")
    room: MachinePart = Field(description="What of it is free now.")
    waiting: list[Waiting]
    running: list[Running]
    history: list[History] = Field(description="Kinds of which a task was completed.")
    quota: Quota


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RESOURCES = Resources(
    cpu_percent=12.5,
    memory_total_bytes=8589934592,
    memory_available_bytes=6442450944,
    capacity=MachinePart(cores=2, memory_bytes=6442450944),
    room=MachinePart(cores=1, memory_bytes=4294967296),
    waiting=[Waiting(kind=domain.JobKind.BACKTEST, count=3, oldest_queued_at=_NOW)],
    running=[Running(kind=domain.JobKind.SWEEP, count=1)],
    history=[History(kind=domain.JobKind.BACKTEST, jobs=50, typical_seconds=1.8, eta_error=0.12)],
    quota=Quota(plan="standard", queued=Use(limit=1000, count=3), running=Use(limit=16, count=1)),
)


@router.get(
    "/resources",
    operation_id="read_resources",
    openapi_extra=needs(Reach.READ),
    summary="Read what the machine can give to tasks",
    responses={
        **shows(Resources, RESOURCES, "The gauges at this moment.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/system/resources", *SIGNED_IN),
    },
)
async def read_resources(request: Request, house: TheHouse, services: Reading, _: IfNoneMatch = None) -> Response:
    """The limits of a container count where there are some; the quota is the caller's own."""
    gauges, counts = house.resources.gauges(), await services.jobs.counts()
    body = Resources(
        cpu_percent=gauges.cpu_percent,
        memory_total_bytes=gauges.memory_total_bytes,
        memory_available_bytes=gauges.memory_available_bytes,
        capacity=_share(gauges.capacity),
        room=_share(gauges.room),
        waiting=[Waiting(**vars(one)) for one in await house.queue.waiting()],
        running=[Running(**vars(one)) for one in await house.records.running()],
        history=[History(**vars(one)) for one in house.foresight.history()],
        quota=_quota(counts),
    )
    return tagged(request, body)


def _share(demand: domain.Demand) -> MachinePart:
    return MachinePart(cores=demand.cores, memory_bytes=demand.memory_bytes)


def _quota(counts: domain.JobCounts) -> Quota:
    return Quota(
        plan=counts.quota.plan,
        queued=Use(limit=counts.quota.queued, count=counts.queued),
        running=Use(limit=counts.quota.running, count=counts.running),
    )
