"""A backtest: an SMA cross over a million bars, beside one fused loop, vectorbt and backtesting.py.

Ours goes from a checked frame to signals, fills, trades, equity, every statistic and the groups of trades; the trust
panel with its guards is a figure of its own. The peers compute no statistics.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backend.domain.bars import COLUMNS
from scripts.benches.figures import Figure, at_least, at_most, ratio_at_most
from scripts.benches.fresh import fresh_process
from scripts.benches.replaying import limit, ours, peers

BARS = 1_000_000
ROUNDS = 9
BAR_BYTES = 8 * (1 + len(COLUMNS))
WHOLE = "1,000,000 bars to trades, equity and statistics"
LIMIT, RUST, NUMBA, BACKTESTING = "limit: one fused loop", "vectorbt, Rust", "vectorbt, numba", "backtesting.py"


def run() -> Sequence[Figure]:
    return [*_in_one_process(), *_in_processes()]


def _in_one_process() -> Iterator[Figure]:
    _say("making bars")
    bars = ours.random_walk(BARS)
    opens, close = bars["open"].to_numpy(), bars["close"].to_numpy()
    done = ours.run(bars)
    signals = done.feeds[0].signals
    works: dict[str, Callable[[], Any]] = {
        LIMIT: lambda: limit.run(opens, close),
        "whole": lambda: ours.run(bars),
        "replay": lambda: ours.replayed(bars, signals),
        "protected": lambda: ours.run(bars, ours.PROTECTED),
        "trust": lambda: ours.trusted(done),
        RUST: lambda: peers.vectorbt(bars, "rust"),
        NUMBA: lambda: peers.vectorbt(bars, "numba"),
    }
    _say("compiling")
    ends = {name: work() for name, work in works.items()}
    _agree(ends[LIMIT], ends["whole"].result.equity[-1], ends[RUST], ends[NUMBA])
    _say("measuring")
    took = _side_by_side(works)
    _say("backtesting.py, once")
    slow = _once(lambda: peers.backtesting_py(bars))
    yield Figure(work=WHOLE, engine=LIMIT, value=took[LIMIT], unit="ms")
    for name in (RUST, NUMBA):
        yield Figure(work=WHOLE, engine=name, value=took[name], unit="ms")
    yield Figure(work=WHOLE, engine=BACKTESTING, value=slow, unit="ms")
    yield ratio_at_most(WHOLE, took["whole"], "ms", took[LIMIT], 5, to="the limit")
    yield at_least(f"{WHOLE}: times faster than vectorbt's Rust", took[RUST] / took["whole"], "x", 5)
    yield at_least(f"{WHOLE}: times faster than backtesting.py", slow / took["whole"], "x", 200)
    yield ratio_at_most("its replay alone, signals given", took["replay"], "ms", took[LIMIT], 1.5, to="the limit")
    yield ratio_at_most("its trust panel and guards", took["trust"], "ms", took["whole"], 10, to="the run")
    yield ratio_at_most("with a stop and a target", took["protected"], "ms", took["whole"], 1.5, to="the plain run")


def _in_processes() -> Iterator[Figure]:
    _say("memory")
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        bars = Path(folder) / "bars.parquet"
        ours.random_walk(BARS).to_parquet(bars)
        above = int(_memory_above(bars))
    yield at_most("peak memory of 1,000,000 bars, in sizes of the bars", above / (BARS * BAR_BYTES), "x", 6)
    _say("processes of their own")
    yield from fresh_process()


def _side_by_side(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median of each in milliseconds. They take turns: what else the machine does changes by the minute."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            took[name].append(_once(work))
    return {name: statistics.median(times) for name, times in took.items()}


def _once(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _memory_above(path: Path) -> str:
    command = [sys.executable, "-m", "scripts.benches.replaying.memory", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _agree(*equities: float) -> None:
    """Who is quick with another result has done other work."""
    if not all(math.isclose(equity, equities[0], rel_tol=1e-6) for equity in equities):
        raise SystemExit(f"The engines disagree about the final equity: {', '.join(map(str, equities))}.")


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)
