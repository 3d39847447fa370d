"""What came of predictions whose time has come, measured as their labels are in training. No transaction is open."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.bars import start_microseconds
from backend.domain.market_errors import MarketDataError
from backend.domain.market_ports import Loaded
from backend.domain.ml.spec import ModelSpec
from backend.domain.models import DuePrediction, NewOutcome
from backend.services.bars_at_hand import series_of
from backend.services.latest_bars import LatestBars

# The triple barrier measures its distance by the volatility of the bars before; sessions and holidays stretch them.
_BARS_BEFORE: Final = 64
_STRETCH: Final = 8
_SMALLEST: Final = 1e-15


def measured(due: Sequence[DuePrediction], bars: LatestBars) -> list[NewOutcome]:
    """Of one series and owner. Those whose bars are not there are left for later."""
    first = due[0]
    series = series_of(first.series, first.user_id)
    start = min(one.as_of for one in due) - series.timeframe.length * _BARS_BEFORE * _STRETCH
    try:
        loaded = bars.since(series, start)
    except MarketDataError:
        return []
    by_spec: dict[ModelSpec, list[DuePrediction]] = {}
    for one in due:
        by_spec.setdefault(one.spec, []).append(one)
    return [outcome for spec, asked in by_spec.items() for outcome in _measured(asked, spec, loaded)]


def _measured(due: Sequence[DuePrediction], spec: ModelSpec, loaded: Loaded) -> list[NewOutcome]:
    from backend.domain.ml.labels import label  # noqa: PLC0415 - it compiles; loaded by who measures

    found = label(loaded.bars, spec)
    starts = start_microseconds(loaded.bars)
    outcomes = []
    for one in due:
        row = _row_of(one, starts)
        if row >= 0 and found.labels[row] >= 0:
            outcomes.append(_outcome(one, went_up=bool(found.labels[row]), realised=float(found.forward[row])))
    return outcomes


def _row_of(one: DuePrediction, starts: npt.NDArray[np.int64]) -> int:
    """The bar that it was made of: the last one before its entry."""
    return int(np.searchsorted(starts, int(one.entry_at.timestamp() * 1_000_000), side="left")) - 1


def _outcome(one: DuePrediction, *, went_up: bool, realised: float) -> NewOutcome:
    said = one.probability_up if went_up else 1 - one.probability_up
    is_inside = None if one.low is None or one.high is None else one.low <= realised <= one.high
    return NewOutcome(
        user_id=one.user_id,
        prediction_id=one.id,
        realised_return=realised,
        went_up=went_up,
        log_loss=-math.log(max(said, _SMALLEST)),
        is_inside=is_inside,
    )
