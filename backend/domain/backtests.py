"""Backtests as their owner keeps them: what was asked, where it stands, what came out, and what is said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.domain.config import RunConfig
from backend.domain.jobs import Demand, JobFailure, JobKind, JobState

# Each is a task; those but the first try many runs and keep what they learned.
BACKTEST_KINDS = (JobKind.BACKTEST, JobKind.SWEEP, JobKind.OPTIMIZE, JobKind.WALK_FORWARD)
DELETED_ARE_KEPT_FOR = timedelta(days=30)
LONGEST_NAME = 120
LONGEST_NOTES = 10_000
LONGEST_TAG = 40
MOST_TAGS = 20
MOST_COMPARED = 20
# So many daily Sharpe ratios tell how those of a family spread.
MOST_T_VALUES = 1_000


class BacktestSort(StrEnum):
    """What a list can be ordered by."""

    CREATED = "created"
    NAME = "name"
    TOTAL_RETURN = "total_return"
    SHARPE_RATIO = "sharpe_ratio"
    MAX_DRAWDOWN = "max_drawdown"
    TRADES = "trades"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures that lists show; None where there is none (yet)."""

    total_return: float | None = None
    sharpe_ratio: float | None = None
    max_drawdown: float | None = None
    trades: int | None = None


@dataclass(frozen=True, kw_only=True)
class BacktestInBrief:
    """A backtest as lists have it."""

    id: UUID
    kind: JobKind
    state: JobState
    name: str
    tags: tuple[str, ...]
    is_starred: bool
    has_notes: bool
    archived_at: datetime | None
    deleted_at: datetime | None
    version: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_partial: bool
    failure: JobFailure | None
    parent_id: UUID | None
    strategy: str
    provider: str
    timeframe: str
    symbols: tuple[str, ...]
    summary: Summary


@dataclass(frozen=True, kw_only=True)
class Backtest(BacktestInBrief):
    """A backtest as a whole, but for its tables. `figures`, `manifest` and `trust` are there once it is done."""

    notes: str = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    figures: Mapping[str, Any] | None = field(repr=False)
    manifest: Mapping[str, Any] | None = field(repr=False)
    trust: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What its user tried of one strategy on one symbol: how often, and t-values of the ratios (of very many some)."""

    trials: int = 0
    t_values: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class NewBacktest:
    """What a submit adds, with the task whose id it takes."""

    id: UUID
    kind: JobKind
    config: Mapping[str, Any] = field(repr=False)
    name: str
    tags: tuple[str, ...] = ()
    parent_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class BacktestChange:
    """What is said anew; None leaves it as it is."""

    name: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] | None = None
    is_starred: bool | None = None
    is_archived: bool | None = None
    is_deleted: bool | None = None


@dataclass(frozen=True, kw_only=True)
class BacktestFilter:
    """What a list is narrowed to. Deleted ones are a list of their own."""

    search: str = ""
    kinds: Sequence[JobKind] = ()
    states: Sequence[JobState] = ()
    tags: Sequence[str] = ()  # all of them
    strategy: str | None = None
    symbol: str | None = None
    parent_id: UUID | None = None
    is_starred: bool | None = None
    is_archived: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class BacktestOrder:
    """How a list is ordered; what has no such figure comes last either way."""

    by: BacktestSort = BacktestSort.CREATED
    is_descending: bool = True


@dataclass(frozen=True, kw_only=True)
class BacktestPlace:
    """Where a page of such a list ended: the last row's value of what it is ordered by, and its id."""

    value: float | str | None
    id: UUID


@dataclass(frozen=True, kw_only=True)
class BacktestPage:
    """Some of the list, where the next page begins (None: nowhere), and how many there are on all pages."""

    items: tuple[BacktestInBrief, ...]
    next: BacktestPlace | None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A compressed piece of a table of a result."""

    first_row: int
    rows: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which part of a table is wanted: rows by number, or by time (the end is not included)."""

    first: int = 0
    count: int | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A filled-in form under a name."""

    id: UUID
    name: str
    form: Mapping[str, Any] = field(repr=False)
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run that was checked and can be queued, with what it will take."""

    config: RunConfig
    bars: int
    first: datetime
    last: datetime
    demand: Demand
    seconds: float
    work_units: float
    # How often the bars are traded: 1 but for a study.
    trials: int = 1
    # Facts of its series that the user should know before the start.
    notes: tuple[str, ...] = ()


def usual_name(config: RunConfig) -> str:
    """What a run is called until somebody says otherwise."""
    symbols = ", ".join(one.symbol for one in config.series[:3])
    more = f" and {len(config.series) - 3} more" if len(config.series) > 3 else ""
    return f"{config.strategy} on {symbols}{more}, {config.series[0].timeframe}"[:LONGEST_NAME]
