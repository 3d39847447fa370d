"""How a model's predictions came out: figures over those that were made in time, and what they are worth in words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.models import Prediction

Floats = npt.NDArray[np.float64]

# Fewer cannot tell skill from luck, whatever they show.
FEWEST_TO_JUDGE: Final = 100
_FEWEST_FOR_IC: Final = 30
_NOTHING: Final = {"value": None, "low": None, "high": None}


def waits_for(prediction: Prediction, now: datetime) -> str | None:
    """Why there is no outcome (yet)."""
    if prediction.outcome is not None:
        return None
    due = f"{prediction.due_at:%Y-%m-%d %H:%M} UTC"
    if prediction.due_at > now:
        return f"It is measured at {due}."
    series = prediction.series
    return (
        f"Its time came at {due}, but the bars of {series.provider} {series.symbol} {series.timeframe} up to then are"
        " not stored yet. Download them; it is measured within a minute then."
    )


def track_record(made: Sequence[Prediction], now: datetime) -> dict[str, Any]:
    """The newest first. What was made too late counts in nothing but its own number."""
    counted = [one for one in made if not one.is_late]
    scored = [one for one in reversed(counted) if one.outcome is not None]
    unscored = [one for one in counted if one.outcome is None]
    figures = _figures(scored) if scored else dict.fromkeys(_FIGURES)
    record = {
        "predictions": len(made),
        "scored": len(scored),
        "open": sum(one.due_at > now for one in unscored),
        "waiting": sum(one.due_at <= now for one in unscored),
        "late": len(made) - len(counted),
        **figures,
        "ic": _ic(scored),
    }
    return {**record, "text": _words(record)}


_FIGURES: Final = (
    "hit_rate",
    "base_rate",
    "log_loss",
    "brier",
    "interval_coverage",
    "mean_expected",
    "mean_realised",
)


def _figures(scored: Sequence[Prediction]) -> dict[str, float | None]:
    outcomes = [one.outcome for one in scored if one.outcome is not None]
    probability = np.array([one.probability_up for one in scored])
    up = np.array([one.went_up for one in outcomes], dtype=np.float64)
    expected = [one.expected_return for one in scored if one.expected_return is not None]
    inside = [one.is_inside for one in outcomes if one.is_inside is not None]
    return {
        "hit_rate": float(np.mean((probability > 0.5) == (up > 0.5))),
        "base_rate": float(up.mean()),
        "log_loss": float(np.mean([one.log_loss for one in outcomes])),
        "brier": float(np.mean((probability - up) ** 2)),
        "interval_coverage": float(np.mean(inside)) if inside else None,
        "mean_expected": float(np.mean(expected)) if expected else None,
        "mean_realised": float(np.mean([one.realised_return for one in outcomes])),
    }


def _ic(scored: Sequence[Prediction]) -> dict[str, float | None]:
    """Correlation of the probability with the return, with a 90 % interval by blocks that overlapping horizons fill."""
    if len(scored) < _FEWEST_FOR_IC:
        return dict(_NOTHING)
    probability = np.array([one.probability_up for one in scored])
    realised = np.array([one.outcome.realised_return for one in scored if one.outcome is not None])
    value = _correlation(probability[None], realised[None])[0]
    if not np.isfinite(value):
        return dict(_NOTHING)
    drawn = _drawn(len(scored), _overlapping(scored))
    values = _correlation(probability[drawn], realised[drawn])
    values = values[np.isfinite(values)]
    if len(values) < _DRAWS // 2:
        return {**_NOTHING, "value": float(value)}
    low, high = np.quantile(values, [0.05, 0.95])
    return {"value": float(value), "low": float(low), "high": float(high)}


_DRAWS: Final = 400


def _overlapping(scored: Sequence[Prediction]) -> int:
    """How many predictions in a row share bars with one of them, at most."""
    due = np.array([one.due_at.timestamp() for one in scored])
    entry = np.array([one.entry_at.timestamp() for one in scored])
    return int((np.searchsorted(entry, due, side="left") - np.arange(len(scored))).max())


def _drawn(count: int, overlapping: int) -> npt.NDArray[np.int64]:
    """Rows of histories made of blocks, each a few times as long as what overlaps."""
    length = min(max(4 * overlapping, round(count ** (1 / 3))), max(count // 8, 1))
    chance = np.random.default_rng(7)
    starts = chance.integers(0, count, size=(_DRAWS, -(-count // length)))
    rows = (starts[:, :, None] + np.arange(length)) % count
    return rows.reshape(_DRAWS, -1)[:, :count]


def _correlation(one: Floats, other: Floats) -> Floats:
    """Row by row; NaN where one of them never changes."""
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return found


def _words(record: dict[str, Any]) -> str:
    scored = record["scored"]
    if not scored:
        said = "It has predicted nothing yet." if not record["predictions"] else None
        return said or "None of its predictions has been measured yet."
    if scored < FEWEST_TO_JUDGE:
        return f"{scored:,} measured prediction{'s' if scored > 1 else ''} cannot tell skill from luck."
    low, high = record["ic"]["low"], record["ic"]["high"]
    if low is None or high is None:
        return f"{scored:,} predictions were measured, and it always said the same."
    beginning = f"Over {scored:,} measured predictions what it said"
    if low > 0:
        return f"{beginning} went with what came."
    return f"{beginning} {'went against' if high < 0 else 'had nothing to do with'} what came. Do not follow it."
