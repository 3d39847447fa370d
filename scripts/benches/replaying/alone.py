"""Processes of their own: one backtest and exit, the least that such a process takes, and what memory a run needs.

`python -m scripts.benches.replaying.alone ours|least FILE` runs once; `memory FILE` prints bytes above the baseline.
"""

from __future__ import annotations

import sys
from pathlib import Path


def ours(path: str) -> None:
    import pandas as pd  # noqa: PLC0415  # the imports are what is measured

    from scripts.benches.replaying import ours as tidemark  # noqa: PLC0415

    print(tidemark.run(pd.read_parquet(path)).result.equity[-1])


def least(path: str) -> None:
    import pandas as pd  # noqa: PLC0415  # the imports are what is measured

    from scripts.benches.replaying import limit  # noqa: PLC0415

    bars = pd.read_parquet(path)
    print(limit.run(bars["open"].to_numpy(), bars["close"].to_numpy()))


def memory(path: str) -> None:
    import pandas as pd  # noqa: PLC0415  # as above

    from scripts.benches.replaying import ours as tidemark  # noqa: PLC0415

    tidemark.run(tidemark.random_walk(1_000))
    with open(path + ".small", "wb") as small:
        tidemark.random_walk(1_000).to_parquet(small)
    pd.read_parquet(path + ".small")
    baseline = _bytes("VmRSS")
    tidemark.run(pd.read_parquet(path))
    print(_bytes("VmHWM") - baseline)


def _bytes(name: str) -> int:
    """The system's `ru_maxrss` would do, but that begins with the peak of whoever started the process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    {"ours": ours, "least": least, "memory": memory}[sys.argv[1]](sys.argv[2])
