"""Runs copied Python as a notebook would, all in one process: snippets come in, what each came to goes out."""

import contextlib
import io
import json
import sys
from typing import Any

from backend.domain.errors import TidemarkError


def main() -> None:
    json.dump({name: _run(snippet) for name, snippet in json.load(sys.stdin).items()}, sys.stdout, default=str)


def _run(snippet: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(compile(snippet, "copied", "exec"), names)
        except TidemarkError as problem:
            return {"error": str(problem)}
    return {"printed": printed.getvalue(), **_facts(names)}


def _facts(names: dict[str, Any]) -> dict[str, Any]:
    """By the names that the snippets give to what they made."""
    match names:
        case {"result": made} if hasattr(made, "manifest"):
            return {"config": made.record.config, "manifest": dict(made.manifest), "statistics": dict(made.statistics)}
        case {"result": made}:
            return dict(made.document)
        case {"model": made}:
            return dict(made.card)
        case {"prediction": made}:
            return dict(made.document())
        case _:
            bars = names["bars"]
            return {"rows": len(bars), "content_hash": bars.content_hash}


if __name__ == "__main__":
    main()
