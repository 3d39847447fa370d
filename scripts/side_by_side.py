"""Runs lanes beside each other as far as there are places. What one says is printed in one piece, once it has ended."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import IO, Generic, Protocol, TypeVar


class Work(Protocol):
    """What can run beside others: its name, how many places it takes, and what must have gone well before it."""

    @property
    def name(self) -> str: ...
    @property
    def proves(self) -> str: ...
    @property
    def places(self) -> int: ...
    @property
    def needs(self) -> Sequence[str]: ...


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


def run_all(works: Sequence[W], run: Run[W], *, places: int) -> list[Outcome[W]]:
    """In the given order, as far as there is room; one that fails keeps none from running but those that need it."""
    if places == 1:
        return _one_by_one(works, run)
    waiting, ended = list(works), dict[str, Outcome[W]]()
    running: dict[Future[Outcome[W]], W] = {}
    with ThreadPoolExecutor(len(works)) as threads:
        try:
            while waiting or running:
                while work := _next(waiting, running.values(), places):
                    waiting.remove(work)
                    if lacking := _lacking(work, ended):
                        ended[work.name] = _not_begun(work, lacking)
                        continue
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


def _next(waiting: Sequence[W], running: Collection[W], places: int) -> W | None:
    """The first that fits and waits for none that it needs. What is larger than the machine runs alone."""
    unfinished = {work.name for work in (*waiting, *running)}
    room = places - sum(work.places for work in running)
    ready = (work for work in waiting if unfinished.isdisjoint(work.needs))
    return next((work for work in ready if work.places <= room or not running), None)


def _lacking(work: Work, ended: Mapping[str, Outcome[W]]) -> str:
    """What it needs and has not."""
    return " and ".join(name for name in work.needs if name in ended and not ended[name].ok)


def _not_begun(work: W, lacking: str) -> Outcome[W]:
    print(f"\nFAILED {work.name}: it needs {lacking}, which failed", flush=True)
    return Outcome(work, False, 0.0)


def _one_by_one(works: Sequence[W], run: Run[W]) -> list[Outcome[W]]:
    ended: dict[str, Outcome[W]] = {}
    for work in works:
        lacking = _lacking(work, ended)
        ended[work.name] = _not_begun(work, lacking) if lacking else _in_sight(work, run)
    return list(ended.values())


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
