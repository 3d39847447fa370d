"""Supabase Auth keeps its own answers: we pass them on as they are, with a request id and safe headers."""

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.api.conftest import Site


async def refuse(request: Request) -> Response:
    body = {"code": "bad_json", "message": "no", "path": request.url.path, "size": len(await request.body())}
    return JSONResponse(
        body, status_code=400, headers={"Access-Control-Allow-Origin": "*", "x-sb-error-code": "bad_json"}
    )


AUTH = Starlette(routes=[Route("/token", refuse, methods=["POST", "OPTIONS"])])


async def ask(site: Site, method: str, path: str, content: bytes = b"") -> httpx.Response:
    async with site.client(auth=AUTH) as client:
        return await client.request(method, path, content=content, headers={"Origin": "https://elsewhere.example"})


async def test_its_errors_are_not_rewritten(site: Site) -> None:
    answer = await ask(site, "POST", "/auth/v1/token?grant_type=password", b"x" * 2_000_000)
    assert answer.status_code == 400
    assert answer.json() == {"code": "bad_json", "message": "no", "path": "/auth/v1/token", "size": 2_000_000}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_it_answers_its_own_preflights_and_unknown_paths(site: Site) -> None:
    assert (await ask(site, "OPTIONS", "/auth/v1/token")).json()["code"] == "bad_json"
    unknown = await ask(site, "GET", "/auth/v1/unknown")
    assert (unknown.status_code, unknown.text) == (404, "Not Found")
