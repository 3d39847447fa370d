"""What came of predictions whose time has come, measured as their labels are in training. No transaction is open."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.bars import start_microseconds
from backend.domain.market import Span
from backend.domain.market_errors import MarketDataError
from backend.domain.market_ports import Loaded
from backend.domain.ml.spec import LabelKind, ModelSpec
from backend.domain.models import DuePrediction, NewOutcome, NewWait
from backend.services.bars_at_hand import series_of
from backend.services.latest_bars import LatestBars

# The triple barrier measures its distance by the volatility of the bars before.
_BARS_BEFORE: Final = 64
_SMALLEST: Final = 1e-15
# Of prices that nobody meant, such as those of a broken file; what is due must come to an end all the same.
_LARGEST_RETURN: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of predictions, and why nothing could be said of the others."""

    outcomes: Sequence[NewOutcome]
    waits: Sequence[NewWait]


def measured(due: Sequence[DuePrediction], bars: LatestBars) -> Measured:
    """Of one series and owner."""
    first = due[0]
    series = series_of(first.series, first.user_id)
    try:
        loaded = bars.since(series, min(one.as_of for one in due), before=_BARS_BEFORE)
        holes = bars.holes(loaded)
    except MarketDataError as problem:
        return Measured(outcomes=[], waits=[_waits(one, problem.detail) for one in due])
    by_spec: dict[ModelSpec, list[DuePrediction]] = {}
    for one in due:
        by_spec.setdefault(one.spec, []).append(one)
    found = [one for spec, asked in by_spec.items() for one in _measured(asked, spec, loaded, holes)]
    return Measured(
        outcomes=[one for one in found if isinstance(one, NewOutcome)],
        waits=[one for one in found if isinstance(one, NewWait)],
    )


def _measured(
    due: Sequence[DuePrediction], spec: ModelSpec, loaded: Loaded, holes: Sequence[Span]
) -> list[NewOutcome | NewWait]:
    from backend.domain.ml.labels import label  # noqa: PLC0415 - it compiles; loaded by who measures

    found = label(loaded.bars, spec)
    starts = start_microseconds(loaded.bars)
    came: list[NewOutcome | NewWait] = []
    lookback = _BARS_BEFORE if spec.label is LabelKind.TRIPLE_BARRIER else 0
    for one in due:
        row = _row_of(one, starts)
        if row < 0:
            came.append(_waits(one, f"The bars of {loaded.series} that it was made of are not stored any more."))
        elif found.labels[row] < 0:
            came.append(_waits(one, f"The bars of {loaded.series} up to then are not stored yet."))
        elif _is_torn(starts[max(row - lookback, 0)], starts[row + 1 + spec.horizon], holes):
            came.append(_waits(one, f"Some bars of {loaded.series} between its entry and then were never downloaded."))
        else:
            came.append(_outcome(one, went_up=bool(found.labels[row]), realised=float(found.forward[row])))
    return came


def _waits(one: DuePrediction, why: str) -> NewWait:
    return NewWait(user_id=one.user_id, prediction_id=one.id, why=why)


def _row_of(one: DuePrediction, starts: npt.NDArray[np.int64]) -> int:
    """The bar that it was made of: the last one before its entry."""
    return int(np.searchsorted(starts, _micros(one.entry_at), side="left")) - 1


def _is_torn(first: np.int64, last: np.int64, holes: Sequence[Span]) -> bool:
    """Whether bars between these two were never downloaded: the rows would not be those that were meant."""
    return any(_micros(hole.start) < last and _micros(hole.end) > first for hole in holes)


def _micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _outcome(one: DuePrediction, *, went_up: bool, realised: float) -> NewOutcome:
    said = one.probability_up if went_up else 1 - one.probability_up
    realised = min(max(realised, -1.0), _LARGEST_RETURN)
    is_inside = None if one.low is None or one.high is None else one.low <= realised <= one.high
    return NewOutcome(
        user_id=one.user_id,
        prediction_id=one.id,
        realised_return=realised,
        went_up=went_up,
        log_loss=-math.log(max(said, _SMALLEST)),
        is_inside=is_inside,
    )
