"""What an administrator does with everybody's accounts, tasks and plans. Every look and every change is noted down."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from backend.domain.accounts import Identity
from backend.domain.admin_ports import AdminRepository
from backend.domain.administration import (
    STANDARD,
    AccountRole,
    AuditFilter,
    AuditLine,
    NotOneself,
    PlanInUse,
    PlanKept,
    PlanLimits,
    SomebodysJob,
    SomebodysWholeJob,
    TaskNotFound,
    UserDetails,
    UserFilter,
    UserInBrief,
    UserNotFound,
    clean_reason,
    clean_search,
)
from backend.domain.jobs import JobKind, JobState
from backend.domain.market_ports import DiskQuotas
from backend.domain.pages import Page, Place


class Administration:
    """The installation, in the hands of one of its administrators, inside one transaction."""

    def __init__(self, identity: Identity, repository: AdminRepository, quotas: DiskQuotas) -> None:
        self._identity = identity
        self._repository = repository
        self._quotas = quotas

    async def users(self, wanted: UserFilter, *, limit: int, after: Place | None = None) -> Page[UserInBrief]:
        cleaned = UserFilter(**{**vars(wanted), "search": clean_search(wanted.search)})
        return await self._repository.users(cleaned, limit=limit, after=after)

    async def user(self, user_id: UUID) -> UserDetails:
        return await self._details(user_id, is_look=True)

    async def change_user(
        self, user_id: UUID, *, role: AccountRole | None, plan: str | None, reason: str
    ) -> UserDetails:
        """What is None stays as it is."""
        why = clean_reason(reason)
        if role is AccountRole.USER and user_id == self._identity.user_id:
            raise NotOneself("take the role of an administrator from yourself")
        if role is not None:
            _require(await self._repository.set_role(user_id, role, why), user_id)
        if plan is not None:
            _require(await self._repository.set_plan(user_id, plan, why), user_id)
        return await self._details(user_id, is_look=False)

    async def suspend(self, user_id: UUID, *, hours: int | None, reason: str) -> UserDetails:
        """At once: requests are refused, streams end within 5 s, and tasks end, those that wait and those that run."""
        if user_id == self._identity.user_id:
            raise NotOneself("suspend yourself")
        _require(await self._repository.suspend(user_id, hours, clean_reason(reason)), user_id)
        return await self._details(user_id, is_look=False)

    async def restore(self, user_id: UUID, *, reason: str) -> UserDetails:
        _require(await self._repository.restore(user_id, clean_reason(reason)), user_id)
        return await self._details(user_id, is_look=False)

    async def end_sessions(self, user_id: UUID, *, reason: str) -> None:
        """Sign the user out on every device. An access token still opens what asks for no live session, for an hour."""
        _require(await self._repository.end_sessions(user_id, clean_reason(reason)), user_id)

    async def plans(self) -> Sequence[PlanInUse]:
        return await self._repository.plans()

    async def put_plan(self, name: str, limits: PlanLimits, *, reason: str) -> PlanInUse:
        """Holds for the next thing that somebody asks for; what is there already stays."""
        await self._repository.put_plan(name, limits, clean_reason(reason))
        return next(plan for plan in await self._repository.plans() if plan.name == name)

    async def delete_plan(self, name: str, *, reason: str) -> None:
        why = clean_reason(reason)
        if name == STANDARD:
            raise PlanKept(name, 0)
        await self._repository.delete_plan(name, why)

    async def tasks(
        self,
        *,
        user_id: UUID | None,
        states: Sequence[JobState],
        kinds: Sequence[JobKind],
        limit: int,
        after: Place | None = None,
    ) -> Page[SomebodysJob]:
        return await self._repository.tasks(user_id=user_id, states=states, kinds=kinds, limit=limit, after=after)

    async def task(self, task_id: UUID) -> SomebodysWholeJob:
        return _found(await self._repository.task(task_id), task_id)

    async def cancel_task(self, task_id: UUID, *, reason: str) -> SomebodysWholeJob:
        await self._repository.cancel_task(task_id, clean_reason(reason))
        return _found(await self._repository.task(task_id, is_look=False), task_id)

    async def audit(self, wanted: AuditFilter, *, limit: int, after: Place | None = None) -> Page[AuditLine]:
        return await self._repository.audit(wanted, limit=limit, after=after)

    async def exported_audit(
        self, wanted: AuditFilter, *, limit: int, after: Place | None, file_format: str | None
    ) -> Page[AuditLine]:
        """One part of an export; the first one names the format."""
        return await self._repository.exported_audit(wanted, limit=limit, after=after, file_format=file_format)

    async def note_limits(self) -> None:
        await self._repository.note_limits()

    async def _details(self, user_id: UUID, *, is_look: bool) -> UserDetails:
        record = await self._repository.user(user_id, is_look=is_look)
        if record is None:
            raise UserNotFound(user_id)
        share = await asyncio.to_thread(self._quotas.share, user_id)
        return UserDetails(record=record, disk_bytes=share.used_bytes, most_disk_bytes=share.most_bytes)


def _require(is_there: bool, user_id: UUID) -> None:
    if not is_there:
        raise UserNotFound(user_id)


def _found(job: SomebodysWholeJob | None, task_id: UUID) -> SomebodysWholeJob:
    if job is None:
        raise TaskNotFound(task_id)
    return job
