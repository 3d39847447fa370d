"""What the API of models says and takes, with examples."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.api.routers.backtest_shapes import FailureFound
from backend.domain.config import SeriesConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.jobs import JobKind, JobState
from backend.domain.market import Timeframe
from backend.domain.ml.spec import LabelKind, ModelSpec
from backend.domain.models import LONGEST_NAME, MOST_THREADS, ModelState, Origin

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class TrainingRange(BaseModel):
    """What is to be learned, and from which bars."""

    model_config = ConfigDict(extra="forbid")

    series: SeriesConfig
    start: AwareDatetime | None = Field(
        default=None, description="The first bar; left out = as far back as stored, or two years of simulated hours."
    )
    end: AwareDatetime | None = Field(default=None, description="Up to, not including; left out = to the last bar.")
    spec: ModelSpec = Field(default_factory=ModelSpec, description="As /api/models/form says; left out = default.")
    threads: int = Field(default=1, ge=1, le=MOST_THREADS, description="How many cores it trains on.")

    def require_order(self) -> None:
        if self.start is not None and self.end is not None and self.end <= self.start:
            detail = f"It is {self.end.isoformat()}, which is not after the start, {self.start.isoformat()}."
            raise InvalidInput([InputError(pointer="/end", detail=detail)])


class TrainingWanted(TrainingRange):
    """A training, and what its model shall be called."""

    name: Name | None = Field(default=None, description="Left out = after its series and question.")


class TrainingStarted(BaseModel):
    """A queued training. The id of a model is that of the task that trains it."""

    id: UUID = Field(description="Of the task, and of the model that it trains.")
    kind: JobKind
    state: JobState
    name: str
    why: str = Field(description="Why it is trained.")


class TrainingEstimate(BaseModel):
    """What a training takes, before it starts."""

    bars: int = Field(description="So many there are.")
    needed: int = Field(description="So many it needs at least.")
    is_enough: bool
    first: datetime
    last: datetime
    seconds: float = Field(description="About so long, once it runs; learned from the trainings of this installation.")
    memory_bytes: int = Field(description="Set aside for it while it runs.")
    cores: int
    notes: list[str]


class ModelForm(BaseModel):
    """The form of a training."""

    form: dict[str, Any] = Field(description="JSON Schema of `spec`, with titles, units and bounds.")
    defaults: ModelSpec


class Interval(BaseModel):
    """A figure, and between which it may as well be by chance; null where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


class ModelRow(BaseModel):
    """A model as a list shows it. Figures are null until it is trained."""

    id: UUID
    name: str
    origin: Origin
    state: ModelState = Field(description="`training` also where the task failed: `task_state` says so.")
    state_reason: str = Field(description="Why it stands there.")
    series: SeriesConfig
    question: str = Field(description="Label and horizon; models with the same one are compared.")
    horizon: int = Field(description="In bars.")
    label: LabelKind
    auc: Interval | None
    ic: Interval | None
    is_trusted: bool | None
    headline: str | None
    trained_until: datetime | None = Field(description="The last time that it knows anything of.")
    proven_at: datetime | None = Field(description="The last time for which it won a contest, or survived one.")
    champion_since: datetime | None
    retired_at: datetime | None
    deleted_at: datetime | None = Field(description="It is in no list any more; its track record stays.")
    created_at: datetime
    task_state: JobState
    failure: FailureFound | None
    size_bytes: int
    predictions: int = Field(description="How many it made.")


class ModelFound(ModelRow):
    """A model with its card."""

    spec: ModelSpec
    card: dict[str, Any] | None = Field(
        description="`data`, `features`, `folds`, `pooled`, `spread`, `baselines`, `controls`, `calibration`,"
        " `deciles`, `importance`, `interval`, `verdict`, `made`, `file`, `contest`; null until it is trained."
    )


class ModelEdit(BaseModel):
    """What to say anew."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class FeatureDrift(BaseModel):
    """How much the values of one feature have moved since the training."""

    feature: str
    psi: float


class Freshness(BaseModel):
    """Whether a model may answer without being trained anew."""

    is_fresh: bool
    reason: str
    age_bars: int = Field(description="Bars since the last one that it knows, or since its last contest.")


class DriftRead(BaseModel):
    """How far the market has moved away from what a model learned from."""

    level: str = Field(description="`none`, `some` or `strong`.")
    text: str
    psi: dict[str, float | None] = Field(description="Population stability index, by feature.")
    usual: dict[str, float | None] = Field(description="The most that a stretch of the lessons was from all of them.")
    worst: list[FeatureDrift]
    bars: int = Field(description="So many bars since the training were compared.")
    as_of: datetime | None = Field(description="The close of the last of them.")
    freshness: Freshness


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MODEL_ID = UUID("6a0f3a52-1b77-4a0e-9d8d-2f5c9c6b7e10")
TRAINING: dict[str, Any] = {
    "series": {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"},
    "start": "2024-11-20T00:00:00Z",
    "end": "2026-11-20T00:00:00Z",
    "spec": {"horizon": 12, "label": "direction", "folds": 5},
    "name": "BTC, half a day ahead",
}
SERIES = SeriesConfig(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
STARTED = TrainingStarted(
    id=MODEL_ID,
    kind=JobKind.TRAIN,
    state=JobState.QUEUED,
    name="BTC/USDT 1h, direction in 12 bars",
    why="There is no champion for direction:12 on demo BTC/USDT 1h yet.",
)
ESTIMATE = TrainingEstimate(
    bars=17_520,
    needed=2_400,
    is_enough=True,
    first=datetime(2024, 11, 20, tzinfo=UTC),
    last=datetime(2026, 11, 20, tzinfo=UTC),
    seconds=2.4,
    memory_bytes=829_000_000,
    cores=1,
    notes=["BTC/USDT is simulated."],
)
FORM = ModelForm(
    form={"type": "object", "properties": {"horizon": {"type": "integer", "default": 12}}}, defaults=ModelSpec()
)
ROW = ModelRow(
    id=MODEL_ID,
    name="BTC, half a day ahead",
    origin=Origin.PERSON,
    state=ModelState.CHAMPION,
    state_reason="The first model of this question.",
    series=SERIES,
    question="direction:12",
    horizon=12,
    label=LabelKind.DIRECTION,
    auc=Interval(value=0.512, low=0.494, high=0.531),
    ic=Interval(value=0.011, low=-0.021, high=0.043),
    is_trusted=False,
    headline="No signal: it tells up from down no better than a coin.",
    trained_until=_NOW,
    proven_at=_NOW,
    champion_since=_NOW,
    retired_at=None,
    deleted_at=None,
    created_at=_NOW,
    task_state=JobState.COMPLETED,
    failure=None,
    size_bytes=184_320,
    predictions=41,
)
FOUND = ModelFound(**ROW.model_dump(), spec=ModelSpec(), card={"card": 1, "question": "direction:12"})
EDIT = {"name": "BTC, half a day ahead"}
DRIFT = DriftRead(
    level="some",
    text="2 of 60 features have moved.",
    psi={"rsi_14": 0.27, "range_1": 0.03},
    usual={"rsi_14": 0.19, "range_1": 0.08},
    worst=[FeatureDrift(feature="rsi_14", psi=0.27)],
    bars=500,
    as_of=_NOW,
    freshness=Freshness(is_fresh=True, reason="It knows the market up to 41 bars ago.", age_bars=41),
)
