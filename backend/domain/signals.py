"""What a strategy says at the close of each bar: where it wants to stand, at which prices, and why.

A signal of bar t acts at the open of bar t+1, never before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.backtest_errors import BadSignals

LONG: Final = 1
SHORT: Final = -1
FLAT: Final = 0
KEEP: Final = 2  # leave everything as it is: position, waiting order, stop and target
NO_REASON: Final = -1

Directions = npt.NDArray[np.int8]
Codes = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

PRICES: Final = ("limit", "stop", "target")
PERCENTS: Final = ("stop_percent", "target_percent", "trail_percent")
COLUMNS: Final = ("size", *PRICES, *PERCENTS, "rank")


@dataclass(frozen=True, kw_only=True, eq=False)
class Signals:
    """One row a bar. Make them with `Signals.of`, which checks them; a column that nothing uses is None.

    LONG, SHORT and FLAT say where to stand. To say it again while standing there changes nothing, except that a stop,
    target or trail that comes with it (or with KEEP) takes the place of the old one. After a stop or target was hit,
    LONG enters again and KEEP does not: say it once where one entry is meant.
    """

    direction: Directions
    size: Floats | None = None  # the share of what the sizing gives, above 0; NaN = all of it
    limit: Floats | None = None  # the worst price to enter at; NaN = at the market
    stop: Floats | None = None  # prices; NaN = none
    target: Floats | None = None
    stop_percent: Floats | None = None  # measured from the fill: 2.0 is 2 %; NaN = none
    target_percent: Floats | None = None
    trail_percent: Floats | None = None  # a stop this far from the best price since the entry
    rank: Floats | None = None  # whose entry comes first where several symbols share an account: the lowest; NaN = last
    reason: Codes | None = None  # positions in `reasons`, NO_REASON = none
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        direction: npt.ArrayLike,
        *,
        bars: int,
        reason: npt.ArrayLike | None = None,
        reasons: Sequence[str] = (),
        **columns: npt.ArrayLike | None,
    ) -> "Signals":
        """Checked signals for so many bars. Raises BadSignals, which says what is wrong, where, and how often."""
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise BadSignals(f"Signals have no column {', '.join(unknown)}. They have {', '.join(COLUMNS)}.")
        given = {name: _floats(name, values, bars) for name, values in columns.items() if values is not None}
        _check_values(given)
        sides = _directions(direction, bars)
        _check_limits(sides, given)
        codes = None if reason is None else _codes(reason, bars, len(reasons))
        return cls(direction=sides, reason=codes, reasons=tuple(reasons), **given)

    def __len__(self) -> int:
        return len(self.direction)

    @property
    def columns(self) -> Mapping[str, Floats]:
        """The optional columns that there are."""
        return {name: values for name in COLUMNS if (values := getattr(self, name)) is not None}

    def why(self, bar: int) -> str:
        """The reason in words, or nothing."""
        if self.reason is None or self.reason[bar] == NO_REASON:
            return ""
        return self.reasons[int(self.reason[bar])]

    def first(self, bars: int) -> "Signals":
        """Those of the first bars, without a copy."""
        cut = {name: values[:bars] for name, values in self.columns.items()}
        codes = None if self.reason is None else self.reason[:bars]
        return Signals(direction=self.direction[:bars], reason=codes, reasons=self.reasons, **cut)


def _directions(values: npt.ArrayLike, bars: int) -> Directions:
    given = np.asarray(values)
    _check_shape("direction", given, bars)
    if given.dtype != np.int8:
        if given.dtype.kind not in "iu":
            raise BadSignals(f"The column direction holds {given.dtype}; it needs whole numbers (int8).")
        _check_directions(given)
    sides = np.ascontiguousarray(given, np.int8)
    _check_directions(sides)
    return sides


def _check_directions(values: npt.NDArray[np.integer]) -> None:
    if len(values) and (values.min() < SHORT or values.max() > KEEP):
        bad = np.flatnonzero((values < SHORT) | (values > KEEP))
        raise BadSignals(
            f"{len(bad):,} of {len(values):,} directions are none; the first is {values[bad[0]]} at bar {bad[0]:,}."
            f" Use LONG ({LONG}), SHORT ({SHORT}), FLAT ({FLAT}) or KEEP ({KEEP})."
        )


def _floats(name: str, values: npt.ArrayLike, bars: int) -> Floats:
    given = np.asarray(values)
    if given.dtype.kind not in "fiu":
        raise BadSignals(f"The column {name} holds {given.dtype}; it needs numbers (float64).")
    _check_shape(name, given, bars)
    return np.ascontiguousarray(given, np.float64)


def _codes(values: npt.ArrayLike, bars: int, texts: int) -> Codes:
    given = np.asarray(values)
    if given.dtype.kind not in "iu":
        raise BadSignals(f"The column reason holds {given.dtype}; it needs whole numbers (int16).")
    _check_shape("reason", given, bars)
    bad = np.flatnonzero((given < NO_REASON) | (given >= min(texts, np.iinfo(np.int16).max)))
    if len(bad):
        raise BadSignals(
            f"{len(bad):,} reasons point at no text; the first is {given[bad[0]]} at bar {bad[0]:,},"
            f" and there are {texts:,} texts (0 to {texts - 1:,}, or {NO_REASON} for none)."
        )
    return np.ascontiguousarray(given, np.int16)


def _check_shape(name: str, values: npt.NDArray[np.generic], bars: int) -> None:
    if values.shape != (bars,):
        shape = f"{len(values):,} values" if values.ndim == 1 else f"the shape {values.shape}"
        raise BadSignals(f"The column {name} has {shape} for {bars:,} bars. Give one value for each bar.")


def _check_values(given: Mapping[str, Floats]) -> None:
    for name, values in given.items():
        # NaN fails every comparison, so it passes as "none".
        bad = np.flatnonzero(np.isinf(values) | ((values <= 0) & (name != "rank")))
        if len(bad):
            raise BadSignals(
                f"{len(bad):,} values of the column {name} cannot be used; the first is {values[bad[0]]} at bar"
                f" {bad[0]:,}. They must be {'' if name == 'rank' else 'above 0 and '}finite; NaN means none."
            )


def _check_limits(sides: Directions, given: Mapping[str, Floats]) -> None:
    if "limit" not in given:
        return
    bad = np.flatnonzero(np.isfinite(given["limit"]) & (sides == FLAT))
    if len(bad):
        raise BadSignals(
            f"{len(bad):,} bars say FLAT with a limit, the first is bar {bad[0]:,}. A limit is for entries;"
            " to leave at a price, give the position a target."
        )
