"""A sweep: 10,000 pairs of averages over 100,000 bars, with all figures of each, beside vectorbt.

vectorbt would take minutes for all pairs, so that it tries a share of them, spread over the grid, in the same run; its
speed is told for that share. Ours tries all, with the ledger written. The peer is measured in two ways: the least that
it can do (orders and the total return), and the figures that people choose by.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backend.backtesting.optimisation import Optimisation
from backend.domain.config import TradingConfig
from scripts.benches.figures import Figure, at_least, at_most
from scripts.benches.sweeping import ours, peer

PEER_PAIRS, PEER_FIGURE_PAIRS = 200, 50
UNIT = "pairs/s"
STOPS = {"sl_stop": 0.02, "tp_stop": 0.04}
GOAL = 50


def run() -> Sequence[Figure]:
    return [*_speed("plain", ours.PLAIN, {}), *_speed("stop and target", ours.PROTECTED, STOPS), *_memory()]


def _speed(rules: str, config: TradingConfig, stops: dict[str, float]) -> Iterator[Figure]:
    course, space = ours.course(config), ours.space()
    bars = course.markets[0].bars
    pairs: Any = [pair for pair in space]  # noqa: C416  # a list of its own, to cut
    few, fewer = pairs[:: len(pairs) // PEER_PAIRS], pairs[:: len(pairs) // PEER_FIGURE_PAIRS]
    _say(f"{rules}: compiling")
    ours.run(course, ours.space(1))
    for engine in ("rust", "numba"):
        peer.figures(bars, pairs[:2], engine, stops)
    _say(f"{rules}: ours, {len(pairs):,} pairs")
    took, found = _best(lambda: ours.run(course, space), rounds=3)
    speed = len(pairs) / took
    work = f"{len(pairs):,} pairs on {ours.BARS:,} bars, {rules}"
    fastest: dict[str, float] = {}
    for what, share, work_of in (("total return alone", few, peer.ends), ("ten figures", fewer, peer.figures)):
        for engine in ("rust", "numba"):
            name = f"vectorbt, {engine}, {what} ({len(share)} of the pairs)"
            _say(f"{rules}: {name}")
            seconds, ends = _best(lambda e=engine, s=share, w=work_of: w(bars, s, e, stops), rounds=2)  # type: ignore[misc]
            fastest[what] = max(fastest.get(what, 0.0), len(share) / seconds)
            yield Figure(work=work, engine=name, value=len(share) / seconds, unit=UNIT)
            if ends is not None and not stops:
                _agree(found, few, ends)
    for what, other in fastest.items():
        yield at_least(f"{work}: times vectorbt's {what}", speed / other, "x", GOAL)
    yield Figure(work=work, engine="tidemark, 20 figures, blocks for overfitting, ledger", value=speed, unit=UNIT)


def _memory() -> Iterator[Figure]:
    _say("memory of 1,000 and of 10,000 pairs")
    small, large = _peak(10), _peak(100)
    yield Figure(work="peak memory of a process with 1,000 pairs", engine="tidemark", value=small, unit="MiB")
    yield at_most("9,000 pairs more need", (large - small) * 1024 / 9_000, "KiB a pair", 4)


def _peak(fasts: int) -> float:
    command = [sys.executable, "-m", "scripts.benches.sweeping.ours", str(fasts)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _best(work: Callable[[], Any], *, rounds: int) -> tuple[float, Any]:
    """The quickest of some rounds, in seconds: what else the machine does only ever makes it slower."""
    took, result = math.inf, None
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        took = min(took, time.perf_counter() - began)
    return took, result


def _agree(found: Optimisation, pairs: Any, ends: Any) -> None:
    """Who is quick with another result has done other work."""
    mine = dict(zip(found.trials.combinations, found.trials.metric("total_return"), strict=True))
    for pair, theirs in zip(pairs, ends, strict=True):
        if not math.isclose(mine[pair], theirs, rel_tol=1e-6, abs_tol=1e-9):
            raise SystemExit(f"The engines disagree about {pair}: {mine[pair]} and {theirs}.")


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)
