"""What each route is expected to answer to whom, read from routes.toml and compared with the routes that there are."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Route

from backend.api.app import AUTH_PATH, describe_api
from backend.api.rooms import ROOMS_PATH
from backend.api.task_events import TASK_EVENTS_PATH
from backend.infrastructure.supabase.auth_server.app import ANY, ROUTES

TABLE = Path(__file__).with_name("routes.toml")
AUTH_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One route of ours. An expectation is a status, or a status and the code of its problem."""

    method: str
    path: str
    # Whom it lets in, as its document says.
    reach: str
    # What the id names that stands as {id} in path, query or body; see belongings.py. None: there is no id.
    thing: str | None = None
    own: str
    # Another's, and what is nobody's, are answered alike.
    other: str | None = None
    # What is no id at all.
    malformed: str | None = None
    # Answers to who is let in nowhere else, where this route differs.
    suspended: str | None = None
    # The session itself is looked up: a signed-out one is refused.
    is_live: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Table:
    rows: Mapping[str, Row]
    # By reach: what each kind of stranger is answered.
    refusals: Mapping[str, Mapping[str, str]]
    # By route of Supabase Auth: whom it lets in.
    auth: Mapping[str, str]
    auth_answers: Mapping[str, Mapping[str, str]]


def table() -> Table:
    read = tomllib.loads(TABLE.read_text())
    rows = {name: _row(name, facts) for name, facts in read["routes"].items()}
    return Table(rows=rows, refusals=read["refusals"], auth=read["auth"], auth_answers=read["auth-answers"])


def _row(name: str, facts: Mapping[str, Any]) -> Row:
    method, _, path = name.partition(" ")
    return Row(method=method, path=path, **{key: _text(key, value) for key, value in facts.items()})


def _text(key: str, value: Any) -> Any:
    return str(value) if key in ("own", "other", "malformed", "suspended") else value


def routes() -> list[str]:
    """Every operation that the app answers, also those that no document shows, the stream and the socket."""
    found = {
        f"{method} {route.path_format}"
        for route in _flat(describe_api().routes)
        for method in (route.methods or set()) - {"HEAD"}
    }
    return sorted({*found, f"GET {TASK_EVENTS_PATH}", f"WS {ROOMS_PATH}"})


def _flat(found: Iterable[BaseRoute]) -> Iterator[Route]:
    """An included router is one route that holds its own."""
    for route in found:
        if isinstance(route, Route):
            yield route
        else:
            yield from _flat(route.original_router.routes)  # type: ignore[attr-defined]  # FastAPI gives it no public type


@cache
def document() -> Mapping[str, Any]:
    """Making it takes seconds."""
    return describe_api().openapi()


def documented_reach() -> dict[str, str]:
    """What the OpenAPI document says of each operation."""
    return {
        f"{method.upper()} {path}": operation["x-tidemark-scope"]
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }


def auth_routes() -> list[str]:
    """Every operation of Supabase Auth, as it is served by us."""
    return [
        f"{method} {AUTH_PATH}{path}"
        for path, handlers in ROUTES.items()
        for method in (AUTH_METHODS if ANY in handlers else handlers)
    ]
