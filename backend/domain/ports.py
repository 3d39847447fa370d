"""Every plug of the house: small Protocols that services speak to and adapters fulfil.

A port appears here with its first tenant. Beside each real adapter stands a fake; both pass the same contract tests.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from backend.domain.accounts import Account, Identity, Profile, ProfileChange, Session
from backend.domain.events import BusMessage, EventLog, FeedPlace, Standing, TaskEvent
from backend.domain.forecast import CompletedRun
from backend.domain.jobs import (
    Ahead,
    Demand,
    Job,
    JobCounts,
    JobFailure,
    JobInBrief,
    JobKind,
    JobState,
    Lease,
    NewJob,
    Outcome,
    Progress,
    Renewal,
    RunningNow,
    Waiting,
)
from backend.domain.pages import Page, Place
from backend.domain.queue_play import QueueAround
from backend.domain.saved_strategies import SavedStrategy, StrategyVersion, VersionInBrief
from backend.domain.tokens import NewToken, PersonalToken, TokenHolder, TokenUse


class Clock(Protocol):
    """What time it is: always UTC and aware."""

    def now(self) -> datetime: ...


class TokenVerifier(Protocol):
    """Turns an access token into an Identity, or raises TokenRejected."""

    async def verify(self, token: str) -> Identity: ...


class AccountRepository(Protocol):
    """Profiles and sessions, already narrowed by the database to those of the acting user."""

    async def profile(self, user_id: UUID) -> Profile | None: ...

    async def ensure_profile(self) -> None:
        """Write the acting user's profile should it be missing; the account itself counts, whatever became of it."""

    async def change_profile(self, user_id: UUID, change: ProfileChange, *, version: int | None) -> Profile | None:
        """Apply the change if the profile still has that version (any, when None); None when nothing matched."""

    async def sessions(self, *, limit: int, after: Place | None) -> Page[Session]: ...

    async def end_session(self, session_id: UUID) -> bool:
        """End one of the user's sessions; False when there is none of that id."""

    async def end_sessions(self, *, only_others: bool) -> int:
        """End all sessions of the user, or all but the one that acts; how many that were."""

    async def session_is_alive(self, session_id: UUID) -> bool: ...

    async def is_admin(self) -> bool:
        """Whether the user is an administrator by what the account says now, and acts in a session that is alive."""


class TokenRepository(Protocol):
    """A user's own personal access tokens, already narrowed by the database to those of the acting user."""

    async def tokens(self, *, limit: int, after: Place | None) -> Page[PersonalToken]:
        """Newest first, with those that ended lately."""

    async def create(self, token: NewToken) -> PersonalToken:
        """Raises QuotaReached when the user has as many live ones as may be, SessionEnded without a live session."""

    async def revoke(self, token_id: UUID) -> bool:
        """End one of the user's tokens; False when there is none of that id that was not revoked before."""


class TokenRecords(Protocol):
    """What the house asks and notes about the tokens of everybody."""

    async def holder(self, digest: bytes) -> TokenHolder | None:
        """Whose token has this digest, also when it ended lately."""

    async def note_uses(self, uses: Collection[TokenUse]) -> None:
        """They were used now; what was noted within the hour stays as it is."""


@dataclass(frozen=True, kw_only=True)
class RequestFingerprint:
    """What makes two requests under one idempotency key the same request."""

    method: str
    path: str
    body_hash: str


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """The answer to a request, kept to be given again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


ANSWERS_ARE_KEPT_FOR = timedelta(hours=24)


class IdempotencyRepository(Protocol):
    """Answers kept per user and idempotency key for 24 hours, in the transaction of the work itself."""

    async def claim(self, user_id: UUID, key: str, request: RequestFingerprint) -> KeptAnswer | None:
        """None when the key is now ours to use; the kept answer when this request was answered before.

        A second claim of a key waits until the first one's transaction ends.
        Raises IdempotencyKeyReused when the key was used for a different request.
        """

    async def keep(self, user_id: UUID, key: str, answer: KeptAnswer) -> None: ...


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """So many requests in so many seconds, for one class of routes."""

    name: str
    requests: int
    window_seconds: int


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a rate limit says about one request."""

    is_allowed: bool
    limit: int
    remaining: int
    resets_in_seconds: int


class RateLimiter(Protocol):
    """Counts requests by who makes them."""

    async def take(self, limit: RateLimit, who: str) -> Allowance: ...


class Meter(Protocol):
    """Counts what happens at the edge, for whoever watches the installation."""

    def request_in_flight(self) -> AbstractContextManager[None]: ...

    def request_finished(self, *, method: str, route: str, status: int, seconds: float) -> None: ...

    def problem(self, code: str) -> None: ...

    def unexpected_error(self) -> None: ...

    def rate_limited(self, limit: str) -> None: ...

    def token_checked(self, outcome: str) -> None: ...

    def stream_opened(self) -> None: ...

    def stream_closed(self, why: str) -> None: ...

    def socket_opened(self) -> None: ...

    def socket_closed(self, why: str) -> None: ...

    def event_told(self, lag_seconds: float) -> None: ...

    def exposition(self) -> tuple[bytes, str]: ...


class AccountAdmin(Protocol):
    """What an operator does with anybody's account; never handed to a user."""

    def create(self, email: str, password: str, *, is_admin: bool) -> Account: ...

    def everyone(self) -> Iterator[Account]:
        """All accounts, newest first."""

    def set_password(self, email: str, password: str) -> Account:
        """Signs the account out everywhere."""

    def set_admin(self, email: str, is_admin: bool) -> Account: ...

    def set_plan(self, email: str, plan: str) -> Account: ...

    def suspend(self, email: str, *, hours: int) -> Account:
        """No hours end a suspension."""

    def find(self, email: str) -> Account:
        """Raises NotFound. So do all of the above that name an account."""


class JobRepository(Protocol):
    """A user's own jobs, already narrowed by the database to those of the acting user."""

    async def counts(self) -> JobCounts:
        """How many wait and run, and may."""

    async def submit(self, job: NewJob) -> Job:
        """Add a job to the queue, with its event. The queue hears of it when this transaction commits.

        Raises QuotaReached, here or at the commit: when others took the last places of the user's plan meanwhile.
        """

    async def job(self, job_id: UUID) -> Job | None: ...

    async def jobs(
        self, *, limit: int, after: Place | None, states: Sequence[JobState] = (), kinds: Sequence[JobKind] = ()
    ) -> Page[JobInBrief]:
        """Newest first; empty states or kinds mean all."""

    async def request_cancel(self, job_id: UUID) -> Job | None:
        """Cancel what is queued, ask what is running to stop, leave the rest; None when there is no such job."""

    async def retry(self, job_id: UUID) -> Job | None:
        """Queue a failed or cancelled job for a new attempt; None when there is no such job in such a state.

        Raises QuotaReached when as many of the user's jobs wait as may.
        """

    async def queue_around(self, job_ids: Sequence[UUID], *, runner_id: str) -> QueueAround:
        """What the user's waiting jobs stand among: those that are next, these, and what runs, there or elsewhere."""

    async def event_log(self, *, after: int, limit: int) -> EventLog: ...

    async def standing(self, job_id: UUID) -> Standing | None:
        """The job and the user's last event, both of one moment; None when there is no such job."""


class StrategyRepository(Protocol):
    """The saved strategies of the acting user alone. Deleted ones are seen, but neither renamed nor given versions."""

    async def saved(self, *, deleted: bool = False) -> Sequence[SavedStrategy]:
        """All of them, those that were changed last first."""

    async def find(self, strategy_id: UUID) -> SavedStrategy | None: ...

    async def add(self, name: str, about: str) -> SavedStrategy:
        """Without rules yet. Raises StrategyNameTaken, and QuotaReached."""

    async def change(self, strategy_id: UUID, *, name: str, about: str, revision: int | None) -> SavedStrategy | None:
        """If it still is of that revision (any, when None); None when nothing matched. Raises StrategyNameTaken."""

    async def delete(self, strategy_id: UUID) -> bool: ...

    async def restore(self, strategy_id: UUID) -> SavedStrategy | None:
        """Raises StrategyNameTaken when another one is called that meanwhile, and QuotaReached."""

    async def add_version(self, strategy_id: UUID, rules: Mapping[str, Any], note: str) -> StrategyVersion:
        """Under the next number. Raises QuotaReached."""

    async def versions(self, strategy_id: UUID, *, limit: int, after: Place | None) -> Page[VersionInBrief]:
        """The newest first."""

    async def version(self, strategy_id: UUID, number: int) -> StrategyVersion | None: ...


class StrategyPreviews(Protocol):
    """What strategies would have said on some bars, computed where it holds nobody up."""

    async def preview(self, asked: Mapping[str, Any], *, owner: UUID) -> Mapping[str, Any]:
        """The document of `services/strategy_preview.py`. Raises what is wrong with the strategy, its parameters or the
        bars; PreviewFailed where it takes too long or too much; QuotaReached where the owner has too many at once;
        ServiceUnavailable where too many wait."""

    async def close(self) -> None: ...


class JobQueue(Protocol):
    """The runner's side of all jobs. What is done under a lease that was lost changes nothing."""

    async def claim(
        self, runner_id: str, room: Demand, *, job_ids: Sequence[UUID] | None = None, ahead: Ahead = ...
    ) -> Sequence[Lease]:
        """Lease the next jobs that fit the room together, the next one first; when ids are given, these in their order.

        Next is the user with the fewest running jobs, then the priority, which ages. Each job that is leased counts as
        running for the one after it. Fewer than possible may come when others claim at the same time; nothing comes
        when there is nothing. `ahead` allows for some more, as long as nothing before them waits for room.
        """

    async def renew(self, leases: Sequence[Lease]) -> Renewal: ...

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        """End jobs for good, with their results and events: those whose lease held, all of them or (it raises) none."""

    async def hand_back(self, leases: Sequence[Lease]) -> frozenset[UUID]:
        """Queue jobs again, whose attempt does not count: those whose lease held."""

    async def recall(self, runner_id: str, known: Collection[UUID]) -> int:
        """Hand back what this runner leased and never heard of, since the answer was lost: all but those it knows."""

    async def lose(self, lease: Lease, failure: JobFailure) -> JobState | None:
        """The child died: queue the job again, or fail it when its attempts are spent; None when the lease was lost."""

    async def reap(self, *, gone: str | None = None) -> int:
        """Do the same for every expired lease, and for all that a runner has which is gone; how many there were."""

    async def waiting(self) -> Sequence[Waiting]: ...

    async def add(self, job: NewJob) -> Job:
        """Add a job of the installation's own, unless one of its kind waits or runs already; then that one."""


class JobRecords(Protocol):
    """What the jobs of all users together tell about jobs, without saying whose they are."""

    async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
        """The latest completed jobs of each kind that ended after that moment, at most so many each."""

    async def running(self) -> Sequence[RunningNow]: ...


class JobHints(Protocol):
    """Tells the runner of this process at once what was queued here. A hint may be lost: the queue is the truth."""

    def tell(self, job_ids: Sequence[UUID]) -> None:
        """These were queued, and that is committed."""

    def listen(self, heard: Callable[[UUID], None]) -> Callable[[], None]:
        """Be told of each from now on, until what is returned is called."""


class EventFeed(Protocol):
    """Events of all users, for who tells them on."""

    async def of_users(self, after: Mapping[UUID, int], *, limit: int) -> Sequence[TaskEvent]:
        """For each user the events after that id, at most so many each, in each user's order."""

    async def since(self, place: FeedPlace | None, *, limit: int) -> tuple[Sequence[TaskEvent], FeedPlace]:
        """Events of everybody after a place (None: from now on), and the place to go on from.

        It stops before the oldest transaction that is still open, so that none is ever skipped.
        """


class EventBus(Protocol):
    """Hints between processes, on named channels. They may be lost: the tables are the truth."""

    async def publish(self, channel: str, payload: str) -> None: ...

    def subscribe(self, *channels: str) -> AsyncIterator[BusMessage]:
        """Messages from now on. It survives a lost connection, and says on each channel when one may be missing."""


class AccountWatch(Protocol):
    """Knows of everybody whether they may still be here, for what outlives the request that was checked."""

    async def suspended(self, user_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of them whose account was suspended or deleted."""

    async def revoked(self, token_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these personal access tokens that were revoked, or are gone."""

    async def signed_out(self, session_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these sessions that were ended, or are over."""


class StreamTickets(Protocol):
    """Tickets that open one stream each, for clients that can send nothing but an address."""

    async def issue(self, digest: bytes) -> datetime:
        """Keep a ticket of the acting user by its digest; until when it is good: a minute, or as long as the token."""

    async def redeem(self, digest: bytes) -> Mapping[str, Any] | None:
        """The claims of who asked for it, once; None when there is no such ticket, or no longer."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Whether a job can start now, and if not, why, in words and numbers."""

    is_granted: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class MachineGauges:
    """What the machine, or the container around us, has and does."""

    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    capacity: Demand
    room: Demand


class ResourceMonitor(Protocol):
    """Knows what this machine can take."""

    def capacity(self) -> Demand:
        """The most that all jobs together may ever use."""

    def room(self) -> Demand:
        """What of it is free now."""

    def can_run(self, demand: Demand) -> Admission: ...

    def hold(self, demand: Demand, used: Callable[[], int] = ...) -> AbstractContextManager[None]:
        """Take so much of the room until the block ends; `used` tells how much memory of it is in use by now."""

    def gauges(self) -> MachineGauges: ...


class JobHandler(Protocol):
    """Does the jobs of one kind in the runner itself."""

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        """The job's result. Raises what went wrong."""


class JobMeter(Protocol):
    """Counts what becomes of jobs, for whoever watches the installation."""

    def job_started(self, kind: JobKind, *, waited_seconds: float) -> None: ...

    def job_ended(self, kind: JobKind, how: str, seconds: float) -> None: ...

    def eta_missed(self, kind: JobKind, share: float | None) -> None:
        """By what share of their length jobs of this kind miss what is foreseen of them; None before two of them."""

    def jobs_wait(self, waiting: Sequence[Waiting]) -> None: ...

    def worker_restarted(self) -> None: ...

    def leases_expired(self, count: int) -> None:
        """So many jobs were taken back from runners that went silent."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether a part of the house can do its work, in words."""

    is_ready: bool
    detail: str


class Housekeeping(Protocol):
    """What is deleted when its time is over; each answers how much that was."""

    async def forget_old_events(self) -> int: ...

    async def forget_old_answers(self) -> int:
        """Those kept for requests that might be sent again."""

    async def forget_ended_tokens(self) -> int:
        """Personal access tokens that expired or were revoked some time ago."""

    async def forget_ended_shares(self) -> int:
        """Links to results that did."""

    async def forget_deleted_backtests(self) -> int:
        """Those that their users deleted so long ago that they cannot be brought back."""

    async def forget_deleted_models(self) -> int:
        """Those that their users deleted some time ago, unless there are predictions of them."""

    async def forget_old_housekeeping(self) -> int:
        """Tasks of the installation itself that are over."""


class Election(Protocol):
    """Chooses one process among all that stand on the same database."""

    async def is_won(self) -> bool:
        """Whether this process is the chosen one now. The seat is free again as soon as the process is gone."""
