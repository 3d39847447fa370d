"""Whether today's bars still look like those that a model learned from: the population stability index of features.

Slow features move far within any few hundred bars. So each is held against how far windows of the lessons themselves
were from all of them, besides the usual bound of 0.25.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backend.domain.ml.bootstrap import plain
from backend.domain.ml.forecaster import Floats, Matrix

# So many of the newest rows are compared, and no fewer than the second.
DRIFT_ROWS: Final = 400
FEWEST_DRIFT_ROWS: Final = 100
DRIFTED: Final = 0.25
STRONG_SHARE, SOME_SHARE = 0.10, 0.05

_PARTS: Final = 10
_WINDOWS: Final = 30
_MOST_ROWS: Final = 10_000
_WORST: Final = 5
# A part that is empty would be infinitely far from one that is not.
_SMALLEST_SHARE: Final = 1e-3


def psi(expected: Floats, actual: Floats) -> float:
    """Of the shares of the parts, then and now. Below 0.1 hardly anything changed, above 0.25 a lot."""
    return float(_psis(expected, actual))


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """How each feature was spread in the lessons: the ends of its tenths, and the share of rows in each."""

    names: tuple[str, ...]
    edges: Floats  # (features, 9)
    shares: Floats  # (features, 10)
    usual: Floats  # how far the farthest of 30 windows of the lessons was from all
    # Slow features move together: the largest share of them by which one window was farther than all the others.
    usual_share: float

    @classmethod
    def fit(cls, rows: Matrix, names: Sequence[str]) -> "Reference":
        """On the rows of the last training, which have all features."""
        spread = rows[:: -(-len(rows) // _MOST_ROWS)]
        edges = np.quantile(spread, np.arange(1, _PARTS) / _PARTS, axis=0).T.astype(np.float64)
        shares = _shares(spread, edges)
        size = min(DRIFT_ROWS, len(rows))
        firsts = np.unique(np.linspace(0, len(rows) - size, _WINDOWS).astype(np.int64))
        seen = np.array([_psis(shares, _shares(rows[first : first + size], edges)) for first in firsts])
        return cls(names=tuple(names), edges=edges, shares=shares, usual=seen.max(axis=0), usual_share=_lonely(seen))

    def drift(self, rows: Matrix) -> dict[str, Any]:
        """Of the newest rows: `psi` by feature, the `usual` one of the lessons, `worst` names, `level` and `text`."""
        newest = rows[-DRIFT_ROWS:]
        if len(newest) < FEWEST_DRIFT_ROWS:
            words = f"Drift needs at least {FEWEST_DRIFT_ROWS} bars with all features; there are {len(newest)}."
            return {"psi": {}, "usual": {}, "worst": [], "level": "none", "text": words}
        found = _psis(self.shares, _shares(newest, self.edges))
        has_drifted = found > np.maximum(DRIFTED, self.usual)
        worst = [self.names[place] for place in np.argsort(-found, kind="stable") if has_drifted[place]][:_WORST]
        level = _level(float(has_drifted.mean()), self.usual_share)
        return {
            "psi": {name: plain(float(value)) for name, value in zip(self.names, found, strict=True)},
            "usual": {name: plain(float(value)) for name, value in zip(self.names, self.usual, strict=True)},
            "worst": worst,
            "level": level,
            "text": _text(level, int(has_drifted.sum()), len(found), len(newest), worst),
        }

    def document(self) -> dict[str, Any]:
        columns = {"edges": self.edges, "shares": self.shares, "usual": self.usual}
        plainly = {name: values.tolist() for name, values in columns.items()}
        return {"names": list(self.names), **plainly, "usual_share": self.usual_share}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Reference":
        columns = {name: np.asarray(document[name], np.float64) for name in ("edges", "shares", "usual")}
        return cls(names=tuple(document["names"]), usual_share=float(document["usual_share"]), **columns)


def _shares(rows: Matrix, edges: Floats) -> Floats:
    shares = np.empty((len(edges), _PARTS))
    for place, ends in enumerate(edges):
        parts = np.searchsorted(ends, rows[:, place], side="left")
        shares[place] = np.bincount(parts, minlength=_PARTS) / len(rows)
    return shares


def _psis(then: Floats, now: Floats) -> Floats:
    then, now = np.maximum(then, _SMALLEST_SHARE), np.maximum(now, _SMALLEST_SHARE)
    found: Floats = ((now - then) * np.log(now / then)).sum(axis=-1)
    return found


def _lonely(seen: Floats) -> float:
    """One row a window, one column a feature: as if each window were the newest, and the others the lessons."""
    if len(seen) < 2:
        return 0.0
    first, second = np.sort(seen, axis=0)[[-1, -2]]
    is_alone = (seen == first) & (seen > np.maximum(second, DRIFTED))
    return float(is_alone.mean(axis=1).max())


def _level(share: float, usual: float) -> str:
    return "strong" if share > max(STRONG_SHARE, usual) else "some" if share > max(SOME_SHARE, usual) else "none"


def _text(level: str, drifted: int, features: int, rows: int, worst: Sequence[str]) -> str:
    if not drifted:
        return f"No feature of the last {rows:,} bars is farther from its lessons than stretches of the lessons were."
    names = ", ".join(worst)
    counted = f"{drifted} of {features} features of the last {rows:,} bars are spread otherwise than in its lessons"
    if level == "none":
        return f"{counted} ({names}), which is no more than chance shows."
    return f"{counted}, most of all {names}." + (" It should learn anew." if level == "strong" else "")
