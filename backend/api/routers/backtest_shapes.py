"""What the API of backtests says and takes, with examples."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.api.moments import Moment
from backend.domain.backtests import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS
from backend.domain.config import RunConfig, SeriesConfig, TradingConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.jobs import JobKind, JobState

Tag = Annotated[str, Field(min_length=1, max_length=LONGEST_TAG)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class RunWanted(BaseModel):
    """A strategy with its parameters on some bars, and how its orders are filled."""

    model_config = ConfigDict(extra="forbid")

    strategy: str = Field(min_length=1, max_length=100, description="As /api/strategies names it.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="As its JSON Schema says; left out = default.")
    series: list[SeriesConfig] = Field(min_length=1, max_length=500, description="All on one account.")
    start: Moment | None = Field(default=None, description="The first bar; left out = as far back as stored.")
    end: Moment | None = Field(default=None, description="Up to, not including; left out = to the last bar.")
    trading: TradingConfig = TradingConfig()
    seed: int = Field(default=0, ge=0, lt=2**32, description="For what is drawn by lot, such as the bootstrap.")

    def config(self) -> RunConfig:
        if self.start is not None and self.end is not None and self.end <= self.start:
            detail = f"It is {self.end.isoformat()}, which is not after the start, {self.start.isoformat()}."
            raise InvalidInput([InputError(pointer="/end", detail=detail)])
        names = ("strategy", "parameters", "start", "end", "trading", "seed")
        return RunConfig(series=tuple(self.series), **{name: getattr(self, name) for name in names})


class BacktestWanted(RunWanted):
    """A run, and what it shall be called."""

    name: Name | None = Field(default=None, description="Left out = after its strategy and symbols.")
    tags: Tags = Field(default_factory=list)
    parent_id: UUID | None = Field(default=None, description="The backtest that it was made from.")


class BacktestStarted(BaseModel):
    """A queued run. The id of a backtest is that of its task."""

    id: UUID
    kind: JobKind
    state: JobState
    name: str


class RunEstimate(BaseModel):
    """What a run takes, before it starts."""

    bars: int
    first: datetime = Field(description="The range that it covers, with the open ends filled in.")
    last: datetime
    memory_bytes: int = Field(description="Set aside for it while it runs.")
    cores: int
    seconds: float = Field(description="About so long, once it runs; learned from the runs of this installation.")
    notes: list[str]


class FailureFound(BaseModel):
    """Why it failed."""

    code: str
    title: str
    detail: str
    remedy: str | None = None


class BacktestSummary(BaseModel):
    """The figures of a list; null where there is none (yet). Returns and drawdowns are shares: 0.12 is 12 %."""

    total_return: float | None
    sharpe_ratio: float | None
    max_drawdown: float | None
    trades: int | None


class BacktestRow(BaseModel):
    """A backtest as a list shows it."""

    id: UUID
    kind: JobKind
    state: JobState
    name: str
    tags: list[str]
    is_starred: bool
    has_notes: bool
    is_partial: bool = Field(description="It was cancelled, and kept what it had by then.")
    archived_at: datetime | None
    deleted_at: datetime | None = Field(description="It can be brought back for 30 days.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: FailureFound | None
    parent_id: UUID | None
    strategy: str
    provider: str
    timeframe: str
    symbols: list[str]
    summary: BacktestSummary


class BacktestFound(BacktestRow):
    """A backtest as a whole, but for its tables. What came out is null until it is done."""

    notes: str
    config: dict[str, Any] = Field(description="As it was asked for, with the open ends filled in.")
    figures: dict[str, Any] | None = Field(
        description="`statistics`, `missing` (why a figure is not there), `groups`, `months`, `notes`, `bars`."
    )
    manifest: dict[str, Any] | None = Field(description="By content: what the result was made from.")
    trust: dict[str, Any] | None = Field(description="`checks`, each a verdict and a sentence, and the `band`.")
    trials_now: int | None = Field(
        description=(
            "How many trials there are by now of this strategy on this symbol, this run among them. More than the"
            " checks count: luck was judged before the others were made, and an examination judges it anew. Null"
            " without `trust`."
        )
    )


class BacktestEdit(BaseModel):
    """What to say anew; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    notes: str | None = Field(default=None, max_length=LONGEST_NOTES)
    tags: Tags | None = None
    is_starred: bool | None = None
    is_archived: bool | None = None


class TagCount(BaseModel):
    """A tag and how many backtests have it."""

    tag: str
    count: int


class TagCounts(BaseModel):
    """All tags in use, the most used first."""

    items: list[TagCount]


class TableRead(BaseModel):
    """Rows of a table, by columns. Times are ISO in UTC; null is what is not there."""

    total: int = Field(description="How many rows the whole table has.")
    first: int = Field(description="The number of the first row that is here.")
    columns: dict[str, list[Any]]


class PresetWanted(BaseModel):
    """A filled-in form to keep."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    form: dict[str, Any]


class PresetFound(BaseModel):
    """A kept form."""

    id: UUID
    name: str
    form: dict[str, Any]
    updated_at: datetime


class PresetsFound(BaseModel):
    """All of one's own, by name."""

    items: list[PresetFound]


class ChartRead(BaseModel):
    """Bars of a run with the indicators that its strategy declares, by columns; `ts` in milliseconds since 1970."""

    symbol: str
    timeframe: str
    bars: dict[str, list[float]]
    indicators: list[dict[str, Any]] = Field(description="`name`, `pane`, `levels`, and `lines` by name.")
    next_start: datetime | None = Field(description="Where what did not fit begins; null when all is here.")


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BACKTEST_ID = UUID("3f6a1d52-8f0e-4a53-9a53-0c6f7f0a9d11")
WANTED: dict[str, Any] = {
    "strategy": "sma_cross",
    "parameters": {"fast": 20, "slow": 50},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "trading": {"cash": 10000, "costs": {"taker_bps": 10, "maker_bps": 10, "slippage_bps": 5}},
}
STARTED = BacktestStarted(
    id=BACKTEST_ID, kind=JobKind.BACKTEST, state=JobState.QUEUED, name="sma_cross on BTC/USDT, 1h"
)
ESTIMATE = RunEstimate(
    bars=8760,
    first=datetime(2023, 1, 1, tzinfo=UTC),
    last=datetime(2024, 1, 1, tzinfo=UTC),
    memory_bytes=406_000_000,
    cores=1,
    seconds=0.6,
    notes=["BTC/USDT is simulated."],
)
ROW = BacktestRow(
    id=BACKTEST_ID,
    kind=JobKind.BACKTEST,
    state=JobState.COMPLETED,
    name="sma_cross on BTC/USDT, 1h",
    tags=["trend"],
    is_starred=True,
    has_notes=False,
    is_partial=False,
    archived_at=None,
    deleted_at=None,
    created_at=_NOW,
    started_at=_NOW,
    finished_at=_NOW,
    failure=None,
    parent_id=None,
    strategy="sma_cross",
    provider="demo",
    timeframe="1h",
    symbols=["BTC/USDT"],
    summary=BacktestSummary(total_return=0.124, sharpe_ratio=0.81, max_drawdown=-0.213, trades=87),
)
FOUND = BacktestFound(
    **ROW.model_dump(),
    notes="",
    config=WANTED,
    figures={"statistics": {"total_return": 0.124, "sharpe": 0.81}, "missing": {}, "notes": [], "bars": 8760},
    manifest={"format": 1},
    trust={"checks": [{"code": "trades", "title": "Number of trades", "verdict": "good", "sentence": "87 trades."}]},
    trials_now=3,
)
EDIT = {"name": "Slow cross", "tags": ["trend", "keep"], "is_starred": True}
TRADES = TableRead(
    total=87,
    first=0,
    columns={"symbol": ["BTC/USDT"], "side": ["long"], "entry_time": ["2023-01-09T14:00:00Z"], "pnl": [12.5]},
)
PRESET = PresetFound(id=BACKTEST_ID, name="My costs", form=WANTED, updated_at=_NOW)
CHART = ChartRead(
    symbol="BTC/USDT",
    timeframe="1h",
    bars={"ts": [1672531200000], "open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5], "volume": [10.0]},
    indicators=[{"name": "SMA 20", "pane": "price", "levels": [], "lines": {"sma": [None]}}],
    next_start=None,
)
