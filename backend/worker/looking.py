"""A look at a file that a stranger uploaded, in a process of its own: small, short, and gone afterwards.

It waits, warm, for one request as JSON on its standard input, answers with JSON, and ends. What the file does to it, it
does to nobody else: it has no secrets and no database, little memory, little time, and cannot write a file.

    python -m backend.worker.looking <parent's pid>
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from backend.bootstrap_market import open_desk
from backend.domain.errors import InvalidInput
from backend.domain.imports import UnrecognisedColumns
from backend.domain.market import Timeframe
from backend.domain.market_errors import BadFile, MarketDataError
from backend.services.importing import facts_of_preview, glance, preview, reading_of
from backend.worker.process import tie_to

MEMORY_BYTES = 1 << 30
PROCESSOR_SECONDS = 20
# One that nobody asks is not kept.
IDLE_SECONDS = 600
# Names of columns can be of any length.
LONGEST_ANSWER = 4 << 20


def main(parent: int) -> None:
    tie_to(parent)
    _stay_small()
    signal.alarm(IDLE_SECONDS)
    asked = sys.stdin.buffer.read()
    if not asked:
        return
    signal.alarm(0)
    answer = json.dumps(_answered(json.loads(asked)), allow_nan=False)
    if len(answer) > LONGEST_ANSWER:
        answer = json.dumps(_refusal(BadFile("The names of its columns are too long.")))
    sys.stdout.write(answer)


def _answered(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return look(asked)
    except InvalidInput as problem:
        return {"invalid": [[one.pointer, one.detail] for one in problem.errors]}
    except MarketDataError as problem:
        return _refusal(problem)
    except MemoryError:
        return _refusal(BadFile(f"It takes more than {MEMORY_BYTES >> 20:,} MiB of memory to read. Split it."))


def look(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is understood of the first rows."""
    uploads = open_desk(os.environ).uploads
    upload = uploads.find(UUID(asked["owner"]), UUID(asked["upload_id"]))
    table = uploads.first_rows(upload, asked["rows"])
    reading = reading_of(asked["reading"]) if asked["reading"] else None
    timeframe = Timeframe(asked["timeframe"]) if asked["timeframe"] else None
    try:
        seen = preview(table, reading, timeframe, asked["calendar"], most_rows=asked["rows"], until=datetime.now(UTC))
    except UnrecognisedColumns as problem:
        seen = glance(table, problem.reading, most_rows=asked["rows"])
    return facts_of_preview(seen)


def _refusal(problem: MarketDataError) -> dict[str, Any]:
    return {"error": problem.code, "detail": problem.detail}


def _stay_small() -> None:
    os.nice(5)
    # Address space is no measure: libraries reserve much of it that they never touch.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(int(sys.argv[1]))
