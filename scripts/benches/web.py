"""The web app in Chromium: sizes, the first visit, charts, tables, events on their way, axe, Lighthouse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.benches.figures import Figure, at_least, at_most
from tests.serving import Running, data_folder, serving

ROOT = Path(__file__).parents[2]
BROWSING = Path(__file__).parent / "browsing"
_SETTINGS = {"TIDEMARK_RATE_LIMITS": "off"}
# The last one kills the server.
_PARTS = ("chart", "trades", "lighthouse", "looks", "visits")
_KIB = 1024


def run() -> Sequence[Figure]:
    chromium = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("There is no Chromium. Install it (apt-get install chromium), or name it in CHROMIUM_PATH.")
    subprocess.run(["npm", "ci", "--loglevel=error"], cwd=BROWSING, check=True, stdout=subprocess.DEVNULL)
    figures = _sizes()
    with data_folder() as folder, serving(folder, **_SETTINGS) as running:
        for part in _PARTS:
            print(f"Measuring {part}", file=sys.stderr)
            figures += _measured(part, running, chromium)
    return figures


def _sizes() -> list[Figure]:
    """Of the web app as it is built, gzipped, beside what was meant for each."""
    answer = subprocess.run(
        ["npx", "size-limit", "--json"], cwd=ROOT / "frontend", capture_output=True, text=True, check=False
    )
    goals = (140, 20, 450)
    return [
        at_most(f"size: {one['name']}", one["size"] / _KIB, "KiB", goal)
        for one, goal in zip(json.loads(answer.stdout), goals, strict=True)
    ]


def _measured(part: str, running: Running, chromium: str) -> list[Figure]:
    environment = {**os.environ, "TIDEMARK_URL": running.url, "CHROMIUM_PATH": chromium}
    figures = []
    with subprocess.Popen(
        ["node", f"{part}.mjs"], cwd=BROWSING, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a process that was started with pipes has them")
        for line in process.stdout:
            if line == "ready\n":
                running.process.send_signal(signal.SIGKILL)
                process.stdin.write(f"{time.time() * 1_000}\n")
                process.stdin.flush()
            else:
                figures.append(_figure(json.loads(line)))
    if process.returncode:
        raise RuntimeError(f"{part}.mjs ended with {process.returncode}")
    return figures


def _figure(said: dict[str, Any]) -> Figure:
    work, value, unit = said["work"], float(said["value"]), said["unit"]
    if "most" in said:
        return at_most(work, value, unit, said["most"])
    if "least" in said:
        return at_least(work, value, unit, said["least"])
    return Figure(work=work, engine="tidemark", value=value, unit=unit)
