"""Starts Tidemark as a person would, then sends a real Chromium through the journeys beside this file."""

import shutil
import subprocess

import pytest

from tests.serving import ROOT, data_folder, environment, serving


@pytest.mark.timeout(1800)
def test_every_journey_in_chromium() -> None:
    npm = shutil.which("npm")
    assert npm is not None, "npm is missing: ./scripts/test brings it"
    with data_folder() as folder, serving(folder, TIDEMARK_RATE_LIMITS="off") as running:
        where = {"TIDEMARK_URL": running.url, "MAILPIT_URL": running.status["MAILPIT_URL"]}
        ended = subprocess.run(
            [npm, "run", "--silent", "e2e"], cwd=ROOT / "frontend", env=environment(**where), check=False
        )
    assert ended.returncode == 0
