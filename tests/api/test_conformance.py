"""Schemathesis asks over a real socket what nobody would: no answer is a 5xx, and none is undocumented.

First each operation for itself, then one after the other along the links of the document, with ids that are there.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.generation.stateful import run_state_machine_as_test

from backend.api.app import create_app, describe_api
from backend.api.links import GIVES
from tests.api.conftest import open_site
from tests.cluster import FreshDatabase

# A made-up cursor or version has the form of a true one and is refused; a parameter that we do not know is passed over.
TOO_STRICT = [schemathesis.checks.positive_data_acceptance, schemathesis.checks.negative_data_rejection]
# An answer without an end has tests of its own: test_task_events.py.
# They end whoever asks, so somebody else asks.
FAREWELLS = ("delete_my_account", "end_my_sessions", "end_my_session")
schema = schemathesis.openapi.from_dict(describe_api().openapi()).exclude(path="/api/system/task-events")


class Served:
    """The app on a port of its own, in a thread with an event loop of its own."""

    def __init__(self, database: FreshDatabase) -> None:
        self._database = database
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.url = ""
        self.headers: dict[str, str] = {}
        self.farewells: dict[str, dict[str, str]] = {}
        self.headers_of_admin: dict[str, str] = {}
        self.walkers: dict[bool, dict[str, str]] = {}

    async def _run(self) -> None:
        async with open_site(self._database) as site:
            self.headers = (await site.person()).headers
            self.farewells = {operation: (await site.person()).headers for operation in FAREWELLS}
            self.headers_of_admin = (await site.administrator()).headers
            self.walkers = {False: (await site.person()).headers, True: (await site.administrator()).headers}
            self._server = uvicorn.Server(
                uvicorn.Config(create_app(site.house), port=0, log_config=None, access_log=False)
            )
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = self._server.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            self._ready.set()
            await serving

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)


@pytest.fixture(scope="module")
def served(database: FreshDatabase) -> Iterator[Served]:
    with Served(database) as served:
        yield served


@pytest.mark.timeout(400)  # a preview is a process of its own each time
@schema.parametrize()
# So many at random. What each schema bounds, Schemathesis asks beside that, up to some hundred times.
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: Case[Any], served: Served) -> None:
    headers = headers_for(case, served)
    case.call_and_validate(base_url=served.url, headers=headers, excluded_checks=TOO_STRICT, timeout=60)


def headers_for(case: Case[Any], served: Served) -> dict[str, str]:
    if case.path.startswith("/api/admin/"):
        return served.headers_of_admin
    return served.farewells.get(case.operation.definition.raw["operationId"], served.headers)


# A job may end between two steps, a deleted backtest can be brought back, and an id in a query may be of another kind.
IN_A_ROW = [schemathesis.checks.use_after_free, schemathesis.checks.ensure_resource_availability]


@pytest.mark.timeout(300)
def test_every_answer_along_the_links_is_as_documented(served: Served) -> None:
    reached: set[str] = set()

    class Journey(schema.as_state_machine()):  # type: ignore[misc]  # made anew from the document
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            headers = served.walkers[case.path.startswith("/api/admin/")]
            return {"base_url": served.url, "headers": headers, "timeout": 60}

        def before_call(self, case: Case[Any]) -> None:
            """What makes a thing is asked as the document shows, else few things would be made."""
            definition = case.operation.definition.raw
            content = definition.get("requestBody", {}).get("content", {}).get("application/json", {})
            if definition["operationId"] in GIVES and "example" in content:
                case.body, case.media_type = content["example"], "application/json"
                case.headers.pop("Idempotency-Key", None)

        def validate_response(self, response: Any, case: Case[Any], **more: Any) -> None:
            case.validate_response(response, excluded_checks=[*TOO_STRICT, *IN_A_ROW])
            if "{" in case.operation.path and response.status_code < 300:
                reached.add(case.operation.label)

    few = settings(
        max_examples=20,
        stateful_step_count=10,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Journey, settings=few)
    assert reached, "without links that work nobody guesses an id"
