"""`scripts/find-python` takes 3.11 to 3.13 and refuses every other one by name."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "find-python"


def python_of_version(folder: Path, version: str, *, has_venv: bool = True) -> Path:
    """An interpreter that says what the script asks for."""
    fake = folder / f"python{version}"
    imports = "exit 0" if has_venv else "exit 1"
    fake.write_text(f'#!/bin/sh\ncase "$2" in *version_info*) echo {version} ;; *) {imports} ;; esac\n')
    fake.chmod(0o755)
    return fake


def find(candidates: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIDEMARK_PYTHON": candidates}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_takes(tmp_path: Path, version: str) -> None:
    fake = python_of_version(tmp_path, version)
    assert find(str(fake)).stdout.strip() == str(fake)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14"])
def test_refuses_by_name(tmp_path: Path, version: str) -> None:
    fake = python_of_version(tmp_path, version)
    answer = find(str(fake))
    assert answer.returncode == 3
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr
    assert f"{fake} is Python {version}" in answer.stderr


def test_takes_the_first_that_will_do(tmp_path: Path) -> None:
    old, good = python_of_version(tmp_path, "3.10"), python_of_version(tmp_path, "3.12")
    assert find(f"{old} {good}").stdout.strip() == str(good)


def test_says_what_to_install_when_venv_is_missing(tmp_path: Path) -> None:
    answer = find(str(python_of_version(tmp_path, "3.12", has_venv=False)))
    assert answer.returncode == 3
    assert "apt-get install python3.12-venv" in answer.stderr


def test_says_so_when_there_is_none() -> None:
    answer = find("/nowhere/python3")
    assert answer.returncode == 3
    assert "No Python was found" in answer.stderr
