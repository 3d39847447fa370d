"""Compile all loops of learning, so that nobody's first model waits."""

import numpy as np

from backend.domain.bars import frame_of
from backend.domain.market import Timeframe
from backend.domain.ml.bootstrap import Blocks, ranked
from backend.domain.ml.features import WARM_UP, features
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.labels import label
from backend.domain.ml.spec import LabelKind, ModelSpec


def main() -> None:
    rows = np.arange(WARM_UP + 10)
    price = np.asarray(100.0 + rows % 3, np.float64)
    columns = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": np.ones(len(rows))}
    bars = frame_of(rows.astype(np.int64) * Timeframe.D1.seconds * 1_000_000, columns)
    features(bars)
    label(bars, ModelSpec(label=LabelKind.TRIPLE_BARRIER))
    _judge(price)


def _judge(scores: Floats) -> None:
    blocks = Blocks.of(len(scores), 1, seed=1, draws=2)
    blocks.sums(scores[:, None])
    blocks.aucs(ranked(scores), scores > 100)
