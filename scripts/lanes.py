"""The lanes of `./scripts/test`, in the order that finds a mistake soonest; beside each other where the cores allow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scripts.promtool import promtool
from scripts.side_by_side import cores_of_this_machine, run_all

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv" / "bin"
NODE_ENVIRONMENT = {"PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Command = tuple[str, ...]


@dataclass(frozen=True)
class Lane:
    """One kind of check: what it proves, and the commands that prove it."""

    name: str
    proves: str
    commands: Sequence[Command]
    # How many it keeps busy. One that waits for a browser or a clock leaves room beside it.
    cores: int = 1
    needs_browser: bool = False
    needs_promtool: bool = False


def pytest(folder: str, *options: str) -> Command:
    return (str(TOOLS / "pytest"), folder, "-q", *options)


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
        [(str(TOOLS / "python"), "-m", "scripts.audit")],
    ),
    Lane("imports", "calls go inward", [(str(TOOLS / "lint-imports"),)]),
    Lane("unit", "the pure parts are right", [pytest("tests/unit")]),
    # It takes longest and waits most, so it begins early and the next ones run beside it.
    Lane("e2e", "whole journeys in Chromium", [pytest("tests/e2e", "--capture=no")], needs_browser=True),
    Lane("contracts", "every adapter keeps its port's promise", [pytest("tests/contracts"), pytest("tests/vendors")]),
    Lane("api", "the HTTP face of a running process", [pytest("tests/api")]),
    Lane("oracles", "trades equal those of other engines", [pytest("tests/oracles")]),
    Lane(
        "monitoring",
        "alerts ring, and the dashboard shows what there is",
        [pytest("tests/monitoring")],
        needs_promtool=True,
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
        cores=2,
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
    # What a lane lacks is brought before any begins.
    surroundings = {lane.name: surroundings_of(lane) for lane in chosen}
    results = run_all(
        chosen, lambda lane, out: run(lane, surroundings[lane.name], extra, out), cores=cores_of_this_machine()
    )
    print()
    for result in results:
        print(f"{'passed' if result.ok else 'FAILED':<7} {result.work.name:<12} {result.seconds:5.0f} s")
    failed = sum(not result.ok for result in results)
    print(f"lanes: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def split(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Lane names come before `--`, options for pytest after it."""
    if "--" not in arguments:
        return arguments, ()
    at = arguments.index("--")
    return arguments[:at], tuple(arguments[at + 1 :])


def surroundings_of(lane: Lane) -> dict[str, str] | None:
    """The environment of its commands; None when what it needs is neither there nor to be had."""
    environment = {**os.environ, **NODE_ENVIRONMENT, "TIDEMARK_ENV_FILE": ""}
    for is_needed, name, bring in (
        (lane.needs_browser, "CHROMIUM_PATH", chromium),
        (lane.needs_promtool, "PROMTOOL_PATH", promtool),
    ):
        if is_needed:
            found = bring()
            if found is None:
                return None
            environment[name] = found
    return environment


def run(lane: Lane, environment: dict[str, str] | None, extra: tuple[str, ...], out: IO[bytes] | None) -> bool:
    if environment is None:
        return False
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


def chromium() -> str | None:
    """The browser of this machine; on Debian and Ubuntu a root gets it installed, anyone else is told its name."""
    found = find_chromium()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("No Chromium on this machine; installing Debian's package `chromium`.", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(("apt-get", "update", "-qq"), env=quiet, check=False)
        subprocess.run(
            ("apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"),
            env=quiet,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        found = find_chromium()
    if found is None:
        print(
            "The end-to-end tests need a Chromium and found none. Install the package `chromium` "
            "(Debian: apt-get install chromium), or name yours: CHROMIUM_PATH=/path/to/chromium",
            file=sys.stderr,
        )
    return found


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM_PATH")
    return named or next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
