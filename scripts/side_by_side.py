"""Runs lanes beside each other as far as the cores go. What a lane says is printed in one piece, once it has ended."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import IO, Generic, Protocol, TypeVar


class Work(Protocol):
    """What can run beside others: how many cores it keeps busy, and what it is called."""

    @property
    def name(self) -> str: ...
    @property
    def proves(self) -> str: ...
    @property
    def cores(self) -> int: ...


W = TypeVar("W", bound=Work)
# Runs one to its end and says whether it went well. What it prints goes there; None is where we print.
Run = Callable[[W, IO[bytes] | None], bool]


@dataclass(frozen=True)
class Outcome(Generic[W]):
    work: W
    ok: bool
    seconds: float


def cores_of_this_machine() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(works: Sequence[W], run: Run[W], *, cores: int) -> list[Outcome[W]]:
    """In the given order, as far as there is room; one that fails keeps no other from running."""
    if len(works) == 1 or cores == 1:
        return [_in_sight(work, run) for work in works]
    waiting, ended = list(works), dict[str, Outcome[W]]()
    running: dict[Future[Outcome[W]], W] = {}
    with ThreadPoolExecutor(len(works)) as threads:
        try:
            while waiting or running:
                while work := _next(waiting, cores - sum(work.cores for work in running.values()), bool(running)):
                    waiting.remove(work)
                    print(f"  ...  {work.name}", flush=True)
                    running[threads.submit(_aside, work, run)] = work
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    ended[future.result().work.name] = future.result()
        except KeyboardInterrupt:
            # Those that run had the same Ctrl-C from the terminal and end by themselves.
            print("Stopped; waiting for the lanes that run.", file=sys.stderr, flush=True)
            raise
    return [ended[work.name] for work in works]


def _next(waiting: Sequence[W], room: int, is_anything_running: bool) -> W | None:
    """The first that fits. What is larger than the machine runs alone."""
    return next((work for work in waiting if work.cores <= room or not is_anything_running), None)


def _in_sight(work: W, run: Run[W]) -> Outcome[W]:
    print(f"\n== {work.name}: {work.proves}", flush=True)
    began = time.monotonic()
    return Outcome(work, run(work, None), time.monotonic() - began)


def _aside(work: W, run: Run[W]) -> Outcome[W]:
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        ok = run(work, out)
        took = time.monotonic() - began
        out.seek(0)
        said = out.read().decode(errors="replace").rstrip("\n")
    # One write, so that two that end together do not mix.
    sys.stdout.write(
        f"\n== {work.name}: {work.proves}\n{said}\n{'passed' if ok else 'FAILED'} {work.name} in {took:.0f} s\n"
    )
    sys.stdout.flush()
    return Outcome(work, ok, took)
