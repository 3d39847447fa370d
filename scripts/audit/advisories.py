"""Asks who knows of weaknesses whether what we depend on has one. Who cannot be asked is named; silence is no "no"."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.audit.locks import LOCKS, NPM_FOLDERS, ROOT

LONGEST_SECONDS = 180
ONE_ANSWER_SECONDS = 10
Run = Callable[[Sequence[str | Path], Path], subprocess.CompletedProcess[str]]


@dataclass(kw_only=True)
class Answer:
    """What came back: weaknesses, how many packages were looked up, and what could not be asked, with the reason."""

    about: str
    weaknesses: list[str] = field(default_factory=list)
    asked: int = 0
    unasked: list[str] = field(default_factory=list)


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    words = [str(part) for part in command]
    try:
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no answer within {LONGEST_SECONDS} s")
    except OSError as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))


def of_python(name: str, run: Run = run) -> Answer:
    """By pip-audit, over a lock as it stands: nothing is installed or resolved for it."""
    answer = Answer(about=f"scripts/locks/{name}.txt")
    command = (sys.executable, "-m", "pip_audit", "-r", LOCKS / f"{name}.txt", "--no-deps", "--disable-pip")
    ended = run((*command, "-f", "json", "--progress-spinner", "off", "--timeout", str(ONE_ANSWER_SECONDS)), ROOT)
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        answer.unasked.append(_reason(ended))
        return answer
    skipped = [package for package in packages if "skip_reason" in package]
    answer.asked = len(packages) - len(skipped)
    if skipped:
        answer.unasked.append(f"{len(skipped)} of {len(packages)} packages are unknown to the index that was asked")
    answer.weaknesses = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    return answer


def of_npm(folder: str, run: Run = run) -> Answer:
    """By npm itself, over its lock."""
    answer = Answer(about=f"{folder}/package-lock.json")
    ended = run((shutil.which("npm") or "npm", "audit", "--json", "--package-lock-only", "--audit=true"), ROOT / folder)
    try:
        said = json.loads(ended.stdout[ended.stdout.index("{") :])
        count = said["metadata"]["dependencies"]["total"]
    except (ValueError, KeyError, TypeError):
        answer.unasked.append(_reason(ended))
        return answer
    answer.asked = count
    answer.weaknesses = [
        f"{name} {found['range']}: {found['severity']}" for name, found in sorted(said["vulnerabilities"].items())
    ]
    return answer


def of_everything() -> list[Answer]:
    return [of_python("test"), *(of_npm(folder) for folder in NPM_FOLDERS[:2])]


def _reason(ended: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
    named = [
        line for line in lines if "error" in line.lower() or "not allowed" in line.lower() or "failed" in line.lower()
    ]
    said = (named or lines or [f"it ended with {ended.returncode}"])[-1 if not named else 0]
    return said.replace(os.sep + str(ROOT).lstrip(os.sep), ".")[:160]
