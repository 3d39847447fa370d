"""What administrators send and are shown: users, plans, tasks of all, the audit log, and the limits of the system."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from backend.api.documentation import SIGNED_IN
from backend.api.routers import jobs
from backend.domain import administration as domain
from backend.domain.errors import SessionEnded, TidemarkError

# Every operation here can fail like this.
ADMIN: tuple[TidemarkError, ...] = (*SIGNED_IN, SessionEnded())

Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=domain.REASON_MAX_LENGTH,
        description="Why, for the audit log: one line of visible characters.",
        examples=["Asked for by its owner."],
    ),
]
_MOST = 1_000_000_000


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class AdminUser(BaseModel):
    """Anybody's account as lists have it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None = Field(description="Null for a demo account.")
    display_name: str
    role: domain.AccountRole
    state: domain.AccountState
    plan: str
    created_at: datetime
    last_seen_at: datetime | None = Field(description="The latest sign-in, renewed session or use of a token.")
    suspended_until: datetime | None


class UserUsage(BaseModel):
    """What an account takes."""

    queued: int
    running: int
    backtests: int
    models: int
    exchange_keys: int
    series: int = Field(description="Of its own, imported ones.")
    disk_bytes: int = Field(description="Of its own series and uploads.")


class UserQuotas(BaseModel):
    """What an account may take: by its plan, and by what holds for all."""

    most_queued: int
    most_running: int
    most_backtests: int
    most_models: int
    most_disk_bytes: int
    most_exchange_keys: int


class AdminUserDetails(AdminUser):
    """One account with what it uses and may use."""

    sessions: int = Field(description="On how many devices it is signed in.")
    usage: UserUsage
    quotas: UserQuotas

    @classmethod
    def of(cls, user: domain.UserDetails, *, most_exchange_keys: int) -> Self:
        record, limits = user.record, user.record.limits
        return cls(
            **AdminUser.model_validate(record).model_dump(),
            sessions=record.sessions,
            usage=UserUsage(
                **{name: getattr(record, name) for name in UserUsage.model_fields if name != "disk_bytes"},
                disk_bytes=user.disk_bytes,
            ),
            quotas=UserQuotas(
                **vars(limits), most_disk_bytes=user.most_disk_bytes, most_exchange_keys=most_exchange_keys
            ),
        )


class AdminUserChange(BaseModel):
    """What to change, and why; what is left out stays as it is."""

    # The reason, and at least one thing to change.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 2})

    # The defaults only mean "not given": what is given is never null.
    role: domain.AccountRole = Field(default=domain.AccountRole.USER, json_schema_extra=_without_default)
    plan: str = Field(
        default=domain.STANDARD,
        pattern=domain.PLAN_NAME_FORM,
        description="The name of a plan.",
        examples=["large"],
        json_schema_extra=_without_default,
    )
    reason: Reason


class Suspension(BaseModel):
    """For how long, and why."""

    model_config = ConfigDict(extra="forbid")

    hours: int | None = Field(
        default=None, ge=1, le=domain.MOST_HOURS, strict=True, description="Null or left out is for good."
    )
    reason: Reason


class Because(BaseModel):
    """Why it is done."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class PlanNumbers(BaseModel):
    """How much who has this plan may ask for."""

    most_queued: int = Field(ge=0, le=_MOST, strict=True, description="Tasks that wait at once.")
    most_running: int = Field(ge=1, le=_MOST, strict=True, description="Tasks that run at once.")
    most_backtests: int = Field(ge=0, le=_MOST, strict=True, description="Stored backtests.")
    most_models: int = Field(ge=0, le=_MOST, strict=True, description="Stored models.")


class PlanChange(PlanNumbers):
    """All numbers of a plan, and why they are these."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Plan(PlanNumbers):
    """A plan, and how many accounts have it."""

    name: str
    users: int

    @classmethod
    def of(cls, plan: domain.PlanInUse) -> Self:
        return cls(name=plan.name, users=plan.users, **vars(plan.limits))


class Plans(BaseModel):
    """All plans, the smallest first."""

    items: list[Plan]


class AdminTask(jobs.Task):
    """Anybody's task as lists show it."""

    user_id: UUID | None = Field(description="Null is the installation's own housekeeping.")
    email: str | None
    about: str | None = Field(description="Its market data; null in lists, which show what happens and not with what.")
    waits_for: str | None = Field(description="Told to its owner alone; always null here.")
    waits_seconds: float | None = Field(description="Told to its owner alone; always null here.")


class AdminTaskInFull(AdminTask):
    """One task with what went in and what came out."""

    payload: dict[str, Any]
    result: dict[str, Any] | None
    log_tail: str | None = Field(
        description="The last lines that the task wrote: up to now while it runs, else up to its end."
    )


class AuditLine(BaseModel):
    """Who did what, when, from where, to whose data and why."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    actor: domain.AuditActor = Field(
        description="`operator` came by the terminal or the dashboard of the database, `service` is the house itself."
    )
    actor_id: UUID | None = Field(description="Null for the operator and the service.")
    actor_email: str | None = Field(description="Null when that account is gone.")
    action: str = Field(description="What was done, as `noun.verb`.")
    subject_id: UUID | None = Field(description="Whose data; null when it was nobody's, or everybody's.")
    subject_email: str | None
    object: str | None = Field(description="What it was done to, as `task 0f9d...`.")
    address: str | None
    session_id: UUID | None
    details: dict[str, Any]
    reason: str | None


class Limit(BaseModel):
    """One limit as it is in force."""

    name: str
    value: int | float | str
    unit: str
    meaning: str
    setting: str | None = Field(description="The variable of the environment that sets it, or `plan`; null is fixed.")


class LimitGroup(BaseModel):
    """Limits of one kind."""

    name: str
    limits: list[Limit]


class Limits(BaseModel):
    """All limits of the system as they are in force."""

    groups: list[LimitGroup]


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
USER_ID = UUID("5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f")
TASK_ID = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
_ADMIN_ID = UUID("c1a3bda5-fb4b-4cee-bd65-87b27e4d41cd")
USER = AdminUser(
    id=USER_ID,
    email="ada@example.com",
    display_name="Ada Lovelace",
    role=domain.AccountRole.USER,
    state=domain.AccountState.ACTIVE,
    plan="standard",
    created_at=_NOW,
    last_seen_at=_NOW,
    suspended_until=None,
)
USER_DETAILS = AdminUserDetails(
    **USER.model_dump(),
    sessions=2,
    usage=UserUsage(queued=3, running=1, backtests=412, models=7, exchange_keys=2, series=4, disk_bytes=734_003_200),
    quotas=UserQuotas(
        most_queued=1000,
        most_running=16,
        most_backtests=20_000,
        most_models=200,
        most_disk_bytes=5_368_709_120,
        most_exchange_keys=20,
    ),
)
PLAN = Plan(name="standard", users=12, most_queued=1000, most_running=16, most_backtests=20_000, most_models=200)
TASK = AdminTask(**jobs.TASK.model_dump(), user_id=USER_ID, email="ada@example.com")
TASK_IN_FULL = AdminTaskInFull(
    **TASK.model_dump(), payload={"strategy": "sma_cross"}, result=None, log_tail="reading 525,600 bars"
)
LINE = AuditLine(
    id=UUID("7c0de4a1-52b6-4c3e-9d57-3f9f2b1a8e60"),
    at=_NOW,
    actor=domain.AuditActor.ADMIN,
    actor_id=_ADMIN_ID,
    actor_email="grace@example.com",
    action=domain.AuditAction.USER_SUSPEND,
    subject_id=USER_ID,
    subject_email="ada@example.com",
    object=None,
    address="192.0.2.7",
    session_id=UUID("a51d3fb6-cc6f-4912-bbdc-92ecaa8286dd"),
    details={"hours": 24},
    reason="Floods the queue; asked to stop twice.",
)
LIMITS = Limits(
    groups=[
        LimitGroup(
            name="Disk",
            limits=[
                Limit(
                    name="user_disk",
                    value=5_368_709_120,
                    unit="bytes",
                    meaning="Imported series and uploads of one user.",
                    setting="TIDEMARK_USER_DISK_GIB",
                )
            ],
        )
    ]
)
CHANGE = {"plan": "large", "reason": "Bought the large plan."}
SUSPENSION = {"hours": 24, "reason": "Floods the queue; asked to stop twice."}
BECAUSE = {"reason": "Asked for by its owner."}
PLAN_CHANGE = {**PLAN.model_dump(exclude={"name", "users"}), "reason": "Twice the machine, twice the plan."}
