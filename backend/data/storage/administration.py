"""What an administrator sees and does, in Postgres: by functions that look the caller up and write the audit log."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from backend.data.storage.jobs import brief_of, job_of
from backend.domain.administration import (
    AccountRole,
    AccountState,
    AuditActor,
    AuditFilter,
    AuditLine,
    DemoAccount,
    NotOneself,
    PlanInUse,
    PlanKept,
    PlanLimits,
    PlanNotFound,
    SomebodysJob,
    SomebodysWholeJob,
    UserFilter,
    UserInBrief,
    UserRecord,
)
from backend.domain.jobs import JobInBrief, JobKind, JobState
from backend.domain.pages import Page, Place
from backend.infrastructure.database import refusals_told

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
_NO_SUCH_PLAN = -1


class AdminTables:
    """An AdminRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", address: str | None) -> None:
        """`address` is where the administrator comes from, for the audit log."""
        self._connection = connection
        self._address = address

    async def users(self, wanted: UserFilter, *, limit: int, after: Place | None) -> Page[UserInBrief]:
        rows = await self._rows(
            "select * from private.admin_users($1, $2, $3, $4, $5, $6, $7, $8)",
            wanted.search,
            wanted.role,
            wanted.state,
            wanted.plan,
            limit + 1,
            after and after.at,
            after and after.id,
            self._address,
        )
        users = tuple(UserInBrief(**_user(row)) for row in rows[:limit])
        return _page(users, len(rows) > limit, lambda user: Place(at=user.created_at, id=user.id))

    async def user(self, user_id: UUID, *, is_look: bool = True) -> UserRecord | None:
        rows = await self._rows("select * from private.admin_user($1, $2, $3)", user_id, is_look, self._address)
        if not rows:
            return None
        counts = ("sessions", "queued", "running", "backtests", "models", "exchange_keys", "series")
        return UserRecord(**_user(rows[0]), **{name: rows[0][name] for name in counts}, limits=_limits(rows[0]))

    async def set_role(self, user_id: UUID, role: AccountRole, reason: str) -> bool:
        makes_admin = role is AccountRole.ADMIN
        done = await self._value(
            "select private.admin_set_role($1, $2, $3, $4)", user_id, makes_admin, self._address, reason
        )
        if done == "self":
            raise NotOneself("take the role of an administrator from yourself")
        if done == "demo":
            raise DemoAccount
        return done == "done"

    async def set_plan(self, user_id: UUID, plan: str, reason: str) -> bool:
        done = await self._value("select private.admin_set_plan($1, $2, $3, $4)", user_id, plan, self._address, reason)
        if done == "plan":
            raise PlanNotFound(plan)
        return done == "done"

    async def suspend(self, user_id: UUID, hours: int | None, reason: str) -> bool:
        done = await self._value("select private.admin_suspend($1, $2, $3, $4)", user_id, hours, self._address, reason)
        if done == "self":
            raise NotOneself("suspend yourself")
        return done == "done"

    async def restore(self, user_id: UUID, reason: str) -> bool:
        done = await self._value("select private.admin_restore($1, $2, $3)", user_id, self._address, reason)
        return done == "done"

    async def end_sessions(self, user_id: UUID, reason: str) -> bool:
        done = await self._value("select private.admin_end_sessions($1, $2, $3)", user_id, self._address, reason)
        return done == "done"

    async def plans(self) -> Sequence[PlanInUse]:
        rows = await self._rows("select * from private.admin_plans()")
        return [PlanInUse(name=row["name"], limits=_limits(row), users=row["users"]) for row in rows]

    async def put_plan(self, name: str, limits: PlanLimits, reason: str) -> None:
        await self._value(
            "select private.admin_put_plan($1, $2, $3, $4, $5, $6, $7)",
            name,
            limits.most_queued,
            limits.most_running,
            limits.most_backtests,
            limits.most_models,
            self._address,
            reason,
        )

    async def delete_plan(self, name: str, reason: str) -> None:
        users = await self._value("select private.admin_delete_plan($1, $2, $3)", name, self._address, reason)
        if users == _NO_SUCH_PLAN:
            raise PlanNotFound(name)
        if isinstance(users, int) and users > 0:
            raise PlanKept(name, users)

    async def tasks(
        self,
        *,
        user_id: UUID | None,
        states: Sequence[JobState],
        kinds: Sequence[JobKind],
        limit: int,
        after: Place | None,
    ) -> Page[SomebodysJob]:
        rows = await self._rows(
            "select * from private.admin_tasks($1, $2, $3, $4, $5, $6, $7)",
            user_id,
            list(states),
            list(kinds),
            limit + 1,
            after and after.at,
            after and after.id,
            self._address,
        )
        jobs = tuple(SomebodysJob(job=JobInBrief(**brief_of(row)), email=row["email"]) for row in rows[:limit])
        return _page(jobs, len(rows) > limit, lambda one: Place(at=one.job.created_at, id=one.job.id))

    async def task(self, task_id: UUID, *, is_look: bool = True) -> SomebodysWholeJob | None:
        rows = await self._rows(
            "select (found.task).*, found.email from private.admin_task($1, $2, $3) as found",
            task_id,
            is_look,
            self._address,
        )
        return SomebodysWholeJob(job=job_of(rows[0]), email=rows[0]["email"]) if rows else None

    async def cancel_task(self, task_id: UUID, reason: str) -> None:
        await self._value("select private.admin_cancel_task($1, $2, $3)", task_id, self._address, reason)

    async def audit(self, wanted: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditLine]:
        return await self._lines(wanted, limit, after, "audit.read", {})

    async def exported_audit(
        self, wanted: AuditFilter, *, limit: int, after: Place | None, file_format: str | None
    ) -> Page[AuditLine]:
        noted = None if file_format is None else "audit.export"
        return await self._lines(wanted, limit, after, noted, {"format": file_format})

    async def note_limits(self) -> None:
        await self._value("select private.admin_note_limits($1)", self._address)

    async def _lines(
        self, wanted: AuditFilter, limit: int, after: Place | None, noted: str | None, facts: dict[str, str | None]
    ) -> Page[AuditLine]:
        rows = await self._rows(
            "select * from private.admin_audit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            wanted.actor_id,
            wanted.subject_id,
            wanted.action,
            wanted.since,
            wanted.until,
            limit + 1,
            after and after.at,
            after and after.id,
            self._address,
            noted,
            json.dumps(facts),
        )
        lines = tuple(
            AuditLine(**{**row, "actor": AuditActor(row["actor"]), "details": json.loads(row["details"])})
            for row in rows[:limit]
        )
        return _page(lines, len(rows) > limit, lambda line: Place(at=line.at, id=line.id))

    async def _rows(self, statement: str, *arguments: object) -> "list[asyncpg.Record]":
        with refusals_told():
            return await self._connection.fetch(statement, *arguments)

    async def _value(self, statement: str, *arguments: object) -> object:
        with refusals_told():
            return await self._connection.fetchval(statement, *arguments)


def _page(items: tuple[T, ...], there_is_more: bool, place_of: Callable[[T], Place]) -> Page[T]:
    return Page(items=items, next=place_of(items[-1]) if there_is_more else None)


def _user(row: "asyncpg.Record") -> dict[str, Any]:
    names = ("id", "email", "display_name", "plan", "created_at", "last_seen_at", "suspended_until")
    return {
        **{name: row[name] for name in names},
        "role": AccountRole(row["role"]),
        "state": AccountState(row["state"]),
    }


def _limits(row: "asyncpg.Record") -> PlanLimits:
    return PlanLimits(
        most_queued=row["most_queued"],
        most_running=row["most_running"],
        most_backtests=row["most_backtests"],
        most_models=row["most_models"],
    )
