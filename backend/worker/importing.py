"""The work of an import, done in a child: it knows the folder of market data and whose job it is, nothing more."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID


class Stopped(Exception):
    """Its user does not want it any more."""


def run(payload: dict[str, Any], report: Callable[..., None], is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    from backend.bootstrap_market import open_desk  # noqa: PLC0415 - a child that never imports need not load it
    from backend.domain.market_errors import NAMED_AT_ONCE, BadBars  # noqa: PLC0415
    from backend.services.importing import import_upload  # noqa: PLC0415

    def told(rows: int) -> None:
        if is_cancelled():
            raise Stopped
        report("reading", message=f"{rows:,} rows")

    desk = open_desk(os.environ)
    try:
        owner = UUID(payload["user_id"])
        return import_upload(
            payload,
            owner,
            told,
            store=desk.store,
            uploads=desk.uploads,
            quotas=desk.quotas,
            now=datetime.now(UTC),
        )
    except Stopped:
        return {}
    except BadBars as problem:
        sys.stdout.write(f"{problem.by_line}\n")  # into the log of the task
        sys.stdout.flush()
        more = f" The log of this task names the first {len(problem.rows)}." if problem.count > NAMED_AT_ONCE else ""
        problem.detail += f"{more} Nothing was stored: correct them, or import the file and leave bad rows out."
        raise
