"""A preview of a strategy in a process of its own: small, short, and gone afterwards.

It waits, warm, for one request as JSON on its standard input, answers with JSON, and ends. It has no secrets and no
database, little memory and little time, so neither a stranger's rules nor a slow plugin holds anybody else up.

    python -m backend.worker.previewing <parent's pid>
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.bootstrap_market import open_preview_desk
from backend.domain.errors import InvalidInput, TidemarkError
from backend.domain.strategy_errors import PreviewFailed
from backend.services.market_jobs import series_of
from backend.services.strategy_preview import PreviewWanted, preview
from backend.worker.process import tie_to

MEMORY_BYTES = 1536 << 20
PROCESSOR_SECONDS = 20
IDLE_SECONDS = 600
# What is compiled for the first time is kept on the disk.
LARGEST_FILE_BYTES = 16 << 20
LONGEST_ANSWER = 8 << 20
# Looked at before anybody asks, so that what it takes is there by then.
_WARM: Mapping[str, Any] = {
    "strategy": "rules",
    "parameters": {},
    "series": {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d", "adjustment": "raw", "owner": None},
    "start": None,
    "end": "2020-01-01T00:00:00+00:00",
    "bars": 1,
}


def main(parent: int) -> None:
    tie_to(parent)
    _stay_small()
    signal.alarm(IDLE_SECONDS)
    _answered(_WARM)
    asked = sys.stdin.buffer.read()
    if not asked:
        return
    signal.alarm(0)
    answer = json.dumps(_answered(json.loads(asked)), allow_nan=False)
    if len(answer) > LONGEST_ANSWER:
        answer = json.dumps(_refusal(PreviewFailed("The preview is too large. Ask for fewer bars.")))
    sys.stdout.write(answer)


def _answered(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return look(asked, os.environ)
    except TidemarkError as problem:
        return _refusal(problem)
    except MemoryError:
        return _refusal(
            PreviewFailed(f"It takes more than {MEMORY_BYTES >> 20:,} MiB of memory. Use fewer indicators or bars.")
        )


def look(asked: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What the strategy says on these bars."""
    desk = open_preview_desk(environment)
    wanted = PreviewWanted(
        strategy=asked["strategy"],
        parameters=asked["parameters"],
        series=series_of(asked["series"]),
        start=datetime.fromisoformat(asked["start"]) if asked["start"] else None,
        end=datetime.fromisoformat(asked["end"]) if asked["end"] else None,
        bars=asked["bars"],
    )
    strategy = desk.registry.strategy(wanted.strategy, wanted.parameters)
    instrument, until = desk.what_there_is(wanted.series)
    predictions = desk.predictions() if strategy.learns else None
    return preview(wanted, strategy, desk.read, instrument=instrument, until=until, predictions=predictions)


def _refusal(problem: TidemarkError) -> dict[str, Any]:
    errors = problem.errors if isinstance(problem, InvalidInput) else ()
    return {
        "problem": problem.code,
        "detail": problem.detail,
        "errors": [[one.pointer, one.detail] for one in errors],
    }


def _stay_small() -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(int(sys.argv[1]))
