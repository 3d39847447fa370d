"""`./scripts/test audit`: locks, licences, known weaknesses, and secrets in files and history. Fails for what it found;
never for want of a network, and says what could not be asked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from scripts.audit import advisories, leaks, licences, locks, repository

MOST_SHOWN = 40


def main() -> int:
    faults = [
        *_section("Locks: one version of each, with digests; nothing else is installed", locks.faults()),
        *_section("Licences of what is taken along", licences.faults()),
        *_weaknesses(),
        *_secrets(),
    ]
    print(f"\n{len(faults)} to mend." if faults else "\nNothing to mend among what could be looked at.")
    return 1 if faults else 0


def _section(title: str, faults: Iterable[str]) -> list[str]:
    found = list(faults)
    print(f"{title}: {'fine' if not found else f'{len(found)} found'}")
    for fault in found[:MOST_SHOWN]:
        print(f"  {fault}")
    return found


def _weaknesses() -> list[str]:
    found: list[str] = []
    for answer in advisories.of_everything():
        title = f"Known weaknesses, {answer.about}"
        if answer.asked:
            found += _section(f"{title}, {answer.asked} packages looked up", answer.weaknesses)
        else:
            print(f"{title}: UNKNOWN, nobody could be asked")
        for reason in answer.unasked:
            print(f"  NOT ASKED: {reason}")
    return found


def _secrets() -> list[str]:
    began = time.monotonic()
    found = leaks.unknown(leak for read in repository.files() for leak in leaks.find(read.text, read.path))
    seen = {leak.digest for leak in found}
    if repository.has_history():
        count, is_all = repository.commits()
        scope = f"the files and {count} commits" + ("" if is_all else ", which are not all: the clone is shallow")
        old = leaks.unknown(leak for read in repository.history() for leak in leaks.find(read.text, read.path))
        found += [leak for leak in old if leak.digest not in seen]
    else:
        scope = "the files; no history is here"
    title = f"Secrets in {scope}, {time.monotonic() - began:.0f} s"
    return _section(title, (f"{leak}. If it is none, add its digest to scripts/audit/known.txt." for leak in found))


if __name__ == "__main__":
    sys.exit(main())
