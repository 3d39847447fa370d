"""What memory a run needs: `python -m scripts.benches.replaying.memory FILE` prints bytes above the baseline."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from scripts.benches.replaying import ours


def above_baseline(path: str) -> int:
    """The baseline has everything loaded and compiled, by a small run on bars from a file."""
    small = Path(f"{path}.small")
    ours.random_walk(1_000).to_parquet(small)
    ours.run(pd.read_parquet(small))
    baseline = _bytes("VmRSS")
    ours.run(pd.read_parquet(path))
    return _bytes("VmHWM") - baseline


def _bytes(name: str) -> int:
    """The system's `ru_maxrss` would do, but that begins with the peak of whoever started the process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(above_baseline(sys.argv[1]))
