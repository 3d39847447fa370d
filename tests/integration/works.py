"""Jobs that tests give to child processes: well behaved ones, and every kind of bad one."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend.domain.jobs import JobKind

# Each kind stands for a way to behave.
WORKS = {
    JobKind.BACKTEST: "tests.integration.works:count",
    JobKind.SWEEP: "tests.integration.works:allocate",
    JobKind.OPTIMIZE: "tests.integration.works:ignore_everything",
    JobKind.GUARD: "tests.integration.works:crash",
    JobKind.PREDICT: "tests.integration.works:echo",
    JobKind.EXPORT: "tests.integration.works:end_badly",
    JobKind.WALK_FORWARD: "tests.integration.works:look_at_the_clock",
    JobKind.IMPORT: "tests.integration.works:print_lines",
    JobKind.TRAIN: "tests.integration.works:return_much",
}

HOARD: list[bytes] = []
Report = Callable[..., None]
IsCancelled = Callable[[], bool]


def echo(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {**payload, "pid": os.getpid()}


def babble(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Says something on the line that only the process itself should write to."""
    os.write(int(sys.argv[1]), payload["words"].encode("latin-1"))
    time.sleep(60)
    return {}


def look_at_the_clock(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """As brief as a job can be, or as long as it is told to."""
    began = time.monotonic()
    time.sleep(payload.get("seconds", 0))
    return {"began": began}


def look_around(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "cpus": len(os.sched_getaffinity(0)),
        "niceness": os.nice(0),
        "modules": sorted(name for name in sys.modules if name.split(".")[0] in ("asyncpg", "fastapi", "loguru")),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


def count(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Count to a number, with a pause at each step, and leave a mark in a file at each start.

    Half-way it waits until there is a file, if one is named.
    """
    if "marks" in payload:
        with Path(payload["marks"]).open("a") as marks:
            marks.write(f"{payload.get('name', 'job')} {os.getpid()}\n")
    steps, pause = payload.get("steps", 10), payload.get("pause", 0.05)
    for step in range(steps):
        report("counting", 100 * step / steps, f"step {step}")
        time.sleep(pause)
        while step == steps // 2 and "until" in payload and not Path(payload["until"]).exists() and not is_cancelled():
            time.sleep(pause)
        if is_cancelled():
            return {"counted": step}
    return {"counted": steps}


def report_much(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    end = time.monotonic() + payload["seconds"]
    number = 0
    while time.monotonic() < end:
        number += 1
        report("hurrying", 50.0, f"report {number}")
    return {"reports": number}


def allocate(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    held: list[bytes] = []
    while True:
        print(f"holding {len(held) * 16} MiB", flush=True)  # noqa: T201 - what is caught of it is tested
        held.append(b"\x01" * (16 * 1024 * 1024))
        time.sleep(payload.get("pause", 0.005))


def hoard(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Leaves so much behind, and looks for a while what comes of it."""
    HOARD.append(b"\x01" * payload["bytes"])
    time.sleep(payload.get("pause", 0))
    return {"pid": os.getpid()}


def squander(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Takes so much in small pieces and lets go of it."""
    pieces = [bytes([piece % 251]) * 4_000 for piece in range(payload["bytes"] // 4_000)]
    return {"pieces": len(pieces)}


def prepare() -> Iterator[None]:
    HOARD.append(b"prepared")
    yield
    raise RuntimeError("what cannot be prepared is no harm")


def was_prepared(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {"prepared": HOARD.count(b"prepared")}


def ignore_everything(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Deaf to the flag and to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report("ignoring")
    while True:
        time.sleep(0.05)


def fork(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Leaves a process behind that holds all that this one holds, and dies or goes on."""
    if (forked := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    report("forked", message=str(forked))
    time.sleep(payload["seconds"])
    os._exit(9)


def raise_error(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    print("about to divide", flush=True)  # noqa: T201 - what is caught of it is tested
    return {"never": 1 / payload["divisor"]}


def end_badly(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """By an error, or with good JSON that Postgres does not store."""
    return raise_error(payload, report, is_cancelled) if "divisor" in payload else {"text": "\x00"}


def crash(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    print("the last line before the end", flush=True)  # noqa: T201 - what is caught of it is tested
    match payload["how"]:
        case "exit":
            os._exit(7)
        case "sys.exit":
            sys.exit("enough")
        case "garble":
            # Whatever is written to the line that is no frame.
            for descriptor in range(3, 100):
                with contextlib.suppress(OSError):
                    os.write(descriptor, b"\x00\x00\x00\x02{]")
            time.sleep(60)
        case "fork":
            # Leaves a process behind, and lives on with it.
            os.fork()
            time.sleep(600)
        case "segfault":
            ctypes.string_at(0)
        case name:
            os.kill(os.getpid(), getattr(signal, name))
    return {}


def print_lines(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    """Print what is given, and report nothing."""
    for line in payload["lines"]:
        sys.stdout.buffer.write(line.encode("latin-1") if payload.get("raw") else line.encode())
        sys.stdout.buffer.flush()
        time.sleep(payload.get("pause", 0))
        if is_cancelled():
            return {}
    return {"printed": len(payload["lines"])}


def return_much(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {"equity": "1" * payload["bytes"]}


def return_nan(payload: dict[str, Any], report: Report, is_cancelled: IsCancelled) -> dict[str, Any]:
    return {"sharpe": float("nan")}
