"""A model on bars that came after its lessons, beside what its card promised."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.domain.ml.bootstrap import Blocks
from backend.domain.ml.features import WARM_UP
from backend.domain.ml.labels import UNKNOWN
from backend.domain.ml.learned import LearnedModel
from backend.domain.ml.metrics import metrics
from backend.domain.ml.table import Table
from backend.domain.model_errors import TooFewBars

FEWEST_ROWS: Final = 50


def evaluate_later(card: Mapping[str, Any], model: LearnedModel, bars: pd.DataFrame) -> dict[str, Any]:
    """Only bars that it did not know when it learned count. Raises TooFewBars and NothingToLearn."""
    spec = model.spec
    known_until = pd.Timestamp(datetime.fromisoformat(card["data"]["known_until"]))
    first = max(int(bars["ts"].searchsorted(known_until)), WARM_UP)
    needed = max(FEWEST_ROWS, 2 * spec.horizon)
    later = max(len(bars) - first - spec.horizon - 1, 0)
    if later < needed:
        why = f"judging a model by bars after its lessons, which ended at {known_until:%Y-%m-%d %H:%M} UTC,"
        raise TooFewBars(later, needed, why, remedy="Wait for them, or train with an earlier end.")
    table = Table.of(bars, spec)
    rows = np.arange(first, len(table))
    rows = rows[(table.labels[rows] != UNKNOWN) & np.isfinite(table.forward[rows])]
    up, forward = model.probability_up(table.rows[rows]), table.forward[rows]
    low, high = model.conformal.around(model.returns.expected(up), table.volatility[rows])
    blocks = Blocks.of(len(rows), spec.horizon, seed=spec.seed)
    return {
        "question": card["question"],
        "first": bars["ts"].iloc[int(rows[0])].isoformat(),
        "last": bars["ts"].iloc[int(rows[-1])].isoformat(),
        "metrics": metrics(up, table.labels[rows] == 1, forward, blocks),
        "promised": card["pooled"],
        "interval": {
            "level": model.conformal.level,
            "coverage": float(((forward >= low) & (forward <= high)).mean()),
        },
        "drift": model.drift(bars),
    }
