"""Schemathesis asks over a real socket what nobody would: no answer is a 5xx, and none is undocumented."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis import Case

from backend.api.app import create_app, describe_api
from tests.api.conftest import open_site
from tests.cluster import FreshDatabase

# A made-up cursor or version has the form of a true one and is refused; a parameter that we do not know is passed over.
TOO_STRICT = [schemathesis.checks.positive_data_acceptance, schemathesis.checks.negative_data_rejection]
# An answer without an end has tests of its own: test_task_events.py.
schema = schemathesis.openapi.from_dict(describe_api().openapi()).exclude(path="/api/system/task-events")


class Served:
    """The app on a port of its own, in a thread with an event loop of its own."""

    def __init__(self, database: FreshDatabase) -> None:
        self._database = database
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.url = ""
        self.headers: dict[str, str] = {}
        self.headers_of_admin: dict[str, str] = {}

    async def _run(self) -> None:
        async with open_site(self._database) as site:
            self.headers = (await site.person()).headers
            self.headers_of_admin = (await site.administrator()).headers
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
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: Case[Any], served: Served) -> None:
    headers = served.headers_of_admin if case.path.startswith("/api/admin/") else served.headers
    case.call_and_validate(base_url=served.url, headers=headers, excluded_checks=TOO_STRICT, timeout=60)
