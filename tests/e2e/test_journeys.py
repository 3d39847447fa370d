"""Starts Tidemark as a person would, then sends a real Chromium through the journeys beside this file."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT, data_folder, environment, serving

COLOURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.timeout(1800)
def test_every_journey_in_chromium() -> None:
    npm = shutil.which("npm")
    assert npm is not None, "npm is missing: ./scripts/test brings it"
    with data_folder() as folder, serving(folder, TIDEMARK_RATE_LIMITS="off") as running:
        where = {"TIDEMARK_URL": running.url, "MAILPIT_URL": running.status["MAILPIT_URL"]}
        report = folder.parent / "journeys.json"
        reporters = ["--reporter=default", "--reporter=json", f"--outputFile.json={report}"]
        ended = subprocess.run(
            [npm, "run", "--silent", "e2e", "--", *reporters],
            cwd=ROOT / "frontend",
            env=environment(**where),
            check=False,
        )
        if ended.returncode != 0:
            pytest.fail("\n\n".join(failures(report)) or f"vitest ended with {ended.returncode}", pytrace=False)


def failures(report: Path) -> Iterator[str]:
    """What failed and why, once more and in short: who keeps only the end of the output has it."""
    if not report.exists():
        return
    for file in json.loads(report.read_text())["testResults"]:
        name = Path(file["name"]).name
        failed = [one for one in file["assertionResults"] if one["status"] == "failed"]
        yield from (f"FAILED {name}: {one['fullName']}\n{_why(one)}" for one in failed)
        if file["status"] == "failed" and not failed:
            yield f"FAILED {name}\n{_short(file['message'])}"


def _why(test: dict[str, Any]) -> str:
    messages = [_short(message) for message in test["failureMessages"]]
    return "\n".join([*messages, *test.get("meta", {}).get("pages", [])])


def _short(message: str) -> str:
    """Without colours, and without the way through the libraries."""
    lines = [line for line in COLOURS.sub("", message).splitlines() if "node_modules" not in line]
    return "\n".join(lines[:25])[:2_000]
