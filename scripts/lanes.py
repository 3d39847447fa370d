"""The lanes of `./scripts/test`, in the order that finds a mistake soonest. One that fails does not hide the others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.promtool import promtool

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
    folder: Path = ROOT
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
    Lane("imports", "calls go inward", [(str(TOOLS / "lint-imports"),)]),
    Lane("unit", "the pure parts are right", [pytest("tests/unit")]),
    Lane("oracles", "trades equal those of other engines", [pytest("tests/oracles")]),
    Lane("contracts", "every adapter keeps its port's promise", [pytest("tests/contracts"), pytest("tests/vendors")]),
    Lane(
        "integration",
        "real Postgres, Supabase's clients and command line",
        [pytest("tests/integration", "--numprocesses=2", "--dist=loadfile")],
    ),
    Lane("api", "the HTTP face of a running process", [pytest("tests/api")]),
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
    Lane("e2e", "whole journeys in Chromium", [pytest("tests/e2e", "--capture=no")], needs_browser=True),
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
    results = [(lane, *timed(lambda lane=lane: run(lane, extra))) for lane in chosen]  # type: ignore[misc]  # bound early
    print(
        "\n"
        + "\n".join(f"{'passed' if ok else 'FAILED':<7} {lane.name:<12} {took:5.0f} s" for lane, ok, took in results)
    )
    failed = sum(not ok for _, ok, _ in results)
    print(f"lanes: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def split(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Lane names come before `--`, options for pytest after it."""
    if "--" not in arguments:
        return arguments, ()
    at = arguments.index("--")
    return arguments[:at], tuple(arguments[at + 1 :])


def timed(check: Callable[[], bool]) -> tuple[bool, float]:
    began = time.monotonic()
    return check(), time.monotonic() - began


def run(lane: Lane, extra: tuple[str, ...]) -> bool:
    print(f"\n== {lane.name}: {lane.proves}", flush=True)
    environment = {**os.environ, **NODE_ENVIRONMENT, "TIDEMARK_ENV_FILE": ""}
    if lane.needs_browser:
        browser = chromium()
        if browser is None:
            return False
        environment["CHROMIUM_PATH"] = browser
    if lane.needs_promtool:
        tool = promtool()
        if tool is None:
            return False
        environment["PROMTOOL_PATH"] = tool
    # Every command runs even if one before it failed: one run shows all there is to mend.
    codes = [
        subprocess.run(
            (*command, *extra) if command[0].endswith("pytest") else command,
            cwd=lane.folder,
            env=environment,
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
    sys.exit(main(sys.argv[1:]))
