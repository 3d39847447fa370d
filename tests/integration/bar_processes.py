"""Processes that use one market cache at once: writers, readers, and writers that are killed at a chosen instant.

A series here has versions: one write replaces all its bars, in several months and so in several files, and each bar of
a version closes at its number. Whoever ever sees two numbers has seen a mixture.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from backend.data.storage.bars import ParquetBarStore
from backend.domain.bars import COLUMNS, frame_of
from backend.domain.grid import microseconds
from backend.domain.market import ALWAYS, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import MarketDataError, NoBars
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock

SERIES = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.M30)
INSTRUMENT = Instrument(provider="demo", symbol="BTC/USDT", name="Bitcoin", calendar=ALWAYS, currency="USDT")
BEGIN = datetime(2023, 12, 10, tzinfo=UTC)  # two years are touched, with a file each
BARS = 3_000
STEPS = ("open", "write", "fsync", "rename", "unlink", "close", "mkdir")


def store(root: Path, **options: Any) -> ParquetBarStore:
    return ParquetBarStore(root, SystemClock(), **options)


def part(first: int, count: int, close: float) -> FetchedPage:
    """Bars of one close, some of the series' first."""
    length = SERIES.timeframe.length
    starts = microseconds(BEGIN) + np.arange(first, first + count) * SERIES.timeframe.seconds * 1_000_000
    frame = frame_of(starts, {name: np.full(count, close) for name in COLUMNS})
    return FetchedPage(bars=frame, covered=Span(start=BEGIN + first * length, end=BEGIN + (first + count) * length))


def write_version(kept: ParquetBarStore, number: int, how: str = "write") -> None:
    # A random volume makes each version's files large enough to take a moment.
    page = part(0, BARS, float(number))
    page.bars["volume"] = np.random.default_rng(number).random(BARS)
    if how == "renew":
        present = kept.manifest(SERIES)
        assert present is not None
        assert kept.renew(INSTRUMENT, SERIES, page, source="a test", instead_of=present) is not None
    else:
        kept.write(INSTRUMENT, SERIES, page, source="a test")


def version_in(kept: ParquetBarStore) -> int:
    """The one version that is stored; 0 when nothing is. Raises AssertionError for a mixture."""
    try:
        bars = kept.read(SERIES).bars
    except NoBars:
        return 0
    closes = set(bars["close"])
    assert len(closes) == 1, f"a mixture of {closes}"
    assert len(bars) == BARS, f"{len(bars)} bars"
    (number,) = closes
    assert (bars["volume"].to_numpy() == np.random.default_rng(int(number)).random(BARS)).all()
    return int(number)


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.integration.bar_processes", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def append(root: Path, first: int, every: int, count: int) -> None:
    """Pages of ten bars, each `every`-th one from the `first`; each bar closes at its page's number."""
    kept = store(root)
    say("ready")
    sys.stdin.readline()
    for number in range(first, count, every):
        kept.write(INSTRUMENT, SERIES, part(number * 10, 10, float(number + 1)), source="a test")
        say(number)


def write_versions(root: Path, first: int) -> None:
    """Version after version, each told once it is written, until killed."""
    kept = store(root)
    say("ready")
    number = first
    while True:
        write_version(kept, number)
        say(number)
        number += 1


def read_versions(root: Path, versions: int) -> None:
    """Read until so many versions were seen, each time from the disk; versions never go back."""
    kept, latest, reads = store(root, remembered_bytes=0), 0, 0
    seen: set[int] = set()
    while len(seen) < versions:
        number = version_in(kept)
        assert number >= latest, f"{number} after {latest}"
        latest = number
        seen.add(number)
        reads += 1
    say(reads)


def die(root: Path, number: int, step: int, ending: str, how: str = "write") -> None:
    """Write a version, and be killed just before the `step`-th call to the system; in the middle of one that writes."""
    kept = store(root)
    version_in(kept)
    _at_step(step, lambda: os.kill(os.getpid(), signal.SIGSTOP if ending == "stop" else signal.SIGKILL))
    write_version(kept, number, how)


def mortals(root: Path, how: str) -> None:
    """For each `number step` that is read: a process that dies so, and how it ended. They need not load anything."""
    for line in sys.stdin:
        number, step = map(int, line.split())
        if os.fork() == 0:
            die(root, number, step, "kill", how)
            os._exit(0)
        say(os.waitstatus_to_exitcode(os.wait()[1]))


def _at_step(step: int, act: Callable[[], None]) -> None:
    left = step

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                    act()
                    os.lseek(arguments[0], 0, os.SEEK_SET)
                else:
                    act()
            return call(*arguments, **options)

        return watching

    for name in STEPS:
        setattr(os, name, watched(name, getattr(os, name)))


def limited(root: Path, most_bytes: int, first: int, count: int) -> None:
    """Write where no file may become larger than that: the system refuses as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        page = part(first, count, 2.0)
        page.bars["volume"] = np.random.default_rng(1).random(count)
        store(root).write(INSTRUMENT, SERIES, page, source="a test")
        say("written")
    except MarketDataError as problem:
        say(f"{type(problem).__name__}: {problem}")


if __name__ == "__main__":
    work: dict[str, Callable[..., None]] = {
        "append": append,
        "write_versions": write_versions,
        "read_versions": read_versions,
        "die": die,
        "mortals": mortals,
        "limited": limited,
    }
    name, place, *numbers = sys.argv[1:]
    work[name](Path(place), *(int(one) if one.isdigit() else one for one in numbers))
