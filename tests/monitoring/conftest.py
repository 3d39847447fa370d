"""The files of docs/monitoring, promtool to judge them, and the metrics of a server that has seen some life."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.promtool import promtool
from tests.integration.trader import BROKEN, ECHO, SETTINGS, Trader, until
from tests.serving import ROOT, WITH_WORKS, Running, data_folder, serving

FOLDER = ROOT / "docs" / "monitoring"
_SUFFIXES = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}


@dataclass(frozen=True, kw_only=True)
class Exposed:
    """What /metrics said: the whole text, the type of each family, and the labels seen on each name."""

    text: str
    types: Mapping[str, str]
    labels: Mapping[str, frozenset[str]]
    # Every value that any label had.
    values: frozenset[str]

    @property
    def names(self) -> set[str]:
        """Every name that a query can ask for."""
        return {family + suffix for family, type_ in self.types.items() for suffix in _SUFFIXES[type_]}


@pytest.fixture(scope="session")
def tool() -> str:
    found = promtool()
    assert found is not None, "promtool is in Debian's package `prometheus`"
    return found


def run(tool: str, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="session")
def dashboard() -> Any:
    return json.loads((FOLDER / "dashboard.json").read_text())


@pytest.fixture(scope="session")
def exposed() -> Iterator[Exposed]:
    with data_folder() as folder, serving(folder, command=WITH_WORKS, **SETTINGS) as running:
        trader = Trader(running)
        live(running, trader)
        text = httpx.get(f"{running.url}/metrics").text
        assert trader.id not in text
        yield read(text)


def live(running: Running, trader: Trader) -> None:
    """Requests that succeed and that fail, jobs that succeed and that fail, and a stream."""
    echoed, broken = trader.has(ECHO, BROKEN)
    trader.waits_for(broken, "failed")
    trader.waits_for(echoed, "completed")
    headers = {"Authorization": f"Bearer {trader.settings['TIDEMARK_TOKEN']}"}
    for path in (f"/api/system/tasks/{trader.id}", "/api/none", f"/web/{trader.id}", "/api/me"):
        httpx.get(f"{running.url}{path}", headers=headers)
    httpx.get(f"{running.url}/api/me", headers={"Authorization": "Bearer nonsense"})
    trader.types("watch", echoed)
    # What runs and waits is counted at each beat.
    until(lambda: 'tidemark_job_wait_seconds_count{kind="export"}' in httpx.get(f"{running.url}/metrics").text)


def read(text: str) -> Exposed:
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels: dict[str, frozenset[str]] = {}
    values: set[str] = set()
    for name, inside in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside)
        labels[name] = labels.get(name, frozenset()) | {label for label, _ in pairs}
        values |= {value for label, value in pairs if label != "le"}
    return Exposed(text=text, types=types, labels=labels, values=frozenset(values))
