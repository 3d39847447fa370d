"""Models as their owner keeps them, what they predicted, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from backend.domain.config import SeriesConfig
from backend.domain.jobs import Demand, JobFailure, JobState
from backend.domain.ml.spec import LabelKind, ModelSpec

LONGEST_NAME: Final = 120
# A deleted model that predicted nothing goes for good after this; one that did is kept, so that its record is whole.
DELETED_ARE_KEPT_FOR: Final = timedelta(days=30)
MOST_THREADS: Final = 64
# What a track record is judged by: the latest so many.
MOST_JUDGED: Final = 5_000
MOST_SHOWN: Final = 200


class ModelState(StrEnum):
    """Where a model stands."""

    TRAINING = "training"
    CANDIDATE = "candidate"  # trained, and not the one that answers
    CHAMPION = "champion"  # answers the question about the series
    RETIRED = "retired"  # beaten, replaced or deleted


class Origin(StrEnum):
    """Who wanted the model."""

    PERSON = "person"
    PREDICTION = "prediction"  # somebody asked for a prediction, and there was no fresh champion


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of which series. A question has one champion at most."""

    series: SeriesConfig
    text: str

    @classmethod
    def of(cls, series: SeriesConfig, spec: ModelSpec) -> "Question":
        return cls(series=series, text=spec.question)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the card says in short; None until it is trained."""

    auc: Mapping[str, Any] | None = None
    ic: Mapping[str, Any] | None = None
    is_trusted: bool | None = None
    headline: str | None = None
    reasons: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelInBrief:
    """A model as lists have it."""

    id: UUID
    name: str
    origin: Origin
    state: ModelState
    state_reason: str
    series: SeriesConfig
    question: str
    horizon: int
    label: LabelKind
    verdict: Verdict
    trained_until: datetime | None
    proven_at: datetime | None
    challenged_at: datetime | None
    champion_since: datetime | None
    retired_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime
    version: int
    task_state: JobState
    failure: JobFailure | None
    size_bytes: int
    predictions: int
    file_sha256: str | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Model(ModelInBrief):
    """A model as a whole. The card is there once it is trained."""

    spec: ModelSpec
    card: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NewModel:
    """What a training adds, with the task whose id it takes."""

    id: UUID
    name: str
    origin: Origin
    series: SeriesConfig
    spec: ModelSpec


@dataclass(frozen=True, kw_only=True)
class ModelFilter:
    """What a list is narrowed to. Deleted ones are in no list."""

    states: Sequence[ModelState] = ()
    provider: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    question: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """What decides whether a model may answer at once: itself, and what its latest predictions came to.

    Of its card there are `data` and `verdict`, and no more.
    """

    model: Model
    expected: tuple[float, ...] = field(default=(), repr=False)  # probability of up, the oldest first
    realised: tuple[float, ...] = field(default=(), repr=False)  # the return that came


@dataclass(frozen=True, kw_only=True)
class NewPrediction:
    """What is written before its time comes. When it was made the database says."""

    model_id: UUID
    as_of: datetime  # the close of the bar that it looked at last
    entry_at: datetime
    due_at: datetime
    horizon: int
    probability_up: float
    expected_return: float | None
    low: float | None
    high: float | None
    level: float
    is_trusted: bool
    reasons: Sequence[Mapping[str, str]]
    model_age_bars: int
    contributions: Sequence[Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PredictionOutcome:
    """What came of a prediction, measured when its time had come."""

    realised_return: float
    went_up: bool
    log_loss: float
    is_inside: bool | None
    scored_at: datetime


@dataclass(frozen=True, kw_only=True)
class PredictionWait:
    """A prediction whose time has come, and that was looked at in vain."""

    looks: int
    looked_at: datetime
    next_look_at: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Prediction(NewPrediction):
    """A prediction as it is kept: nobody can change it."""

    id: UUID
    model_name: str
    series: SeriesConfig
    made_at: datetime
    is_late: bool
    outcome: PredictionOutcome | None
    wait: PredictionWait | None = None


@dataclass(frozen=True, kw_only=True)
class DuePrediction:
    """One whose time has come, for whoever scores it."""

    id: UUID
    user_id: UUID
    series: SeriesConfig
    spec: ModelSpec
    as_of: datetime
    entry_at: datetime
    due_at: datetime
    probability_up: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class NewOutcome:
    """What a prediction came to."""

    user_id: UUID
    prediction_id: UUID
    realised_return: float
    went_up: bool
    log_loss: float
    is_inside: bool | None


@dataclass(frozen=True, kw_only=True)
class NewWait:
    """What could not be measured, and why."""

    user_id: UUID
    prediction_id: UUID
    why: str


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A training that was checked, with what it will take."""

    series: SeriesConfig
    spec: ModelSpec
    first: datetime
    last: datetime
    bars: int
    needed: int
    demand: Demand
    seconds: float
    work_units: float
    notes: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        return self.bars >= self.needed


def usual_name(series: SeriesConfig, spec: ModelSpec) -> str:
    """What a model is called until somebody says otherwise."""
    asked = "direction" if spec.label is LabelKind.DIRECTION else "barrier"
    return f"{series.symbol} {series.timeframe}, {asked} in {spec.horizon} bars"[:LONGEST_NAME]
