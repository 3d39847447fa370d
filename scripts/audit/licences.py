"""Under what terms we may use what we depend on. Those of tests and benchmarks bind nobody who runs Tidemark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from types import MappingProxyType
from typing import Any

from scripts.audit.locks import NPM_FOLDERS, normal, npm_lock, pinned, python_locks

# Each lets anybody use, change and pass on; what MPL-2.0 asks for concerns its own files alone.
WELCOME = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "CNRI-Python", "ISC",
        "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
_BY_WORDS = re.compile(r"apache|mozilla|\bisc\b|python software|\bmit\b|\bbsd\b", re.IGNORECASE)
# Those whose packages name none; read by a person, in the file that they bring.
READ: Mapping[str, str] = MappingProxyType({"peewee": "MIT", "ta-lib": "BSD-2-Clause"})


def of(package: Distribution) -> str:
    """What it says of itself, the newest way first."""
    metadata = package.metadata

    def first(name: str) -> str:
        return str((metadata.get_all(name) or [""])[0]).strip().partition("\n")[0]

    classifiers = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    named = first("License-Expression") or " AND ".join(classifiers) or first("License")
    return READ.get(normal(metadata["Name"]), named[:100] or "none named")


def is_welcome(licence: str) -> bool:
    """All that must be kept at once is welcome; of several to choose from one is enough."""
    choices = re.split(r"\s+OR\s+", licence.strip("()"))
    return any(all(_is_one(part) for part in re.split(r"\s+(?:AND|WITH)\s+", one.strip("()"))) for one in choices)


def _is_one(name: str) -> bool:
    name = name.strip("() ")
    return name in WELCOME or _BY_WORDS.search(name) is not None


def python_faults(names: Iterable[str], installed: Iterable[Distribution]) -> list[str]:
    wanted = set(names)
    found = {normal(one.metadata["Name"]): of(one) for one in installed}
    return [
        f"{name}: {licence}" for name, licence in sorted(found.items()) if name in wanted and not is_welcome(licence)
    ]


def npm_faults(folder: str, lock: Mapping[str, Any]) -> list[str]:
    """Of those that the web app or the server takes along."""
    used = {path: facts for path, facts in lock["packages"].items() if path and not facts.get("dev")}
    return [
        f"{folder}, {path.rpartition('node_modules/')[2]}: {facts.get('license', 'none named')}"
        for path, facts in used.items()
        if not is_welcome(str(facts.get("license", "none named")))
    ]


def faults() -> list[str]:
    names = [one.name for one in pinned(python_locks()["run"])]
    return python_faults(names, distributions()) + [
        fault for folder in NPM_FOLDERS[:2] for fault in npm_faults(folder, npm_lock(folder))
    ]
