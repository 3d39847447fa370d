"""Whether what is installed is what was locked: each package in one version, with the digests of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = ROOT / "scripts" / "locks"
NPM_FOLDERS = ("frontend", "supabase/embedded", "tests/integration/auth/js", "scripts/benches/browsing")
# The environment brings them, and the project is itself.
UNLOCKED = frozenset({"pip", "setuptools", "tidemark"})
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One package of a lock."""

    name: str
    version: str
    digests: int


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> Iterator[Pinned]:
    """Raises ValueError for a line that is neither a package in one version nor a digest of the one above."""
    found: dict[str, str] | None = None
    digests = 0
    for line in [*(line.strip() for line in text.splitlines()), ""]:
        if line.startswith("--hash=sha256:"):
            digests += 1
            continue
        if found is not None:
            yield Pinned(name=normal(found["name"]), version=found["version"], digests=digests)
        found, digests = None, 0
        if line and not line.startswith("#"):
            match = _PINNED.match(line)
            if match is None:
                raise ValueError(f"'{line[:80]}' is no package in one version")
            found = match.groupdict()


def python_faults(texts: Mapping[str, str]) -> list[str]:
    """What is wrong with the locks, by their names: `run` is part of `test`, in the same versions."""
    faults, versions = [], dict[str, dict[str, set[str]]]()
    for name, text in texts.items():
        try:
            packages = list(pinned(text))
        except ValueError as error:
            faults.append(f"{name}.txt: {error}")
            continue
        faults += [f"{name}.txt: {one.name} {one.version} has no digest" for one in packages if not one.digests]
        for one in packages:
            versions.setdefault(name, {}).setdefault(one.name, set()).add(one.version)
    for name, found in versions.get("run", {}).items():
        if versions.get("test", {}).get(name, found) != found:
            faults.append(f"{name} is locked in other versions for tests than for use")
    return faults


def strangers(locked: Iterable[Pinned], installed: Iterable[Distribution]) -> list[str]:
    """What is installed, and in no lock in that version."""
    known = {(one.name, one.version) for one in locked}
    found = {(normal(one.metadata["Name"]), one.version) for one in installed}
    return [f"{name} {version}" for name, version in sorted(found - known) if name not in UNLOCKED]


def npm_faults(folder: str, lock: Mapping[str, Any]) -> list[str]:
    """Every package has the digest of its archive, and none names an address: each asks a registry of its own."""
    packages = lock.get("packages")
    if lock.get("lockfileVersion") != 3 or not isinstance(packages, dict):
        return [f"{folder}: its lock is not of version 3"]
    faults = []
    for path, facts in packages.items():
        if not path or facts.get("link"):
            continue
        name = path.rpartition("node_modules/")[2]
        if source := str(facts.get("resolved", "")):
            faults.append(f"{folder}: {name} names where it comes from, by {source.partition('://')[0]}")
        # What another package brings along in its own archive, and builds for other machines, have none of their own.
        if not facts.get("integrity") and not facts.get("inBundle") and not facts.get("optional"):
            faults.append(f"{folder}: {name} has no digest")
    return faults


def python_locks() -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(LOCKS.glob("*.txt"))}


def npm_lock(folder: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / folder / "package-lock.json").read_text())
    return read


def faults() -> list[str]:
    """All of them; nothing here asks anybody."""
    texts = python_locks()
    found = python_faults(texts)
    if not found:
        locked = [one for text in texts.values() for one in pinned(text)]
        found += [f"{one} is installed and in no lock" for one in strangers(locked, distributions())]
    return found + [fault for folder in NPM_FOLDERS for fault in npm_faults(folder, npm_lock(folder))]
