"""`scripts/promtool.py` finds promtool where it may be, and names the package where it is not."""

import os
import shutil
from pathlib import Path

import pytest

from scripts import promtool


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROMTOOL_PATH", raising=False)
    monkeypatch.setattr(promtool, "UNPACKED", tmp_path / "promtool")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_a_machine_without_it_is_told_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert promtool.promtool() is None
    assert "apt-get install prometheus" in capsys.readouterr().err


def test_the_one_that_is_named_comes_first_then_the_machines_then_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unpacked = tmp_path / "promtool" / "usr" / "bin" / "promtool"
    unpacked.parent.mkdir(parents=True)
    unpacked.touch()
    assert promtool.promtool() == str(unpacked)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert promtool.promtool() == "/usr/bin/promtool"
    monkeypatch.setenv("PROMTOOL_PATH", "/opt/promtool")
    assert promtool.promtool() == "/opt/promtool"
