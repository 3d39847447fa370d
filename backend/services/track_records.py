"""How a model's predictions came out: figures over those that were made in time, and what they are worth in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from backend.domain.models import Prediction

# Fewer cannot tell skill from luck, whatever they show.
FEWEST_TO_JUDGE: Final = 100
_FEWEST_FOR_IC: Final = 30
# Bars that are only late are there by then.
_LOOKS_IN_VAIN: Final = 3
_NOTHING: Final[Mapping[str, float | None]] = MappingProxyType({"value": None, "low": None, "high": None})
_SEED: Final = 7


def waits_for(prediction: Prediction, now: datetime) -> str | None:
    """Why there is no outcome (yet)."""
    if prediction.outcome is not None:
        return None
    due = f"{prediction.due_at:%Y-%m-%d %H:%M} UTC"
    if prediction.due_at > now:
        return f"It is measured at {due}."
    series, wait = prediction.series, prediction.wait
    if wait is not None and wait.looks >= _LOOKS_IN_VAIN:
        return (
            f"Its time came at {due}, and it cannot be measured: {wait.why} It was looked for {wait.looks:,} times, and"
            f" is again at {wait.next_look_at:%Y-%m-%d %H:%M} UTC, or within a minute of a download."
        )
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
        "ic": dict(_ic(scored)),
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


def _ic(scored: Sequence[Prediction]) -> Mapping[str, float | None]:
    """Of the probability with the return, judged as in training: by blocks that overlapping horizons fill."""
    from backend.domain.ml.bootstrap import Blocks  # noqa: PLC0415 - it compiles; loaded by who judges
    from backend.domain.ml.metrics import metrics  # noqa: PLC0415

    if len(scored) < _FEWEST_FOR_IC:
        return _NOTHING
    probability = np.array([one.probability_up for one in scored])
    outcomes = [one.outcome for one in scored if one.outcome is not None]
    ups = np.array([one.went_up for one in outcomes])
    realised = np.array([one.realised_return for one in outcomes])
    found: Mapping[str, float | None] = metrics(
        probability, ups, realised, Blocks.of(len(scored), _overlapping(scored) - 1, seed=_SEED)
    )["ic"]
    return found


def _overlapping(scored: Sequence[Prediction]) -> int:
    """How many predictions in a row share bars with one of them, at most."""
    due = np.array([one.due_at.timestamp() for one in scored])
    entry = np.array([one.entry_at.timestamp() for one in scored])
    return int((np.searchsorted(entry, due, side="left") - np.arange(len(scored))).max())


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
