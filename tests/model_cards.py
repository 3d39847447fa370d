"""Cards and predictions for tests, with no more in them than what is read."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from backend.domain.config import SeriesConfig
from backend.domain.market import Timeframe
from backend.domain.ml.spec import ModelSpec
from backend.domain.models import NewPrediction

SERIES = SeriesConfig(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
SPEC = ModelSpec(horizon=12)
LAST = datetime(2026, 11, 1, tzinfo=UTC)


def card_of(
    *, contest: dict[str, Any] | None = None, last: datetime = LAST, is_trusted: bool = False
) -> dict[str, Any]:
    return {
        "card": 1,
        "question": SPEC.question,
        "data": {"last": last.isoformat(), "known_until": last.isoformat(), "bars": 5000},
        "pooled": {
            "auc": {"value": 0.51, "low": 0.49, "high": 0.53},
            "ic": {"value": 0.01, "low": -0.02, "high": 0.04},
        },
        "interval": {"level": 0.9, "coverage": 0.9},
        "verdict": {
            "is_trusted": is_trusted,
            "headline": "No signal.",
            "reasons": [{"code": "no_signal", "text": "It may be chance."}],
        },
        "contest": contest,
    }


def file_of(name: str) -> dict[str, Any]:
    return {"sha256": sha256(name.encode()).hexdigest(), "bytes": 1000}


def contest_with(champion_id: UUID, *, is_won: bool, gain: float | None = 0.001) -> dict[str, Any]:
    """Without a gain there were too few bars to compare them on."""
    return {
        "champion_id": str(champion_id),
        "gain": gain,
        "is_won": is_won,
        "why": "On 500 later bars its loss was lower." if is_won else "On 500 later bars its loss was no lower.",
    }


def prediction_of(
    model_id: UUID, entry_at: datetime, *, bars: int = 12, length: timedelta = timedelta(hours=1)
) -> NewPrediction:
    return NewPrediction(
        model_id=model_id,
        as_of=entry_at,
        entry_at=entry_at,
        due_at=entry_at + bars * length,
        horizon=bars,
        probability_up=0.6,
        expected_return=0.001,
        low=-0.02,
        high=0.02,
        level=0.9,
        is_trusted=False,
        reasons=({"code": "no_signal", "text": "It may be chance."},),
        model_age_bars=4,
        contributions=({"feature": "rsi_14", "value": 61.0, "contribution": 0.1},),
    )
