"""The plugs of administration: what the database does for an administrator and notes down, and the log as a file."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from backend.domain.administration import (
    AccountRole,
    AuditFilter,
    AuditLine,
    PlanInUse,
    PlanLimits,
    SomebodysJob,
    SomebodysWholeJob,
    UserFilter,
    UserInBrief,
    UserRecord,
)
from backend.domain.jobs import JobKind, JobState
from backend.domain.pages import Page, Place


class AdminRepository(Protocol):
    """Everybody's accounts, for an administrator: each call raises AdminNeeded for anybody else.

    Each look at another's data and each change leaves its line in the audit log, in the same transaction. A change that
    changes nothing leaves none.
    """

    async def users(self, wanted: UserFilter, *, limit: int, after: Place | None) -> Page[UserInBrief]:
        """Newest first."""

    async def user(self, user_id: UUID, *, is_look: bool = True) -> UserRecord | None:
        """`is_look=False` is for who has changed it just now, which left a line already."""

    async def set_role(self, user_id: UUID, role: AccountRole, reason: str) -> bool:
        """False when there is no such account. Raises NotOneself, DemoAccount."""

    async def set_plan(self, user_id: UUID, plan: str, reason: str) -> bool:
        """False when there is no such account. Raises PlanNotFound."""

    async def suspend(self, user_id: UUID, hours: int | None, reason: str) -> bool:
        """No hours are for good. Its tasks end with it. False when there is no such account. Raises NotOneself."""

    async def restore(self, user_id: UUID, reason: str) -> bool: ...

    async def end_sessions(self, user_id: UUID, reason: str) -> bool: ...

    async def plans(self) -> Sequence[PlanInUse]:
        """The smallest first."""

    async def put_plan(self, name: str, limits: PlanLimits, reason: str) -> None: ...

    async def delete_plan(self, name: str, reason: str) -> None:
        """Raises PlanNotFound, and PlanKept while an account has it."""

    async def tasks(
        self,
        *,
        user_id: UUID | None,
        states: Sequence[JobState],
        kinds: Sequence[JobKind],
        limit: int,
        after: Place | None,
    ) -> Page[SomebodysJob]:
        """Newest first; empty states or kinds mean all."""

    async def task(self, task_id: UUID, *, is_look: bool = True) -> SomebodysWholeJob | None: ...

    async def cancel_task(self, task_id: UUID, reason: str) -> None:
        """What waits is cancelled at once, what runs is asked to stop, the rest is left as it is."""

    async def audit(self, wanted: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditLine]:
        """Newest first."""

    async def exported_audit(
        self, wanted: AuditFilter, *, limit: int, after: Place | None, file_format: str | None
    ) -> Page[AuditLine]:
        """The same as a part of an export, of which the first one tells with its format, and the others nothing."""

    async def note_limits(self) -> None:
        """The limits of the system were read."""


class AuditFile(Protocol):
    """The audit log as a file that grows: what each call returns is the next piece of it."""

    def add(self, lines: Sequence[AuditLine]) -> bytes: ...

    def end(self) -> bytes: ...
