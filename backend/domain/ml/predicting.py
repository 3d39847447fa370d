"""What a model says of a bar, and whether it is fresh enough to be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np
import pandas as pd

from backend.domain.format import ratio
from backend.domain.ml.forecaster import Floats

if TYPE_CHECKING:
    from backend.domain.ml.learned import LearnedModel

# It may answer for so long after its lessons, or after it last held against a challenger.
FRESH_BARS: Final = 500
FRESH_HORIZONS: Final = 20
# So many outcomes say whether what it says still goes along with what comes.
FEWEST_OUTCOMES: Final = 100
_SURE: Final = 1.64


class Contribution(TypedDict):
    """What one feature of the bar adds to the log odds."""

    feature: str
    value: float
    contribution: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """One value a bar, as of its close."""

    probability: Floats  # of up
    expected_return: Floats
    low: Floats
    high: Floats
    level: float  # how often the return lies between the two
    contributions: tuple[Contribution, ...]  # the largest, of the last bar


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """Whether a model may answer without being trained again, and why not."""

    is_fresh: bool
    reason: str
    age_bars: int  # since its lessons ended, or since it last held against a challenger
    drift: str  # none, some or strong


def fresh(
    card: Mapping[str, Any],
    model: "LearnedModel",
    bars: pd.DataFrame,
    now: datetime,
    *,
    proven_at: datetime | None = None,
    expected: Sequence[float] = (),
    realised: Sequence[float] = (),
) -> Freshness:
    """`bars` are the newest, `proven_at` is the close of the last bar on which it held against a challenger, `expected`
    and `realised` are its latest predictions with what came of them."""
    since = datetime.fromisoformat(card["data"]["known_until"])
    since = max(since, proven_at) if proven_at else since
    age, drift = _age(bars, since, now), model.drift(bars)
    allowed = max(FRESH_BARS, FRESH_HORIZONS * model.spec.horizon)
    reason = ""
    if age > allowed:
        reason = f"Its lessons ended {age:,} bars ago; it may answer for {allowed:,}."
    elif drift["level"] == "strong":
        reason = f"The market has changed: {drift['text']}"
    elif decay := _decay(expected, realised, model.spec.horizon):
        reason = decay
    return Freshness(is_fresh=not reason, reason=reason, age_bars=age, drift=drift["level"])


def _age(bars: pd.DataFrame, since: datetime, now: datetime) -> int:
    """In bars that are here, and in time by their usual distance for what is not."""
    ts = bars["ts"]
    if not len(ts):
        return 0
    length = ts.diff().median() if len(ts) > 1 else pd.Timedelta(0)
    held = int((ts >= since).sum())
    if not length:
        return held
    before = max(pd.Timedelta(0), ts.iloc[0] - since) // length
    after = max(pd.Timedelta(0), now - (ts.iloc[-1] + length)) // length
    return int(before + held + after)


def _decay(expected: Sequence[float], realised: Sequence[float], horizon: int) -> str:
    """Empty unless what it said of late surely went against what came."""
    if len(expected) < FEWEST_OUTCOMES:
        return ""
    said, came = np.asarray(expected, np.float64), np.asarray(realised, np.float64)
    if not (said.std() > 0 and came.std() > 0):
        return ""
    seen = float(np.corrcoef(said, came)[0, 1])
    # Outcomes overlap: only those that are a horizon apart count.
    if seen > -_SURE * np.sqrt((horizon + 1) / len(said)):
        return ""
    return f"What it said went against what came: over {len(said):,} predictions the correlation is {ratio(seen)}."
