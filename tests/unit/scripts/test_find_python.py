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


def find(named: Path | str) -> subprocess.CompletedProcess[str]:
    return run({"TIDEMARK_PYTHON": str(named)})


def find_on(path: Path) -> subprocess.CompletedProcess[str]:
    return run({"TIDEMARK_PYTHON": "", "PATH": str(path)})


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(SCRIPT)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_takes(tmp_path: Path, version: str) -> None:
    fake = python_of_version(tmp_path, version)
    assert find(fake).stdout.strip() == str(fake)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14"])
def test_refuses_by_name(tmp_path: Path, version: str) -> None:
    fake = python_of_version(tmp_path, version)
    answer = find(fake)
    assert answer.returncode == 3
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr
    assert f"{fake} is Python {version}" in answer.stderr


def test_takes_the_first_on_the_path_that_will_do(tmp_path: Path) -> None:
    python_of_version(tmp_path, "3.10").rename(tmp_path / "python3")
    good = python_of_version(tmp_path, "3.12")
    assert find_on(tmp_path).stdout.strip() == str(good)


def test_takes_the_named_one_from_a_folder_with_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "my pythons"
    folder.mkdir()
    fake = python_of_version(folder, "3.12")
    assert find(fake).stdout.strip() == str(fake)


def test_says_what_to_install_when_venv_is_missing(tmp_path: Path) -> None:
    answer = find(python_of_version(tmp_path, "3.12", has_venv=False))
    assert answer.returncode == 3
    assert "apt-get install python3.12-venv" in answer.stderr


def test_says_so_when_there_is_none(tmp_path: Path) -> None:
    answer = find_on(tmp_path)
    assert answer.returncode == 3
    assert "No Python was found" in answer.stderr


def test_says_so_when_the_named_one_is_not_there() -> None:
    answer = find("/nowhere/python3")
    assert answer.returncode == 3
    assert "TIDEMARK_PYTHON names /nowhere/python3, which does not run" in answer.stderr
