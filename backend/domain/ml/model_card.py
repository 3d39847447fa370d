"""The card of a model: what was asked, learned from, tried and found, as one JSON document."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from backend.domain.bars import start_microseconds
from backend.domain.format import iso_utc
from backend.domain.market_ports import Loaded
from backend.domain.ml.bootstrap import plain
from backend.domain.ml.evaluation import OutOfFold, evaluate
from backend.domain.ml.features import FEATURES
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import Bounds, Fold
from backend.domain.ml.verdict import verdict_of
from backend.version import VERSION

CARD: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Document = dict[str, Any]


def model_card(
    loaded: Loaded,
    spec: ModelSpec,
    predicted: OutOfFold,
    *,
    folds: Sequence[Fold],
    rounds: Sequence[int],
    kept: Fold,
    controls: Mapping[str, Any],
    importance: Sequence[Document],
    interval: Mapping[str, Any],
    made: Mapping[str, Any],
    file: Mapping[str, Any] | None = None,
    contest: Mapping[str, Any] | None = None,
) -> Document:
    """`rounds` are those of each fold, `kept` is what the model that is kept learned from. `controls` hold `shuffled`
    and `leaks`, `interval` its `level` and the `coverage` that was proven. The verdict is made here, from the rest."""
    found = evaluate(predicted, spec)
    card: Document = {
        "card": CARD,
        "spec": spec.model_dump(mode="json"),
        "question": spec.question,
        "series": series_of(loaded),
        "data": data_of(loaded, rows=kept.stop.last - kept.train.first),
        "base_rate": found["base_rate"],
        "features": [asdict(feature) for feature in FEATURES],
        "folds": _folds(loaded, folds, rounds, found["folds"]),
        **{name: found[name] for name in ("pooled", "spread", "baselines")},
        "controls": dict(controls),
        "calibration": found["calibration"],
        "deciles": found["deciles"],
        "importance": list(importance),
        "interval": dict(interval),
        "made": dict(made),
        "file": None if file is None else dict(file),
        "contest": None if contest is None else dict(contest),
    }
    return {**card, "verdict": verdict_of(card).document()}


def series_of(loaded: Loaded) -> Document:
    series = loaded.series
    return {
        "provider": series.provider,
        "symbol": series.symbol,
        "timeframe": str(series.timeframe),
        "adjustment": str(series.adjustment),
    }


def data_of(loaded: Loaded, *, rows: int) -> Document:
    """Nothing after the close of the last bar is known to the model."""
    times = loaded.bars["ts"]
    last: datetime = times.iloc[-1].to_pydatetime()
    return {
        "first": iso_utc(times.iloc[0].to_pydatetime()),
        "last": iso_utc(last),
        "known_until": iso_utc(last + loaded.series.timeframe.length),
        "bars": len(loaded.bars),
        "rows": rows,
        "content_hash": loaded.content_hash,
        "is_simulated": loaded.instrument.is_simulated,
    }


def importance_of(gain: Floats, contributions: Floats) -> list[Document]:
    """Of each feature, the most important first: what it gained in training, and what it adds to the log odds of a row
    in the mean, up or down. `contributions` as the forecaster gives them, of a sample of rows."""
    shap = np.abs(contributions[:, : len(FEATURES)]).mean(axis=0)
    total = float(gain.sum())
    return [
        {
            "feature": FEATURES[place].name,
            "group": FEATURES[place].group,
            "gain": plain(float(gain[place])),
            "gain_share": plain(float(gain[place]) / total) if total > 0 else 0.0,
            "shap": plain(float(shap[place])),
        }
        for place in np.lexsort((-gain, -shap)).tolist()
    ]


def made_of(*, seconds: float, rounds: int, seed: int, threads: int, forecaster: str) -> Document:
    return {
        "seconds": round(seconds, 3),
        "rounds": rounds,
        "seed": seed,
        "threads": threads,
        "versions": {
            "tidemark": VERSION,
            "forecaster": forecaster,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _folds(
    loaded: Loaded, folds: Sequence[Fold], rounds: Sequence[int], found: Sequence[Mapping[str, Any]]
) -> list[Document]:
    starts = start_microseconds(loaded.bars)
    metrics = {one["number"]: one["metrics"] for one in found}

    def ends(name: str, bounds: Bounds) -> Document:
        first, last = (int(starts[row]) for row in (bounds.first, bounds.last - 1))
        return {f"{name}_first": _time(first), f"{name}_last": _time(last), f"{name}_rows": len(bounds)}

    return [
        {
            "number": fold.number,
            **ends("train", fold.train),
            "stop_rows": len(fold.stop),
            **ends("test", fold.test),
            "rounds": taken,
            "metrics": metrics[fold.number],
        }
        for fold, taken in zip(folds, rounds, strict=True)
    ]


def _time(microseconds: int) -> str:
    return iso_utc(_EPOCH + timedelta(microseconds=microseconds))
