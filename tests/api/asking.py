"""One request of a row of routes.toml, as somebody would send it, and what is to be told of its answer."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from tests.api.expectations import Row, document

PLACEHOLDER = "{id}"
TWIN = "{twin}"
PARAMETER = re.compile(r"\{(\w+)\}")


async def ask(
    client: httpx.AsyncClient, row: Row, headers: Mapping[str, str], id_: str = "", twin: str = ""
) -> httpx.Response:
    """The head of an answer without an end is all that is waited for."""
    options: dict[str, Any] = {"params": _filled(dict(row.query), id_, twin)}
    body = row.body if row.body is not None else _example(row.name)
    if row.content is not None:
        options["content"] = row.content.encode()
    elif body is not None:
        options["json"] = _filled(body, id_, twin)
    # Replaced by hand: what is malformed shall arrive as it is.
    path = PARAMETER.sub("1", PARAMETER.sub(lambda _: quote(id_, safe="%."), row.path, count=1))
    async with client.stream(row.method, path, headers={**row.headers, **headers}, **options) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
    return answer


def told(answer: httpx.Response) -> str:
    """The status, and the code of the problem if it is one."""
    if answer.headers.get("content-type") != "application/problem+json":
        return str(answer.status_code)
    return f"{answer.status_code} {answer.json()['code']}"


def shape(answer: httpx.Response, id_: str) -> str:
    """The answer without what differs at each request, and without the id that was asked for."""
    if not answer.content:
        return f"{answer.status_code}"
    text = answer.text.replace(id_, PLACEHOLDER)
    return f"{answer.status_code} {text.replace(answer.headers['x-request-id'], '')}"


def assert_safe(answer: httpx.Response, *, is_private: bool) -> None:
    """What every answer says to browsers and to caches between us."""
    headers = answer.headers
    assert "set-cookie" not in headers, "nobody is known by a cookie, so no other page can act as them"
    assert "access-control-allow-origin" not in headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy or "sandbox" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "script-src" not in policy or "script-src 'self'" in policy
    if is_private:
        kept = headers.get("cache-control", "")
        assert "no-store" in kept or ("private" in kept and "no-cache" in kept), f"caches may keep it: {kept!r}"


def _filled(value: Any, id_: str, twin: str) -> Any:
    text = json.dumps(value)
    for placeholder, filling in ((PLACEHOLDER, id_), (TWIN, twin or id_)):
        text = text.replace(placeholder, json.dumps(filling)[1:-1])
    return json.loads(text)


def _example(name: str) -> Any:
    """What the document shows as the body of the operation; none where it takes none."""
    method, _, path = name.partition(" ")
    operation = document()["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content.get("example")
