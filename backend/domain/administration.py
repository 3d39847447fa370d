"""What an administrator sees of everybody's accounts and does with them, and the lines that this leaves."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.domain.errors import Conflict, InputError, InvalidInput, NotFound
from backend.domain.jobs import Job, JobInBrief

REASON_MAX_LENGTH = 200
SEARCH_MAX_LENGTH = 100
# A year; what is to last longer has no end.
MOST_HOURS = 8760
PLAN_NAME_FORM = r"^[a-z][a-z0-9_-]{0,31}$"


class AccountRole(StrEnum):
    """What an account may do beyond its own affairs."""

    USER = "user"
    ADMIN = "admin"


class AccountState(StrEnum):
    """Whether an account can be used, and how far it has come."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEMO = "demo"
    UNCONFIRMED = "unconfirmed"


class AuditActor(StrEnum):
    """In which part somebody acted. The operator came by the terminal or the dashboard of the database."""

    USER = "user"
    ADMIN = "admin"
    OPERATOR = "operator"
    SERVICE = "service"


class AuditAction(StrEnum):
    """What the audit log tells of."""

    USER_LIST = "user.list"
    USER_READ = "user.read"
    USER_PROMOTE = "user.promote"
    USER_DEMOTE = "user.demote"
    USER_SUSPEND = "user.suspend"
    USER_RESTORE = "user.restore"
    USER_PLAN = "user.plan"
    USER_SESSIONS_END = "user.sessions_end"
    USER_DELETE = "user.delete"
    ACCOUNT_DELETE = "account.delete"
    ACCOUNT_EXPORT = "account.export"
    TASK_LIST = "task.list"
    TASK_READ = "task.read"
    TASK_CANCEL = "task.cancel"
    AUDIT_READ = "audit.read"
    AUDIT_EXPORT = "audit.export"
    PLAN_CREATE = "plan.create"
    PLAN_CHANGE = "plan.change"
    PLAN_DELETE = "plan.delete"
    LIMITS_READ = "limits.read"


@dataclass(frozen=True, kw_only=True)
class UserFilter:
    """Which accounts are wanted; None is all."""

    # Part of the address or the name, or the whole id.
    search: str | None = None
    role: AccountRole | None = None
    state: AccountState | None = None
    plan: str | None = None


@dataclass(frozen=True, kw_only=True)
class UserInBrief:
    """Anybody's account as lists have it."""

    id: UUID
    email: str | None
    display_name: str
    role: AccountRole
    state: AccountState
    plan: str
    created_at: datetime
    last_seen_at: datetime | None
    suspended_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """How much who has this plan may ask for."""

    most_queued: int
    most_running: int
    most_backtests: int
    most_models: int


@dataclass(frozen=True, kw_only=True)
class UserRecord(UserInBrief):
    """One account with what the database holds of it."""

    sessions: int
    queued: int
    running: int
    backtests: int
    models: int
    exchange_keys: int
    series: int
    limits: PlanLimits


@dataclass(frozen=True, kw_only=True)
class UserDetails:
    """One account with all that it uses."""

    record: UserRecord
    disk_bytes: int
    most_disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class PlanInUse:
    """A plan, and how many accounts have it."""

    name: str
    limits: PlanLimits
    users: int


@dataclass(frozen=True, kw_only=True)
class SomebodysJob:
    """A job as lists have it, and whose it is. Without a user it is the installation's own housekeeping."""

    job: JobInBrief
    email: str | None


@dataclass(frozen=True, kw_only=True)
class SomebodysWholeJob:
    """One job with what went in and came out, and whose it is."""

    job: Job
    email: str | None


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which lines are wanted; None is all. `until` itself is not among them."""

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    action: AuditAction | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AuditLine:
    """Who did what, when, from where, to whose data and why. Accounts that are gone have no address any more."""

    id: UUID
    at: datetime
    actor: AuditActor
    actor_id: UUID | None
    actor_email: str | None
    action: str
    subject_id: UUID | None
    subject_email: str | None
    object: str | None
    address: str | None
    session_id: UUID | None
    details: Mapping[str, Any]
    reason: str | None


class UserNotFound(NotFound):
    """There is no account of that id, or no longer."""

    code = "user_not_found"
    title = "No such user"

    def __init__(self, user_id: object) -> None:
        super().__init__(f"There is no user {user_id}; the account may have been deleted.")


class TaskNotFound(NotFound):
    """Nobody has a task of that id."""

    code = "task_not_found"
    title = "No such task"

    def __init__(self, task_id: object) -> None:
        super().__init__(f"There is no task {task_id}; it may have gone with its account.")


class PlanNotFound(NotFound):
    """There is no plan of that name."""

    code = "plan_not_found"
    title = "No such plan"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no plan '{name}'.")


class NotOneself(Conflict):
    """Administrators do this to others only, so that one always stays."""

    code = "not_oneself"
    title = "You cannot do this to yourself"

    def __init__(self, what: str) -> None:
        super().__init__(f"You cannot {what}. Ask another administrator, or whoever runs this installation.")


class DemoAccount(Conflict):
    """A demo account has no address, so nobody can know whose it is."""

    code = "demo_account"
    title = "A demo account cannot be this"

    def __init__(self) -> None:
        super().__init__("A demo account cannot be an administrator: let its owner add an email address first.")


class PlanKept(Conflict):
    """The plan is needed."""

    code = "plan_kept"
    title = "This plan cannot be deleted"

    def __init__(self, name: str, users: int) -> None:
        self.users = users
        if name == STANDARD:
            super().__init__("The plan 'standard' is everybody's who has no other: change its numbers, but keep it.")
        else:
            accounts = "1 account has" if users == 1 else f"{users:,} accounts have"
            super().__init__(f"{accounts} the plan '{name}'. Give them another one first.")


STANDARD = "standard"


def clean_reason(text: str) -> str:
    """Why, on one line, in characters that can be seen."""
    return _clean(text, "/reason", "A reason", 1, REASON_MAX_LENGTH)


def clean_search(text: str | None) -> str | None:
    return _clean(text or "", "/query/search", "A search", 0, SEARCH_MAX_LENGTH) or None


def _clean(text: str, pointer: str, what: str, least: int, most: int) -> str:
    line = " ".join(text.split())
    if not least <= len(line) <= most:
        raise InvalidInput([InputError(pointer=pointer, detail=f"{what} has {least} to {most} characters.")])
    # Marks that turn the direction of writing are among them: they make text read as something else.
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in line):
        raise InvalidInput([InputError(pointer=pointer, detail=f"{what} has no control or invisible characters.")])
    return line
