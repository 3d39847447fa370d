"""A whole training beside LightGBM alone on the same lessons, and a prediction that has to train first."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.bootstrap_market import open_forecaster
from backend.domain.bars import COLUMNS
from backend.domain.market import ALWAYS, Instrument, Series, Timeframe
from backend.domain.market_ports import Loaded
from backend.domain.ml.controls import shuffled_labels
from backend.domain.ml.features import FEATURES, WARM_UP
from backend.domain.ml.forecaster import Lesson
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import final_split, folds
from backend.domain.ml.table import Table
from backend.domain.ml.training import train
from backend.research.bars import load_bars
from scripts.benches.figures import Figure, at_most, ratio_at_most

BARS: Final = 50_000
THREADS: Final = 2
TIMES: Final = 3
MOST_TIMES_RAW: Final = 1.10
MOST_SECONDS: Final = 3.0
RAW: Final = "lightgbm alone"
# Never a stop before the last round, so that both do the same work.
SPEC: Final = ModelSpec(rounds=200, patience=500)


def training_figures() -> Sequence[Figure]:
    return [*_beside_raw(), *_auto_train()]


def _beside_raw() -> list[Figure]:
    loaded, forecaster = _chance(BARS), open_forecaster()
    lessons = _lessons(loaded)
    train(_chance(3_000), SPEC.model_copy(update={"rounds": 5}), forecaster, threads=THREADS)
    ours, raw, fits = [], [], []
    for _ in range(TIMES):
        raw.append(_seconds(lambda: [_raw(lesson) for lesson in lessons]))
        ours.append(_seconds(lambda: train(loaded, SPEC, forecaster, threads=THREADS)))
        fits.append(_seconds(lambda: [forecaster.fit(lesson, SPEC, threads=THREADS) for lesson in lessons]))
        print(f"  training: {ours[-1]:.2f} s, {RAW} {raw[-1]:.2f} s, fits {fits[-1]:.2f} s", file=sys.stderr)
    work = f"training job, {BARS:,} bars x {len(FEATURES)} features, {len(lessons)} lessons of {SPEC.rounds} rounds"
    best = min(raw)
    return [
        Figure(work=work, engine=RAW, value=best, unit="s"),
        ratio_at_most(work, min(ours), "s", best, MOST_TIMES_RAW, to=RAW),
        ratio_at_most(f"{work}, fits alone", min(fits), "s", best, MOST_TIMES_RAW, to=RAW),
    ]


def _auto_train() -> list[Figure]:
    """What somebody waits for who asks for a prediction where there is no model."""
    end = datetime(2026, 11, 1, tzinfo=UTC)
    loaded = load_bars("demo", "BTC/USDT", "1h", end - timedelta(days=730), end).loaded
    forecaster = open_forecaster()
    _predict(loaded, forecaster)
    seconds = [_seconds(lambda: _predict(loaded, forecaster)) for _ in range(2 * TIMES)]
    work = f"predict with training first, {len(loaded.bars):,} hourly bars"
    print(f"  {work}: {', '.join(f'{one:.2f}' for one in seconds)} s", file=sys.stderr)
    return [at_most(work, statistics.median(seconds), "s", MOST_SECONDS)]


def _predict(loaded: Loaded, forecaster: Any) -> None:
    train(loaded, ModelSpec(), forecaster, threads=THREADS).model.predict(loaded.bars)


def _lessons(loaded: Loaded) -> list[Lesson]:
    """All that a training learns: its folds, the control with shuffled labels, and the model that is kept."""
    table = Table.of(loaded.bars, SPEC)
    split = folds(WARM_UP, len(table), SPEC)
    control = table.lesson(split[-1], shuffled_labels(table.labels, SPEC.seed))
    kept = table.lesson(final_split(WARM_UP, len(table), SPEC))
    return [*(table.lesson(fold) for fold in split), control, kept]


def _raw(lesson: Lesson) -> str:
    """As the library's own documentation does it, with the same parameters, binned on the same rows."""
    import lightgbm  # noqa: PLC0415 - after the forecaster, which says how its threads wait

    from backend.infrastructure.forecasters import parameters  # noqa: PLC0415

    given = parameters(SPEC, THREADS)
    learned = lightgbm.Dataset(lesson.rows, lesson.labels, params=given)
    stop = learned.create_valid(lesson.stop_rows, lesson.stop_labels)
    patient = lightgbm.early_stopping(SPEC.patience, verbose=False)
    return lightgbm.train(given, learned, SPEC.rounds, valid_sets=[stop], callbacks=[patient]).model_to_string()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _chance(bars: int) -> Loaded:
    dice = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(0.003 * dice.standard_normal(bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    columns = dict(zip(COLUMNS, (opened, high, low, close, dice.lognormal(6, 0.5, bars)), strict=True))
    ts = pd.date_range("2020-01-01", periods=bars, freq="1h", tz="UTC", unit="us")
    series = Series(provider="demo", symbol="CHANCE", timeframe=Timeframe.H1)
    instrument = Instrument(provider="demo", symbol="CHANCE", name="Chance", calendar=ALWAYS, currency="USD")
    return Loaded(series=series, instrument=instrument, bars=pd.DataFrame({"ts": ts, **columns}))
