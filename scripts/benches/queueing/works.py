"""What jobs of the benchmark do. Their clock is monotonic, and on Linux all processes share it."""

import signal
import time
from collections.abc import Callable
from typing import Any

from backend.domain.jobs import JobKind

WORKS = {
    JobKind.PREDICT: "scripts.benches.queueing.works:start",
    JobKind.BACKTEST: "scripts.benches.queueing.works:sleep",
    JobKind.TRAIN: "scripts.benches.queueing.works:compute",
    JobKind.SWEEP: "scripts.benches.queueing.works:allocate",
    JobKind.OPTIMIZE: "scripts.benches.queueing.works:ignore",
}

# About ten milliseconds.
_STEP = 100_000

Report = Callable[..., None]
IsCancelled = Callable[[], bool]


def start(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {"began": time.monotonic()}


def sleep(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    began = time.monotonic()
    time.sleep(payload["seconds"])
    return {"began": began}


def compute(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """As much processor time as is asked for, in steps."""
    began, steps = time.monotonic(), payload["steps"]
    for step in range(steps):
        sum(number * number for number in range(_STEP))
        report("computing", percent=100 * (step + 1) / steps)
    return {"began": began}


def allocate(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Take memory and never give any back."""
    held: list[bytes] = []
    while True:
        held.append(b"\x01" * (16 * 1024 * 1024))
        time.sleep(0.005)


def ignore(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Deaf to everything that can be ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report("ignoring")
    while True:
        time.sleep(0.05)
