"""The lanes of `./scripts/test`, in the order that finds a mistake soonest; beside each other where there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scripts.chromium import find_chromium
from scripts.promtool import find_promtool
from scripts.side_by_side import cores_of_this_machine, run_all

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv" / "bin"
NODE_ENVIRONMENT = {"PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}

Command = tuple[str, ...]


@dataclass(frozen=True)
class Lane:
    """One kind of check: what it proves, and the commands that prove it."""

    name: str
    proves: str
    commands: Sequence[Command]
    # What has to be there, by its name in SURROUNDINGS; it is brought beside the lanes that do without it.
    needs: Sequence[str] = ()
    # How many lanes it counts for.
    places: int = 1


def pytest(folder: str, *options: str) -> Command:
    return (str(TOOLS / "pytest"), folder, "-q", *options)


def module(name: str) -> Command:
    return (str(TOOLS / "python"), "-m", name)


SURROUNDINGS = (
    Lane("kernels", "the backtest engine is compiled", [(str(TOOLS / "python"), "scripts/prepare.py", "kernels")]),
    Lane("chromium", "there is a browser", [module("scripts.chromium")]),
    Lane("promtool", "there is what checks alerts", [module("scripts.promtool")]),
)

LANES = (
    Lane("format", "Python is formatted", [(str(TOOLS / "ruff"), "format", "--check", "--quiet", ".")]),
    Lane(
        "lint",
        "Python and the web app follow the rules",
        [(str(TOOLS / "ruff"), "check", "--quiet", "."), ("npm", "--prefix", "frontend", "run", "--silent", "lint")],
    ),
    Lane(
        "types",
        "types are strict",
        [(str(TOOLS / "mypy"),), ("npm", "--prefix", "frontend", "run", "--silent", "typecheck")],
    ),
    Lane(
        "audit",
        "locks, licences, known weaknesses, and no secret in files or history",
        [module("scripts.audit")],
    ),
    Lane("imports", "calls go inward", [(str(TOOLS / "lint-imports"),)]),
    # It takes longest and waits most, so it begins before the others that need something.
    Lane(
        "e2e",
        "whole journeys in Chromium",
        [pytest("tests/e2e", "--capture=no")],
        needs=["kernels", "chromium"],
    ),
    Lane("unit", "the pure parts are right", [pytest("tests/unit")], needs=["kernels"]),
    Lane("api", "the HTTP face of a running process", [pytest("tests/api")], needs=["kernels"]),
    Lane(
        "contracts",
        "every adapter keeps its port's promise",
        [pytest("tests/contracts"), pytest("tests/vendors")],
        needs=["kernels"],
    ),
    Lane("oracles", "trades equal those of other engines", [pytest("tests/oracles")], needs=["kernels"]),
    Lane(
        "monitoring",
        "alerts ring, and the dashboard shows what there is",
        [pytest("tests/monitoring")],
        needs=["kernels", "promtool"],
    ),
    Lane(
        "web",
        "the web app's parts, and its weight",
        [
            ("npm", "--prefix", "frontend", "run", "--silent", "test"),
            ("npm", "--prefix", "frontend", "run", "--silent", "size"),
        ],
    ),
    Lane(
        "integration",
        "real Postgres, Supabase's clients and command line",
        # Three for two cores: one of them always waits for a lease or a server. They begin as tests/integration orders.
        [pytest("tests/integration", "--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")],
        needs=["kernels"],
        places=2,
    ),
)


def main(arguments: list[str]) -> int:
    if "--list" in arguments:
        print("\n".join(f"{lane.name:<12} {lane.proves}" for lane in LANES))
        return 0
    names, extra = split(arguments)
    unknown = [name for name in names if name not in {lane.name for lane in LANES}]
    if unknown:
        print(
            f"There is no lane {', '.join(unknown)}. The lanes: {', '.join(lane.name for lane in LANES)}.",
            file=sys.stderr,
        )
        return 2
    chosen = [lane for lane in LANES if not names or lane.name in names]
    # A lane that is run alone is watched as it works.
    places = places_of(cores_of_this_machine()) if len(chosen) > 1 else 1
    results = run_all(in_order(chosen), lambda lane, out: run(lane, extra, out), places=places)
    print()
    for result in results:
        print(f"{'passed' if result.ok else 'FAILED':<7} {result.work.name:<12} {result.seconds:5.0f} s")
    failed = sum(not result.ok for result in results)
    print(f"lanes: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def in_order(chosen: Sequence[Lane]) -> list[Lane]:
    """What they need comes first, and those that do without it run meanwhile."""
    needed = [lane for lane in SURROUNDINGS if any(lane.name in one.needs for one in chosen)]
    return [*needed, *sorted(chosen, key=lambda lane: bool(lane.needs))]


def places_of(cores: int) -> int:
    """How many lanes fill so many cores: each waits a good part of its time, for a disk, a lease or a browser."""
    return cores + cores // 2


def split(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Lane names come before `--`, options for pytest after it."""
    if "--" not in arguments:
        return arguments, ()
    at = arguments.index("--")
    return arguments[:at], tuple(arguments[at + 1 :])


def run(lane: Lane, extra: tuple[str, ...], out: IO[bytes] | None) -> bool:
    environment = {**os.environ, **NODE_ENVIRONMENT, "TIDEMARK_ENV_FILE": ""}
    for name, found in (("CHROMIUM_PATH", find_chromium()), ("PROMTOOL_PATH", find_promtool())):
        if found is not None:
            environment[name] = found
    # Every command runs even if one before it failed: one run shows all there is to mend.
    codes = [
        subprocess.run(
            (*command, *extra) if command[0].endswith("pytest") else command,
            cwd=ROOT,
            env=environment,
            stdin=None if out is None else subprocess.DEVNULL,
            stdout=out,
            stderr=None if out is None else subprocess.STDOUT,
            check=False,
        ).returncode
        for command in lane.commands
    ]
    return not any(codes)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
