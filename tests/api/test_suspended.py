"""A suspension holds at once at every door, also where nothing of the caller's is read; so does a deletion."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backend.api.app import describe_api
from backend.domain.own_data import CONFIRMATION
from tests.api.conftest import Person, Site, assert_problem

ESTIMATE = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d", "start": "2024-01-01T00:00:00Z"}
# They open no transaction as their caller, so they have to look by themselves.
LOOK_BY_THEMSELVES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/system/health", {}),
    ("GET", "/api/providers", {}),
    ("GET", "/api/data/instruments", {"params": {"provider": "demo"}}),
    ("POST", "/api/data/fetch/estimate", {"json": ESTIMATE}),
    ("POST", "/api/data/uploads", {"params": {"name": "a.csv"}, "content": b"a,b\n1,2\n"}),
    ("POST", "/api/data/import/preview", {"json": {"upload_id": str(uuid4())}}),
]


@pytest.fixture(params=["suspended", "deleted"])
async def shut_out(request: pytest.FixtureRequest, site: Site, ada: Person) -> Person:
    change = "update auth.users set banned_until = now() + interval '1 day' where id = $1"
    if request.param == "deleted":
        change = "delete from auth.users where id = $1"
    await site.execute(change, ada.user_id)
    return ada


@pytest.mark.parametrize(("method", "path", "asked"), LOOK_BY_THEMSELVES)
async def test_an_account_that_is_shut_out_reaches_nothing(
    client: httpx.AsyncClient, shut_out: Person, method: str, path: str, asked: dict[str, Any]
) -> None:
    answer = await client.request(method, path, headers=shut_out.headers, **asked)
    assert_problem(answer, 403, "account_suspended")


@pytest.mark.parametrize("end", ["suspended", "gone"])
async def test_an_upload_that_outlives_its_account_is_not_kept(
    client: httpx.AsyncClient, site: Site, ada: Person, end: str
) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"a,b\n"
        if end == "suspended":
            await site.execute("update auth.users set banned_until = 'infinity' where id = $1", ada.user_id)
        else:
            left = await client.request("DELETE", "/api/me", headers=ada.headers, json={"confirm": CONFIRMATION})
            assert left.status_code == 204
        yield b"1,2\n"

    answer = await client.post("/api/data/uploads", params={"name": "a"}, headers=ada.headers, content=slowly())
    assert_problem(answer, 403, "account_suspended")
    assert list((site.house.market.cache_dir / "uploads").glob(f"{ada.user_id}/*")) == []


async def test_no_operation_works_for_an_account_that_is_shut_out(client: httpx.AsyncClient, shut_out: Person) -> None:
    asked = 0
    for path, operations in describe_api().openapi()["paths"].items():
        for method, operation in operations.items():
            if not operation.get("security"):
                continue
            real = path
            for name in ("task_id", "series_id"):
                real = real.replace(f"{{{name}}}", str(uuid4()))
            answer = await client.request(method.upper(), real, headers=shut_out.headers, json={})
            assert answer.status_code >= 400, f"{method} {path}: {answer.status_code}"
            asked += 1
    assert asked > 15


async def test_where_everybody_may_look_they_are_nobody(client: httpx.AsyncClient, shut_out: Person) -> None:
    """What needs no token answers as without one: it does not even look at it."""
    asked = 0
    for path, operations in describe_api().openapi()["paths"].items():
        for method, operation in operations.items():
            if operation.get("security") or path in {"/metrics", "/readyz"}:  # they tell what is now
                continue
            real = path.replace("{code}", "not_signed_in").replace("{token}", "tds_" + "A" * 43)
            with_it, without = [
                await client.request(method.upper(), real, headers=headers) for headers in (shut_out.headers, {})
            ]
            assert with_it.status_code == without.status_code, path
            assert _told(with_it) == _told(without), path
            asked += 1
    assert asked > 3


def _told(answer: httpx.Response) -> str:
    """Without the name of the request, which is another each time."""
    return answer.text.replace(answer.headers["x-request-id"], "")


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_times_outside_all_calendars_are_refused(client: httpx.AsyncClient, ada: Person, start: str) -> None:
    wanted = {**ESTIMATE, "start": start}
    for path in ("/api/data/fetch/estimate", "/api/data/fetch"):
        assert_problem(await client.post(path, json=wanted, headers=ada.headers), 422, "invalid_input")
