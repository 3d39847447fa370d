"""Work that outlives a request: what a job is, the states it may take, and the rules of each kind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from backend.domain.errors import JobTooLarge
from backend.domain.market import IMPORT


class JobState(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more happens by itself; only a person's retry queues the job again."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)

    def can_become(self, other: "JobState") -> bool:
        return other in _MOVES[self]


_MOVES: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
        # Back to the queue: a lost child, an expired lease, or the hand-back at shutdown.
        JobState.RUNNING: frozenset({JobState.QUEUED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}),
        JobState.COMPLETED: frozenset(),
        # Back to the queue: a person's retry.
        JobState.FAILED: frozenset({JobState.QUEUED}),
        JobState.CANCELLED: frozenset({JobState.QUEUED}),
    }
)


class JobKind(StrEnum):
    """What a task does; each kind has rules in KINDS."""

    BACKTEST = "backtest"
    SWEEP = "sweep"
    OPTIMIZE = "optimize"
    WALK_FORWARD = "walk_forward"
    TRAIN = "train"
    PREDICT = "predict"
    FETCH = "fetch"
    IMPORT = "import"
    EXPORT = "export"
    GUARD = "guard"
    SCORE = "score"
    MAINTAIN = "maintain"


class Workplace(StrEnum):
    """Where a kind of job is done."""

    # A process of its own without database or secrets, which can be killed at any moment.
    CHILD = "child"
    # The runner itself, for what needs the network, a key or the database.
    RUNNER = "runner"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a job needs of the machine while it runs, or what the machine has to give."""

    cores: int
    memory_bytes: int

    def fits(self, room: "Demand") -> bool:
        return self.cores <= room.cores and self.memory_bytes <= room.memory_bytes


@dataclass(frozen=True, kw_only=True)
class KindRules:
    """How the jobs of one kind are run."""

    workplace: Workplace
    wall_limit_seconds: int
    max_attempts: int
    demand: Demand


_MIB = 1024 * 1024


def _rules(workplace: Workplace, *, minutes: int, attempts: int, cores: int, mib: int) -> KindRules:
    return KindRules(
        workplace=workplace,
        wall_limit_seconds=minutes * 60,
        max_attempts=attempts,
        demand=Demand(cores=cores, memory_bytes=mib * _MIB),
    )


KINDS: Mapping[JobKind, KindRules] = MappingProxyType(
    {
        JobKind.BACKTEST: _rules(Workplace.CHILD, minutes=15, attempts=3, cores=1, mib=512),
        JobKind.SWEEP: _rules(Workplace.CHILD, minutes=60, attempts=3, cores=1, mib=512),
        JobKind.OPTIMIZE: _rules(Workplace.CHILD, minutes=120, attempts=3, cores=1, mib=512),
        JobKind.WALK_FORWARD: _rules(Workplace.CHILD, minutes=120, attempts=3, cores=1, mib=512),
        JobKind.TRAIN: _rules(Workplace.CHILD, minutes=120, attempts=3, cores=1, mib=768),
        JobKind.PREDICT: _rules(Workplace.CHILD, minutes=15, attempts=3, cores=1, mib=512),
        JobKind.FETCH: _rules(Workplace.RUNNER, minutes=120, attempts=5, cores=1, mib=128),
        JobKind.IMPORT: _rules(Workplace.CHILD, minutes=60, attempts=3, cores=1, mib=384),
        JobKind.EXPORT: _rules(Workplace.CHILD, minutes=30, attempts=3, cores=1, mib=384),
        JobKind.GUARD: _rules(Workplace.CHILD, minutes=60, attempts=3, cores=1, mib=512),
        JobKind.SCORE: _rules(Workplace.RUNNER, minutes=10, attempts=3, cores=1, mib=128),
        JobKind.MAINTAIN: _rules(Workplace.RUNNER, minutes=10, attempts=3, cores=1, mib=64),
    }
)

LONGEST_ABOUT = 120
LEASE_SECONDS = 30
# The installation's own tasks, once they are over.
HOUSEKEEPING_IS_KEPT_FOR = timedelta(days=1)
HEARTBEAT_SECONDS = 5
# A minute of waiting counts as much as one step of priority, so that nothing waits for ever.
SECONDS_A_PRIORITY_STEP = 60
# So long smaller jobs may pass one that waits for more room than there is.
PATIENCE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class JobFailure:
    """Why a job failed: the cause, the numbers, what to do about it, and the last lines that it wrote."""

    code: str
    title: str
    detail: str
    remedy: str | None = None
    log_tail: str | None = field(default=None, repr=False)


# What learning tells of itself beside its curve.
LEARNING = ("fold", "round", "loss", "stop_loss")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a running job is; never stored."""

    stage: str
    percent: float | None = None
    message: str | None = None
    eta_seconds: float | None = None
    # Of work along bars: which one it is at, and the account's value so far, thinned: (seconds since 1970, value).
    # Of learning: (round, loss in training, loss in the rows that say when to stop).
    current_date: str | None = None
    curve: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    # Of learning: the curves of all lessons until now by their folds, thinner; 0 is the model that is kept.
    curves: tuple[tuple[int, tuple[tuple[float, ...], ...]], ...] = field(default=(), repr=False)
    # Of learning: where it is, and the latest of both losses.
    fold: int | None = None
    round: int | None = None
    loss: float | None = None
    stop_loss: float | None = None
    # What it printed last, in its present attempt.
    log_tail: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class JobInBrief:
    """A job as lists have it: where it stands, not what went in or came out, which may be large."""

    id: UUID
    user_id: UUID | None
    kind: JobKind
    state: JobState
    demand: Demand
    # How much work it is, in the measure of its kind, where that is known.
    work_units: float | None
    priority: int
    attempts: int
    max_attempts: int
    lease_epoch: int
    wall_limit_seconds: int
    cancel_requested_at: datetime | None
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: JobFailure | None
    is_partial: bool
    # Which market data it is about, where it is about any: see `about`. Lists of everybody's jobs do not say it.
    about: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job(JobInBrief):
    """One piece of work as the table has it. Without a user it is the installation's own housekeeping."""

    payload: Mapping[str, Any] = field(repr=False)
    result: Mapping[str, Any] | None = field(repr=False)
    log_tail: str | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What a submit adds to the queue."""

    kind: JobKind
    payload: Mapping[str, Any] = field(repr=False)
    demand: Demand
    work_units: float | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        if self.work_units is not None and not 0 < self.work_units < math.inf:
            raise ValueError(f"{self.work_units} is no amount of work")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How many jobs of a user may wait, and how many may run at once, by the user's plan."""

    queued: int
    running: int
    plan: str = "standard"


# Of who has no other plan. The table of plans has it too, and an operator may change it there.
DEFAULT_QUOTA = Quota(queued=1_000, running=16)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan as an operator sees it: what it allows, and how many accounts have it."""

    quota: Quota
    backtests: int  # how many are kept
    models: int  # how many are kept
    accounts: int


@dataclass(frozen=True, kw_only=True)
class JobCounts:
    """How many jobs of a user wait and run, and how many may."""

    queued: int
    running: int
    quota: Quota = DEFAULT_QUOTA


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to run a job until then. Another claim of it takes a higher epoch, and this one counts no more."""

    job: Job
    epoch: int
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """How many jobs may be leased beyond the room there is: of kinds so brief that none of them waits for long."""

    count: int
    kinds: frozenset[JobKind]


NOTHING_AHEAD = Ahead(count=0, kinds=frozenset())


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What a heartbeat learned: until when each lease holds now, which others hold, and which jobs are to stop."""

    until: Mapping[UUID, datetime]
    lost: frozenset[UUID]
    cancel_requested: frozenset[UUID]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended for good."""

    state: JobState
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    # It holds what a failed run printed last, `log_tail` what any other did.
    failure: JobFailure | None = None
    log_tail: str | None = field(default=None, repr=False)
    is_partial: bool = False

    @classmethod
    def completed(cls, result: Mapping[str, Any], log_tail: str | None = None) -> "Outcome":
        return cls(state=JobState.COMPLETED, result=result, log_tail=log_tail)

    @classmethod
    def failed(cls, failure: JobFailure) -> "Outcome":
        return cls(state=JobState.FAILED, failure=failure)

    @classmethod
    def cancelled(cls, partial_result: Mapping[str, Any] | None = None, log_tail: str | None = None) -> "Outcome":
        is_partial = partial_result is not None
        return cls(state=JobState.CANCELLED, result=partial_result, log_tail=log_tail, is_partial=is_partial)


@dataclass(frozen=True, kw_only=True)
class RunningNow:
    """How many jobs of a kind run."""

    kind: JobKind
    count: int


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How many jobs of a kind wait, and since when the oldest does."""

    kind: JobKind
    count: int
    oldest_queued_at: datetime


def series_in(payload: Mapping[str, Any]) -> object:
    """Where a payload says which market data it is about."""
    config = payload.get("config")
    return payload.get("series") or (config.get("series") if isinstance(config, Mapping) else None)


def about(series: object) -> str | None:
    """The series of a payload, one or several, in words: `BTC/USDT 1h, demo`; what was imported has no provider."""
    every = [one for one in (series if isinstance(series, list) else [series]) if isinstance(one, Mapping)]
    if not every:
        return None
    symbols = ", ".join(str(one.get("symbol", "")) for one in every[:3])
    more = f" and {len(every) - 3:,} more" if len(every) > 3 else ""
    provider = every[0].get("provider", IMPORT)
    source = "" if provider == IMPORT else f", {provider}"
    return f"{symbols}{more} {every[0].get('timeframe', '')}{source}"[:LONGEST_ABOUT]


def require_possible(demand: Demand, capacity: Demand) -> None:
    """Refuse what could never run here, with the numbers."""
    if not demand.fits(capacity):
        raise JobTooLarge(
            cores=demand.cores,
            memory_bytes=demand.memory_bytes,
            capacity_cores=capacity.cores,
            capacity_memory_bytes=capacity.memory_bytes,
        )
