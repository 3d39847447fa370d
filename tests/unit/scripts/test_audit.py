"""The audit of what we depend on: what it finds in locks and answers, and that silence is told as silence."""

import json
import subprocess
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import advisories, licences, locks

DIGEST = "    --hash=sha256:" + "0" * 64
GOOD = f"alpha==1.0 \\\n{DIGEST}\nbeta[extra]==2.0 ; python_version < '4' \\\n{DIGEST} \\\n{DIGEST}\n"


def answered(stdout: Any, stderr: str = "", code: int = 0) -> Any:
    text = stdout if isinstance(stdout, str) else json.dumps(stdout)
    return lambda command, folder: subprocess.CompletedProcess(command, code, text, stderr)


def test_a_lock_is_read() -> None:
    found = [(one.name, one.version, one.digests) for one in locks.pinned(GOOD)]
    assert found == [("alpha", "1.0", 1), ("beta", "2.0", 2)]
    assert locks.python_faults({"run": GOOD, "test": GOOD}) == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"run": "alpha==1.0\n"}, "run.txt: alpha 1.0 has no digest"),
        ({"run": f"alpha>=1.0 \\\n{DIGEST}\n"}, "run.txt: 'alpha>=1.0 \\' is no package in one version"),
        ({"run": f"-e git+https://example.com/alpha \\\n{DIGEST}\n"}, "run.txt: '-e git+https://example.com/alpha \\'"),
        ({"run": GOOD, "test": GOOD.replace("1.0", "1.1")}, "alpha is locked in other versions for tests than for use"),
    ],
)
def test_what_is_wrong_with_locks_is_said(texts: dict[str, str], said: str) -> None:
    (fault,) = locks.python_faults(texts)
    assert fault.startswith(said)


class Installed(Distribution):
    """One package, by what it says of itself."""

    def __init__(self, name: str, **facts: str) -> None:
        self._text = f"Name: {name}\nVersion: 1.0\n" + "".join(f"{key}: {value}\n" for key, value in facts.items())

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return Path(path)


def test_what_is_installed_and_in_no_lock_is_named() -> None:
    installed = [Installed("Alpha"), Installed("Smuggled_in"), Installed("pip")]
    assert locks.strangers(locks.pinned(GOOD), installed) == ["smuggled-in 1.0"]


def test_packages_of_npm_have_digests_and_name_no_address() -> None:
    packages = {
        "": {},
        "node_modules/good": {"integrity": "sha512-x"},
        "node_modules/bare": {},
        "node_modules/near": {"integrity": "sha512-x", "resolved": "git+ssh://git@example.com/near.git"},
    }
    assert locks.npm_faults("web", {"lockfileVersion": 3, "packages": packages}) == [
        "web: bare has no digest",
        "web: near names where it comes from, by git+ssh",
    ]
    assert locks.npm_faults("web", {"lockfileVersion": 1}) == ["web: its lock is not of version 3"]


@pytest.mark.parametrize(
    ("licence", "is_welcome"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("(GPL-3.0-only OR MIT)", True),
        ("BSD License", True),
        ("Apache-2.0 WITH Commons-Clause-1.0", False),
        ("GNU Affero General Public License v3 or later (AGPLv3+)", False),
        ("MIT AND GPL-3.0-only", False),
        ("none named", False),
    ],
)
def test_terms_are_judged(licence: str, is_welcome: bool) -> None:
    assert licences.is_welcome(licence) == is_welcome


def test_a_package_of_foreign_terms_is_named() -> None:
    installed = [
        Installed("alpha", **{"License-Expression": "MIT"}),
        Installed("beta", Classifier="License :: OSI Approved :: GNU General Public License v3 (GPLv3)"),
        Installed("gamma", License="Proprietary"),
    ]
    assert licences.python_faults(["alpha", "beta"], installed) == ["beta: GNU General Public License v3 (GPLv3)"]


def test_a_weakness_that_is_known_is_found() -> None:
    known = {"name": "alpha", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    answer = advisories.of_python("test", answered({"dependencies": [known]}, code=1))
    assert (answer.asked, answer.weaknesses, answer.unasked) == (1, ["alpha 1.0: PYSEC-1, mended in 1.1"], [])
    said = {
        "vulnerabilities": {"left": {"range": "<2", "severity": "high"}},
        "metadata": {"dependencies": {"total": 9}},
    }
    npm = advisories.of_npm("frontend", answered(said, code=1))
    assert (npm.asked, npm.weaknesses) == (9, ["left <2: high"])


def test_who_does_not_answer_is_named_and_nothing_is_claimed() -> None:
    skipped = {"name": "alpha", "skip_reason": "Dependency not found"}
    silent = advisories.of_python("test", answered({"dependencies": [skipped]}))
    assert (silent.asked, silent.weaknesses) == (0, [])
    assert silent.unasked == ["1 of 1 packages are unknown to the index that was asked"]
    away = answered("", "Traceback\nConnectionError: no route to host\n", 1)
    for answer in (advisories.of_python("test", away), advisories.of_npm("frontend", away)):
        assert (answer.asked, answer.unasked) == (0, ["ConnectionError: no route to host"])
