"""A fresh process that runs one backtest, beside one that imports pandas and numba and calls one kernel."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.benches.figures import Figure, ratio_at_most

BARS = 10_000
TIMES = 9
MOST = 1.25
TIDEMARK = Path(sys.executable).with_name("tidemark")
_ROOT = Path(__file__).resolve().parents[2]

_KERNEL = """
import numba


@numba.njit(cache=True)
def grown(close):
    total = 1.0
    for row in range(1, len(close)):
        total *= close[row] / close[row - 1]
    return total
"""
_PEER = """
import pandas as pd
import numba
from bench_kernel import grown

print(grown(pd.read_parquet("bars.parquet")["close"].to_numpy()))
"""
_OURS = """
from backend.research import backtest, load_bars

result = backtest("sma_cross", load_bars("bars.parquet", timeframe="1h"), fast=20, slow=50)
print(result.statistics["total_return"])
"""


def run() -> Sequence[Figure]:
    return fresh_process()


def fresh_process(bars: int = BARS, times: int = TIMES) -> Sequence[Figure]:
    """Median seconds from start to end, interleaved so that a busy moment of the machine meets all of them."""
    with tempfile.TemporaryDirectory(prefix="tidemark-fresh-") as name:
        folder = Path(name)
        _prepare(folder, bars)
        commands: Mapping[str, Sequence[str]] = {
            "pandas, numba and one kernel": [sys.executable, "peer.py"],
            "backend.research": [sys.executable, "ours.py"],
            "tidemark backtest run": [
                *(str(TIDEMARK), "backtest", "run", "--no-trust", "-s", "sma_cross"),
                *("--file", "bars.parquet", "--timeframe", "1h"),
            ],
        }
        walls: dict[str, list[float]] = {what: [] for what in commands}
        cores: dict[str, list[float]] = {what: [] for what in commands}
        for time_round in range(times + 1):
            for what, command in commands.items():
                wall, core = _seconds(command, folder)
                if time_round:  # the first one compiles, and warms the disk
                    walls[what].append(wall)
                    cores[what].append(core)
        peer, *ours = commands
        print(json.dumps({what: {"wall": walls[what], "cpu": cores[what]} for what in commands}), file=sys.stderr)
        return [
            *(_peer(f"{unit} of a fresh process, {bars:,} bars", peer, kind) for unit, kind in _kinds(walls, cores)),
            *(
                ratio_at_most(
                    f"{unit} of a fresh process, {what}, {bars:,} bars",
                    statistics.median(kind[what]),
                    "s",
                    statistics.median(kind[peer]),
                    MOST,
                    to=peer,
                )
                for what in ours
                for unit, kind in _kinds(walls, cores)
            ),
        ]


def _kinds(
    walls: dict[str, list[float]], cores: dict[str, list[float]]
) -> Sequence[tuple[str, dict[str, list[float]]]]:
    return (("wall time", walls), ("processor time", cores))


def _peer(work: str, peer: str, kind: dict[str, list[float]]) -> Figure:
    return Figure(work=work, engine=peer, value=statistics.median(kind[peer]), unit="s")


def _prepare(folder: Path, bars: int) -> None:
    from backend.research import load_bars  # noqa: PLC0415

    held = load_bars("demo", "BTC/USDT", "1h", "2022", "2026")
    held.frame.iloc[:bars].to_parquet(folder / "bars.parquet", index=False)
    (folder / "bench_kernel.py").write_text(_KERNEL)
    (folder / "peer.py").write_text(_PEER)
    (folder / "ours.py").write_text(_OURS)


def _seconds(command: Sequence[str], folder: Path) -> tuple[float, float]:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "TIDEMARK_CACHE_DIR": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
