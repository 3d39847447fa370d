"""Whether the evaluation can be believed: shuffled labels must score nothing, and no feature may know the future."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from backend.domain.format import ratio
from backend.domain.ml.bootstrap import Blocks, auc, ranked
from backend.domain.ml.forecaster import Floats, Labels, Matrix
from backend.domain.ml.metrics import auc_interval
from backend.domain.ml.spec import ModelSpec

# No feature of the past tells ups from downs this well, on any market that people trade.
UNBELIEVABLE: Final = 0.65
# A control that fails once in twenty times by chance would be no control.
CONTROL_LEVEL: Final = 0.999
_MOST_ROWS: Final = 10_000


def shuffled_labels(labels: Labels, seed: int) -> Labels:
    """The same answers in random order; what is unknown stays where it is."""
    mixed = labels.copy()
    is_known = labels >= 0
    mixed[is_known] = np.random.default_rng(seed).permutation(labels[is_known])
    return mixed


def shuffled_control(probability: Floats, labels: Labels, spec: ModelSpec) -> dict[str, Any]:
    """Of a model that learned from shuffled labels, on later ones: an AUC surely away from 0.5 means that something of
    the answers got through."""
    is_known = labels >= 0
    said, ups = ranked(probability[is_known]), labels[is_known] == 1
    blocks = Blocks.of(len(ups), spec.horizon, seed=spec.seed)
    surely = auc_interval(said, ups, blocks, level=CONTROL_LEVEL)
    return {
        "auc": auc_interval(said, ups, blocks).document(),
        "passed": not surely.is_known or surely.holds(0.5),
    }


def leaks(rows: Matrix, names: Sequence[str], answers: Mapping[str, Labels], spec: ModelSpec) -> list[dict[str, Any]]:
    """The features that alone know too much of an answer. `answers` by what they are, such as "the label" and "the next
    bar": a column that was moved by one bar may know little of a far horizon, but all of the next bar."""
    step = max(-(-len(rows) // _MOST_ROWS), 1)
    found: dict[str, dict[str, Any]] = {}
    for question, labels in answers.items():
        known = np.flatnonzero(labels[::step] >= 0)
        ups, columns = labels[::step][known] == 1, rows[::step][known]
        blocks = Blocks.of(len(ups), -(-spec.horizon // step), seed=spec.seed)
        for place, name in enumerate(names):
            leak = _leak(columns[:, place].astype(np.float64), ups, blocks, name, question)
            if leak and name not in found:
                found[name] = leak
    return list(found.values())


def _leak(
    column: Floats, ups: np.ndarray[Any, np.dtype[np.bool_]], blocks: Blocks, name: str, question: str
) -> dict[str, Any] | None:
    said = ranked(column)
    if not max(seen := auc(said, ups), 1 - seen) > UNBELIEVABLE:
        return None
    surely = auc_interval(said, ups, blocks)
    if not (surely.low > UNBELIEVABLE or surely.high < 1 - UNBELIEVABLE):
        return None
    words = (
        f"{name} alone tells ups from downs of {question} with an AUC of {ratio(surely.value)}. Nothing of the past"
        " does: it is likely made from later bars."
    )
    return {"feature": name, "auc": surely.document()["value"], "text": words}
