"""What the market data API says and takes, with examples."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from backend.api.moments import Moment
from backend.domain.jobs import JobKind, JobState
from backend.domain.market import Adjustment, Timeframe


class Provider(BaseModel):
    """Where bars can come from."""

    name: str
    title: str
    about: str
    timeframes: list[Timeframe]
    adjustments: list[Adjustment]
    is_simulated: bool = Field(description="Its market is computed, not real.")
    unavailable: str | None = Field(description="Why it cannot be used on this installation; null when it can.")


class Providers(BaseModel):
    """All providers of this installation."""

    items: list[Provider]


class InstrumentFound(BaseModel):
    """Something that is traded, as its provider describes it."""

    provider: str
    symbol: str
    name: str
    calendar: str
    currency: str
    tick: float | None
    lot: float | None
    first_bar: datetime | None
    is_simulated: bool


class Instruments(BaseModel):
    """What a search found, best matches first."""

    items: list[InstrumentFound]


class Range(BaseModel):
    """From a moment up to, not including, another."""

    start: datetime
    end: datetime


class Stored(BaseModel):
    """What is on the disk of a series."""

    rows: int
    size_bytes: int
    first: datetime | None
    last: datetime | None = Field(description="The start of the last bar.")
    covered: list[Range] = Field(description="The time that was asked for and answered, with or without bars in it.")
    content_hash: str
    source: str
    fetched_at: datetime
    instrument: InstrumentFound


class SeriesFound(BaseModel):
    """One series of the catalogue."""

    id: UUID
    provider: str
    symbol: str
    timeframe: Timeframe
    adjustment: Adjustment
    is_own: bool = Field(description="Imported by the caller, who alone sees it; else it is everybody's.")
    created_at: datetime
    stored: Stored | None = Field(description="Null when nothing is stored yet, or cannot be read.")
    problem: str | None = Field(description="Why what was stored cannot be read, and what to do; null when it can.")


class Bars(BaseModel):
    """Bars by columns, in order of time; `ts` is the start of each bar in milliseconds since 1970."""

    ts: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    content_hash: str = Field(description="Of all bars in the range that was asked for.")
    next_start: datetime | None = Field(description="Ask again from here; null when these were all.")


class Cell(BaseModel):
    """One cell of the heat map."""

    start: datetime
    expected: int
    present: int


class GapFound(BaseModel):
    """Time in which bars were due and none are there."""

    start: datetime
    end: datetime
    bars: int


class SuspectFound(BaseModel):
    """A bar that deserves a second look, or a run of them."""

    ts: datetime
    end: datetime = Field(description="Up to, not including, this moment: what a repair would fetch again.")
    kind: str
    detail: str


class Coverage(BaseModel):
    """How complete a series is, and what looks odd in it."""

    cell_length: str = Field(description="day, week, month, quarter or year")
    cells: list[Cell]
    rows: int
    expected: int
    missing: int
    gaps: list[GapFound] = Field(description="The first 500.")
    gap_count: int
    suspects: list[SuspectFound] = Field(description="The first 500.")
    suspect_count: int


class Wanted(BaseModel):
    """Which bars to fetch."""

    provider: str = Field(max_length=60)
    symbol: str = Field(max_length=41)
    timeframe: Timeframe
    adjustment: Adjustment = Adjustment.RAW
    start: Moment
    end: Moment | None = Field(default=None, description="Now, when left out.")


class EstimateMade(BaseModel):
    """What a fetch would bring."""

    missing: list[Range] = Field(description="What is not stored yet.")
    bars: int
    requests: int = Field(description="About how often the provider is asked; 0 where it computes its bars.")
    size_bytes: int
    seconds: float


class RepairWanted(BaseModel):
    """Which gaps to fetch again."""

    series_id: UUID
    gaps: list[Range] = Field(default_factory=list, max_length=1000, description="All, when left out.")


class Started(BaseModel):
    """The task that works on it."""

    task_id: UUID
    series_id: UUID
    kind: JobKind
    state: JobState


SERIES_ID = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
_THEN, _NOW = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
INSTRUMENT = InstrumentFound(
    provider="demo",
    symbol="BTC/USDT",
    name="Bitcoin, simulated",
    calendar="24/7",
    currency="USDT",
    tick=0.01,
    lot=0.00001,
    first_bar=datetime(2015, 1, 1, tzinfo=UTC),
    is_simulated=True,
)
PROVIDER = Provider(
    name="demo",
    title="Simulated market",
    about="Computed bars that are the same on every machine.",
    timeframes=[Timeframe.M1, Timeframe.H1, Timeframe.D1],
    adjustments=[Adjustment.RAW],
    is_simulated=True,
    unavailable=None,
)
FOUND = SeriesFound(
    id=SERIES_ID,
    provider="demo",
    symbol="BTC/USDT",
    timeframe=Timeframe.H1,
    adjustment=Adjustment.RAW,
    is_own=False,
    created_at=_NOW,
    stored=Stored(
        rows=8760,
        size_bytes=105_120,
        first=_THEN,
        last=_NOW,
        covered=[Range(start=_THEN, end=_NOW)],
        content_hash="9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e",
        source="demo",
        fetched_at=_NOW,
        instrument=INSTRUMENT,
    ),
    problem=None,
)
BARS = Bars(
    ts=[1735689600000],
    open=[93500.0],
    high=[93710.5],
    low=[93420.0],
    close=[93650.25],
    volume=[12.5],
    content_hash="9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e",
    next_start=None,
)
COVERAGE = Coverage(
    cell_length="month",
    cells=[Cell(start=_THEN, expected=744, present=740)],
    rows=8756,
    expected=8760,
    missing=4,
    gaps=[GapFound(start=_THEN, end=_NOW, bars=4)],
    gap_count=1,
    suspects=[SuspectFound(ts=_THEN, end=_NOW, kind="zero_volume", detail="40 bars in a row have no volume.")],
    suspect_count=1,
)
ESTIMATE = EstimateMade(missing=[Range(start=_THEN, end=_NOW)], bars=8760, requests=0, size_bytes=105_120, seconds=0.2)
STARTED = Started(task_id=SERIES_ID, series_id=SERIES_ID, kind=JobKind.FETCH, state=JobState.QUEUED)
WANTED = {
    "provider": "demo",
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "start": "2025-01-01T00:00:00Z",
    "end": "2026-01-01T00:00:00Z",
}
REPAIR = {"series_id": str(SERIES_ID)}
