"""How fast bars become what models see, beside a loop by hand and TA-Lib. A part of the benchmark of learning."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from backend.data.fetchers.demo import simulated_bars
from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.ml.features import FEATURES, WARM_UP, features
from backend.domain.ml.labels import label
from backend.domain.ml.spec import LabelKind, ModelSpec
from scripts.benches.figures import Figure, ratio_at_most
from scripts.benches.learning.by_hand import features_by_hand
from scripts.benches.learning.by_talib import CALLS, features_by_talib, taken

ROUNDS = 9
THREADS = 2


def feature_figures() -> Sequence[Figure]:
    bars = simulated_bars("BTC/USDT", "1m", "2021-01-01", "2022-01-01")
    columns = {name: np.ascontiguousarray(bars[name].to_numpy(np.float64)) for name in COLUMNS}
    starts = np.ascontiguousarray(start_microseconds(bars))
    work = f"{len(FEATURES)} features of {len(bars):,} bars"
    numba.set_num_threads(THREADS)

    opens, highs, lows, closes, volumes = columns.values()

    def by_hand(threads: int) -> Any:
        return features_by_hand(starts, opens, highs, lows, closes, volumes, threads)

    def by_talib() -> Any:
        return features_by_talib(taken(columns))

    _say("compiling")
    _agree(features(bars), by_hand(THREADS))
    _say(f"{ROUNDS} rounds of each")
    both, alone, hand, hand_alone, other, written, few, asked = _best(
        lambda: features(bars, threads=THREADS),
        lambda: features(bars),
        lambda: by_hand(THREADS),
        lambda: by_hand(1),
        by_talib,
        lambda: np.full((len(bars), len(FEATURES)), 1, np.float32),
        lambda: features(bars.iloc[-600:]),
        lambda: label(bars, ModelSpec(label=LabelKind.TRIPLE_BARRIER)),
    )
    talib_has = f"TA-Lib's {len(CALLS)} of them"
    return [
        Figure(work=work, engine=f"numba by hand, {THREADS} threads", value=hand, unit="ms"),
        Figure(work=work, engine="numba by hand, one thread", value=hand_alone, unit="ms"),
        Figure(work=work, engine="numpy, as many ones written, one thread", value=written, unit="ms"),
        Figure(work=work, engine=f"{talib_has}, one thread", value=other, unit="ms"),
        ratio_at_most(f"{work}, {THREADS} threads", both, "ms", hand, 2, to="numba by hand"),
        ratio_at_most(f"{work}, {THREADS} threads", both, "ms", other, 1, to=talib_has),
        ratio_at_most(f"{work}, one thread", alone, "ms", hand_alone, 2, to="numba by hand"),
        Figure(work="the features of 600 bars, for one prediction", engine="tidemark", value=few, unit="ms"),
        Figure(work=f"triple barriers of {len(bars):,} bars", engine="tidemark", value=asked, unit="ms"),
    ]


def _best(*works: Callable[[], Any]) -> list[float]:
    """The quickest of some rounds, in milliseconds; by turns, so that what else the machine does meets all alike."""
    took = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            began = time.perf_counter()
            result = work()
            took[number] = min(took[number], (time.perf_counter() - began) * 1000)
            del result
    return took


def _agree(ours: Any, theirs: Any) -> None:
    """Who is quick with another result has done other work. Units differ, and what is held in bounds."""
    for column, feature in enumerate(FEATURES):
        mine, other = ours[WARM_UP:, column], theirs[WARM_UP:, column]
        if mine.std() > 0 and not np.corrcoef(mine, other)[0, 1] > 0.98:
            raise SystemExit(f"The loop written by hand computes another {feature.name}.")


def _say(text: str) -> None:
    print(f"features: {text} ...", file=sys.stderr, flush=True)
