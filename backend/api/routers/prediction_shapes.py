"""What the API of predictions says and takes, with examples."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.api.routers.model_shapes import MODEL_ID, SERIES, Interval
from backend.domain.config import SeriesConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.ml.spec import ModelSpec


class PredictionWanted(BaseModel):
    """A question about a series, or a model that is to answer its own."""

    model_config = ConfigDict(extra="forbid")

    series: SeriesConfig | None = Field(default=None, description="Needed unless a model is named.")
    horizon: int | None = Field(default=None, ge=1, le=2_000, description="In bars; or `spec`. Neither = 12 bars.")
    spec: ModelSpec | None = Field(default=None, description="The question in full, and what to train it with.")
    model_id: UUID | None = Field(default=None, description="This model answers, whatever there is besides.")

    def require_one_question(self) -> None:
        given = [name for name in ("series", "horizon", "spec") if getattr(self, name) is not None]
        if self.model_id is not None and given:
            detail = f"The model has its own: leave out {', '.join(given)}, or the model."
            raise InvalidInput([InputError(pointer=f"/{given[0]}", detail=detail)])
        if self.model_id is None and self.series is None:
            raise InvalidInput([InputError(pointer="/series", detail="Name a series, or the model that is to answer.")])
        if self.horizon is not None and self.spec is not None:
            detail = f"The spec has a horizon of its own, {self.spec.horizon} bars. Leave one of them out."
            raise InvalidInput([InputError(pointer="/horizon", detail=detail)])


class Reason(BaseModel):
    """Why a prediction, or a model, is to be trusted or not."""

    code: str
    text: str


class Contribution(BaseModel):
    """What one feature adds to the log odds of up."""

    feature: str
    value: float | None
    contribution: float


class OutcomeRead(BaseModel):
    """What came of a prediction."""

    realised_return: float
    went_up: bool
    log_loss: float
    is_inside: bool | None = Field(description="Whether the return lay within the interval.")
    scored_at: datetime


class PredictionRead(BaseModel):
    """What a model said before the outcome. Nobody can change it, its owner neither."""

    id: UUID
    model_id: UUID
    model_name: str
    series: SeriesConfig
    as_of: datetime = Field(description="The close of the last bar that it looked at.")
    entry_at: datetime = Field(description="The open at which it would be entered.")
    due_at: datetime = Field(description="The open at which it is measured.")
    made_at: datetime = Field(description="By the clock of the database.")
    is_late: bool = Field(
        description="It was made more than a bar or a tenth of its time after its entry: it counts in no track record."
    )
    horizon: int
    probability_up: float
    expected_return: float | None
    low: float | None = Field(description="Of the interval for the return.")
    high: float | None
    level: float = Field(description="How often the return should lie within it.")
    is_trusted: bool
    reasons: list[Reason]
    model_age_bars: int
    contributions: list[Contribution] = Field(description="The strongest first.")
    outcome: OutcomeRead | None
    waiting: str | None = Field(description="Why there is no outcome (yet).")


class TrackRecordRead(BaseModel):
    """How a model's predictions came out, of the latest 5,000 that were made in time."""

    predictions: int
    scored: int
    open: int = Field(description="Their time has not come.")
    waiting: int = Field(description="Their time has come, and the bars are not there.")
    late: int = Field(description="Made too late to count.")
    hit_rate: float | None
    base_rate: float | None = Field(description="How often it went up.")
    log_loss: float | None
    brier: float | None
    ic: Interval
    interval_coverage: float | None
    mean_expected: float | None
    mean_realised: float | None
    text: str
    items: list[PredictionRead] = Field(description="The newest first, at most 200.")


_CLOSE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PREDICTION_ID = UUID("b7b9f7c2-55a1-4ac8-9a0a-94a3f8f4a001")
ASKED: dict[str, Any] = {"series": {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}, "horizon": 12}
PREDICTION = PredictionRead(
    id=PREDICTION_ID,
    model_id=MODEL_ID,
    model_name="BTC, half a day ahead",
    series=SERIES,
    as_of=_CLOSE,
    entry_at=_CLOSE,
    due_at=_CLOSE + timedelta(hours=12),
    made_at=_CLOSE + timedelta(minutes=3),
    is_late=False,
    horizon=12,
    probability_up=0.531,
    expected_return=0.0007,
    low=-0.021,
    high=0.024,
    level=0.9,
    is_trusted=False,
    reasons=[Reason(code="no_signal", text="The interval of its AUC holds 0.5: it may be chance.")],
    model_age_bars=41,
    contributions=[Contribution(feature="rsi_14", value=61.2, contribution=0.08)],
    outcome=None,
    waiting="It is measured at 2026-11-20 21:00 UTC.",
)
SCORED = PREDICTION.model_copy(
    update={
        "outcome": OutcomeRead(
            realised_return=0.004,
            went_up=True,
            log_loss=0.633,
            is_inside=True,
            scored_at=_CLOSE + timedelta(hours=12, minutes=1),
        ),
        "waiting": None,
    }
)
TRACK_RECORD = TrackRecordRead(
    predictions=41,
    scored=30,
    open=11,
    waiting=0,
    late=0,
    hit_rate=0.53,
    base_rate=0.5,
    log_loss=0.691,
    brier=0.249,
    ic=Interval(value=0.03, low=-0.2, high=0.26),
    interval_coverage=0.9,
    mean_expected=0.0004,
    mean_realised=0.0001,
    text="30 predictions are too few to tell skill from luck.",
    items=[SCORED],
)
