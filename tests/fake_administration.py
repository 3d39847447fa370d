"""Everybody's accounts, tasks and plans in memory, and the audit log that an administrator's work leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from backend.domain.administration import (
    STANDARD,
    AccountRole,
    AccountState,
    AuditAction,
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
from backend.domain.errors import AdminNeeded
from backend.domain.jobs import Job, JobKind, JobState
from backend.domain.pages import Page, Place
from tests.fakes import FakeClock

T = TypeVar("T")
_BRIEF = tuple(UserInBrief.__dataclass_fields__)


def plans() -> dict[str, PlanLimits]:
    """Those that an installation begins with."""
    return {
        "small": PlanLimits(most_queued=100, most_running=2, most_backtests=2_000, most_models=50),
        STANDARD: PlanLimits(most_queued=1_000, most_running=16, most_backtests=20_000, most_models=200),
        "large": PlanLimits(most_queued=10_000, most_running=64, most_backtests=200_000, most_models=2_000),
    }


@dataclass(kw_only=True)
class FakeAdministration:
    """An AdminRepository in the hands of `admin_id`."""

    admin_id: UUID
    clock: FakeClock = field(default_factory=FakeClock)
    users_by_id: dict[UUID, UserRecord] = field(default_factory=dict)
    jobs: dict[UUID, Job] = field(default_factory=dict)
    limits: dict[str, PlanLimits] = field(default_factory=plans)
    lines: list[AuditLine] = field(default_factory=list)

    def add_user(
        self, user_id: UUID, email: str | None, *, role: AccountRole = AccountRole.USER, is_demo: bool = False
    ) -> None:
        self.users_by_id[user_id] = UserRecord(
            id=user_id,
            email=email,
            display_name=(email or "Guest").partition("@")[0],
            role=role,
            state=AccountState.DEMO if is_demo else AccountState.ACTIVE,
            plan=STANDARD,
            created_at=self._moment(),
            last_seen_at=None,
            suspended_until=None,
            sessions=1,
            **dict.fromkeys(("queued", "running", "backtests", "models", "exchange_keys", "series"), 0),
            limits=self.limits[STANDARD],
        )

    async def users(self, wanted: UserFilter, *, limit: int, after: Place | None) -> Page[UserInBrief]:
        self._note(AuditAction.USER_LIST, **{name: value for name, value in vars(wanted).items() if value is not None})
        found = [
            UserInBrief(**{name: getattr(user, name) for name in _BRIEF})
            for user in self.users_by_id.values()
            if _is_like(user, wanted.search)
            and wanted.role in (None, user.role)
            and wanted.state in (None, user.state)
            and wanted.plan in (None, user.plan)
        ]
        return _page(found, limit, after, lambda user: Place(at=user.created_at, id=user.id))

    async def user(self, user_id: UUID, *, is_look: bool = True) -> UserRecord | None:
        self._require_admin()
        found = self.users_by_id.get(user_id)
        if found is None:
            return None
        if is_look:
            self._note(AuditAction.USER_READ, user_id)
        states = [job.state for job in self.jobs.values() if job.user_id == user_id]
        return replace(
            found,
            limits=self.limits[found.plan],
            queued=states.count(JobState.QUEUED),
            running=states.count(JobState.RUNNING),
        )

    async def set_role(self, user_id: UUID, role: AccountRole, reason: str) -> bool:
        user = self._present(user_id)
        if user is None:
            return False
        if user_id == self.admin_id and role is AccountRole.USER:
            raise NotOneself("take the role of an administrator from yourself")
        if user.state is AccountState.DEMO and role is AccountRole.ADMIN:
            raise DemoAccount
        if user.role is not role:
            self.users_by_id[user_id] = replace(user, role=role)
            action = AuditAction.USER_PROMOTE if role is AccountRole.ADMIN else AuditAction.USER_DEMOTE
            self._note(action, user_id, reason=reason)
        return True

    async def set_plan(self, user_id: UUID, plan: str, reason: str) -> bool:
        if plan not in self.limits:
            raise PlanNotFound(plan)
        user = self._present(user_id)
        if user is not None and user.plan != plan:
            self.users_by_id[user_id] = replace(user, plan=plan)
            self._note(AuditAction.USER_PLAN, user_id, reason=reason, plan=plan, before=user.plan)
        return user is not None

    async def suspend(self, user_id: UUID, hours: int | None, reason: str) -> bool:
        user = self._present(user_id)
        if user_id == self.admin_id:
            raise NotOneself("suspend yourself")
        if user is None:
            return False
        until = self.clock.now() + timedelta(hours=hours or 876_000)
        self.users_by_id[user_id] = replace(user, state=AccountState.SUSPENDED, suspended_until=until)
        for job in list(self.jobs.values()):
            if job.user_id == user_id:
                self._cancel(job)
        self._note(AuditAction.USER_SUSPEND, user_id, reason=reason)
        return True

    async def restore(self, user_id: UUID, reason: str) -> bool:
        user = self._present(user_id)
        if user is not None and user.state is AccountState.SUSPENDED:
            self.users_by_id[user_id] = replace(user, state=AccountState.ACTIVE, suspended_until=None)
            self._note(AuditAction.USER_RESTORE, user_id, reason=reason)
        return user is not None

    async def end_sessions(self, user_id: UUID, reason: str) -> bool:
        user = self._present(user_id)
        if user is None:
            return False
        self._note(AuditAction.USER_SESSIONS_END, user_id, reason=reason, sessions=user.sessions)
        self.users_by_id[user_id] = replace(user, sessions=0)
        return True

    async def plans(self) -> Sequence[PlanInUse]:
        self._require_admin()
        smallest_first = sorted(self.limits.items(), key=lambda one: (one[1].most_running, one[1].most_queued, one[0]))
        return [PlanInUse(name=name, limits=limits, users=self._users_of(name)) for name, limits in smallest_first]

    async def put_plan(self, name: str, limits: PlanLimits, reason: str) -> None:
        self._require_admin()
        before = self.limits.get(name)
        if before != limits:
            self.limits[name] = limits
            action = AuditAction.PLAN_CREATE if before is None else AuditAction.PLAN_CHANGE
            self._note(action, reason=reason, about=f"plan {name}")

    async def delete_plan(self, name: str, reason: str) -> None:
        self._require_admin()
        if name not in self.limits:
            raise PlanNotFound(name)
        if users := self._users_of(name):
            raise PlanKept(name, users)
        del self.limits[name]
        self._note(AuditAction.PLAN_DELETE, reason=reason, about=f"plan {name}")

    async def tasks(
        self,
        *,
        user_id: UUID | None,
        states: Sequence[JobState],
        kinds: Sequence[JobKind],
        limit: int,
        after: Place | None,
    ) -> Page[SomebodysJob]:
        self._note(AuditAction.TASK_LIST, user_id)
        found = [
            SomebodysJob(job=job, email=self._email(job.user_id))
            for job in self.jobs.values()
            if user_id in (None, job.user_id)
            and (not states or job.state in states)
            and (not kinds or job.kind in kinds)
        ]
        return _page(found, limit, after, lambda one: Place(at=one.job.created_at, id=one.job.id))

    async def task(self, task_id: UUID, *, is_look: bool = True) -> SomebodysWholeJob | None:
        self._require_admin()
        job = self.jobs.get(task_id)
        if job is None:
            return None
        if is_look:
            self._note(AuditAction.TASK_READ, job.user_id, about=f"task {task_id}")
        return SomebodysWholeJob(job=job, email=self._email(job.user_id))

    async def cancel_task(self, task_id: UUID, reason: str) -> None:
        self._require_admin()
        job = self.jobs.get(task_id)
        if job is not None and self._cancel(job):
            self._note(AuditAction.TASK_CANCEL, job.user_id, reason=reason, about=f"task {task_id}")

    async def audit(self, wanted: AuditFilter, *, limit: int, after: Place | None) -> Page[AuditLine]:
        found = self._lines(wanted, limit, after)
        self._note(AuditAction.AUDIT_READ, wanted.subject_id)
        return found

    async def exported_audit(
        self, wanted: AuditFilter, *, limit: int, after: Place | None, file_format: str | None
    ) -> Page[AuditLine]:
        found = self._lines(wanted, limit, after)
        if file_format is not None:
            self._note(AuditAction.AUDIT_EXPORT, wanted.subject_id, format=file_format)
        return found

    async def note_limits(self) -> None:
        self._note(AuditAction.LIMITS_READ)

    def _lines(self, wanted: AuditFilter, limit: int, after: Place | None) -> Page[AuditLine]:
        self._require_admin()
        found = [
            line
            for line in self.lines
            if wanted.actor_id in (None, line.actor_id)
            and wanted.subject_id in (None, line.subject_id)
            and wanted.action in (None, line.action)
            and (wanted.since is None or line.at >= wanted.since)
            and (wanted.until is None or line.at < wanted.until)
        ]
        return _page(found, limit, after, lambda line: Place(at=line.at, id=line.id))

    def _cancel(self, job: Job) -> bool:
        if job.state not in (JobState.QUEUED, JobState.RUNNING) or job.cancel_requested_at is not None:
            return False
        now = self.clock.now()
        is_queued = job.state is JobState.QUEUED
        self.jobs[job.id] = replace(
            job,
            state=JobState.CANCELLED if is_queued else job.state,
            finished_at=now if is_queued else None,
            cancel_requested_at=now,
        )
        return True

    def _present(self, user_id: UUID) -> UserRecord | None:
        self._require_admin()
        return self.users_by_id.get(user_id)

    def _require_admin(self) -> None:
        if self.users_by_id[self.admin_id].role is not AccountRole.ADMIN:
            raise AdminNeeded

    def _users_of(self, plan: str) -> int:
        return sum(user.plan == plan for user in self.users_by_id.values())

    def _email(self, user_id: UUID | None) -> str | None:
        user = None if user_id is None else self.users_by_id.get(user_id)
        return None if user is None else user.email

    def _moment(self) -> Any:
        self.clock.advance(seconds=1)
        return self.clock.now()

    def _note(
        self,
        action: AuditAction,
        subject_id: UUID | None = None,
        *,
        reason: str | None = None,
        about: str | None = None,
        **details: Any,
    ) -> None:
        self._require_admin()
        line = AuditLine(
            id=uuid4(),
            at=self._moment(),
            actor=AuditActor.ADMIN,
            actor_id=self.admin_id,
            actor_email=self._email(self.admin_id),
            action=action,
            subject_id=subject_id,
            subject_email=self._email(subject_id),
            object=about,
            address=None,
            session_id=None,
            details=details,
            reason=reason,
        )
        self.lines.append(line)


def _is_like(user: UserInBrief, words: str | None) -> bool:
    if words is None or str(user.id) == words.lower():
        return True
    return words.lower() in (user.email or "").lower() or words.lower() in user.display_name.lower()


def _page(found: Sequence[T], limit: int, after: Place | None, place_of: Any) -> Page[T]:
    newest_first = sorted(found, key=lambda one: (place_of(one).at, place_of(one).id), reverse=True)
    rest = [one for one in newest_first if after is None or (place_of(one).at, place_of(one).id) < (after.at, after.id)]
    items = tuple(rest[:limit])
    return Page(items=items, next=place_of(items[-1]) if len(rest) > limit else None)
