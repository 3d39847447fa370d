"""What a model says of the newest bar, in the form that is kept: in the server, and in the child that trained it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from backend.domain.market_ports import Loaded
from backend.domain.model_errors import BarsTooOld
from backend.domain.models import NewPrediction

if TYPE_CHECKING:
    from backend.domain.ml.learned import LearnedModel
    from backend.domain.ml.predicting import Freshness


_LATE_SHARE: Final = 10


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """The model that is asked, with its card."""

    id: UUID
    card: Mapping[str, Any]
    learned: "LearnedModel"
    freshness: "Freshness"


def closed_at(loaded: Loaded) -> datetime:
    """When the last bar closed."""
    last: datetime = loaded.bars["ts"].iloc[-1].to_pydatetime()
    return last + loaded.series.timeframe.length


def bars_since(loaded: Loaded, known_until: datetime) -> int:
    """Of the bars that are here, or as many as fit into the time."""
    ts = loaded.bars["ts"]
    if known_until >= ts.iloc[0].to_pydatetime():
        return int((ts >= known_until).sum())
    length = (ts.iloc[-1] - ts.iloc[0]) / max(len(ts) - 1, 1)
    return int((ts.iloc[-1].to_pydatetime() - known_until) / length.to_pytimedelta())


def said_by(speaker: Speaker, loaded: Loaded, opens: tuple[datetime, datetime], now: datetime) -> NewPrediction:
    """Of the last of these bars. Raises BarsTooOld when what would be predicted has happened."""
    entry_at, due_at = opens
    spec, closed = speaker.learned.spec, closed_at(loaded)
    if due_at <= now:
        raise BarsTooOld(
            f"The last bar of {loaded.series} closed at {closed:%Y-%m-%d %H:%M} UTC, and {spec.horizon:,} bars after it"
            " have passed. Download newer bars first."
        )
    said = speaker.learned.predict(loaded.bars)
    is_late = is_late_at(now, entry_at, due_at, spec.horizon)
    reasons = _reasons(speaker, is_late=is_late, closed=closed)
    return NewPrediction(
        model_id=speaker.id,
        as_of=min(closed, entry_at),
        entry_at=entry_at,
        due_at=due_at,
        horizon=spec.horizon,
        probability_up=float(said.probability[-1]),
        expected_return=_known(said.expected_return[-1]),
        low=_known(said.low[-1]),
        high=_known(said.high[-1]),
        level=said.level,
        is_trusted=bool(speaker.card["verdict"]["is_trusted"]) and speaker.freshness.is_fresh and not is_late,
        reasons=reasons,
        model_age_bars=bars_since(loaded, datetime.fromisoformat(speaker.card["data"]["known_until"])),
        contributions=[{**one, "value": _known(one["value"])} for one in said.contributions],
    )


def is_late_at(now: datetime, entry_at: datetime, due_at: datetime, horizon: int) -> bool:
    """A bar or a tenth of its time after its entry, a part of the outcome is to be seen. The database says the same."""
    return now - entry_at > (due_at - entry_at) / max(horizon, _LATE_SHARE)


def document_of(prediction: NewPrediction) -> dict[str, Any]:
    """As JSON."""
    said = {**vars(prediction), "model_id": str(prediction.model_id), "contributions": list(prediction.contributions)}
    return {**said, **{name: getattr(prediction, name).isoformat() for name in ("as_of", "entry_at", "due_at")}}


def _reasons(speaker: Speaker, *, is_late: bool, closed: datetime) -> list[Mapping[str, str]]:
    reasons: list[Mapping[str, str]] = [
        {"code": str(one["code"]), "text": str(one["text"])} for one in speaker.card["verdict"]["reasons"]
    ]
    if not speaker.freshness.is_fresh:
        reasons.append({"code": "stale", "text": speaker.freshness.reason})
    if is_late:
        text = f"The last bar closed at {closed:%Y-%m-%d %H:%M} UTC, so part of what is predicted has happened."
        reasons.append({"code": "late", "text": text})
    return reasons


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
