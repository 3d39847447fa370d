"""Requests that no client would send, over a real socket: bombs, smuggling, injections. Each is answered in words."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from backend.api.limits import LARGEST_BODY_BYTES
from tests.api.conftest import Person, Site, assert_problem
from tests.api.expectations import document
from tests.api.served import served
from tests.api.test_market_files import GOOD, upload

# So long the slowest of these may take on a busy machine; a bomb that goes off takes minutes, or all memory.
PATIENCE_SECONDS = 30
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def url(site: Site) -> AsyncIterator[str]:
    async with served(site.house) as url:
        yield url


@pytest.fixture(scope="module")
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
async def mallory(site: Site) -> Person:
    return await site.person()


def filled(text: str) -> bytes:
    """As much of it as a body may have."""
    return text.encode()[: LARGEST_BODY_BYTES - 100]


BOMBS: Mapping[str, bytes] = {
    "nested lists": b'{"form": ' + b"[" * 100_000 + b"]" * 100_000 + b', "name": "a"}',
    "nested objects": b'{"name": "a", "form": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "nested a little": b'{"name": "a", "form": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
    "nested below the recursion of most": b'{"name": "a", "form": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    "unclosed": b"[" * 500_000,
    "a whole number without end": b'{"name": "a", "form": {"a": ' + b"9" * 900_000 + b"}}",
    "a number beyond all": b'{"name": "a", "form": {"a": 1e999999}}',
    "an exponent of a million figures": b'{"name": "a", "form": {"a": 1e' + b"9" * 900_000 + b"}}",
    "not a number": b'{"name": "a", "form": {"a": NaN}}',
    "infinity": b'{"name": "a", "form": {"a": -Infinity}}',
    "a hundred thousand members": json.dumps({"name": "a", "form": {f"k{n}": n for n in range(70_000)}}).encode(),
    "the same member again and again": b'{"name": "a", ' + filled('"form": {}, ' * 60_000) + b'"form": {}}',
    "a list of nothing": b'{"name": "a", "form": {"a": [' + b"0," * 400_000 + b"0]}}",
    "NUL": b'{"name": "a\\u0000", "form": {"\\u0000": "\\u0000"}}',
    "half a character": b'{"name": "\\ud800", "form": {"a": "\\udfff"}}',
    "other encoding": '{"name": "a", "form": {}}'.encode("utf-16"),
    "not UTF-8": b'{"name": "\xff\xfe", "form": {}}',
    "nothing": b"",
    "a name only": b'"form"',
}
# They take JSON of any form, of the form of rules, of runs, and of a person.
TAKERS = (
    ("POST", "/api/backtests/presets"),
    ("POST", "/api/strategies/validate"),
    ("POST", "/api/backtests/run"),
    ("PATCH", "/api/me"),
)


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_of_json_does_not_go_off(client: httpx.AsyncClient, mallory: Person, bomb: str) -> None:
    for method, path in TAKERS:
        headers = {**mallory.headers, **JSON, "If-Match": "*"}
        answer = await client.request(method, path, content=BOMBS[bomb], headers=headers)
        assert answer.status_code < 500, f"{path}: {answer.text[:300]}"
        if answer.status_code >= 400:
            assert_problem(answer, answer.status_code, answer.json()["code"])
            assert len(answer.content) < 64 * 1024
    assert (await client.get("/api/backtests/presets", headers=mallory.headers)).status_code == 200


async def test_a_body_is_not_unpacked(client: httpx.AsyncClient, mallory: Person) -> None:
    """A kilobyte that becomes a gigabyte is a kilobyte here."""
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {**mallory.headers, **JSON, "Content-Encoding": "gzip"}
    answer = await client.post("/api/backtests/presets", content=bomb, headers=headers)
    assert_problem(answer, answer.status_code, answer.json()["code"])
    assert 400 <= answer.status_code < 500


async def test_a_body_of_chunks_without_end_is_cut(url: str, mallory: Person) -> None:
    head = head_of("POST", "/api/backtests/presets", mallory, **JSON, **{"Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = await exchange(url, head + chunk * (LARGEST_BODY_BYTES // 65536 + 1))
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert b"body_too_large" in answer


SMUGGLED: Mapping[str, tuple[bytes, tuple[int, ...]]] = {
    "two hosts": (b"GET /api/config HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", (400, 421)),
    "a foreign host": (b"GET /api/config HTTP/1.1\r\nHost: evil.example\r\n\r\n", (421,)),
    "a host with a line break": (b"GET /api/config HTTP/1.1\r\nHost: localhost\rX: 1\r\n\r\n", (400, 421)),
    "two lengths": (
        b"POST /api/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 60\r\n\r\nabcd",
        (400,),
    ),
    "length and chunks": (
        b"POST /api/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        (400,),
    ),
    "a length below nothing": (b"POST /api/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", (400,)),
    "chunks that are none": (
        b"POST /api/me HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        (400,),
    ),
    "another encoding of transfer": (
        b"POST /api/me HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
        (400, 405, 501),
    ),
    "NUL in a header": (b"GET /api/config HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: a\0b\r\n\r\n", (400,)),
    "a space before the colon": (b"GET /api/config HTTP/1.1\r\nHost : localhost\r\n\r\n", (400,)),
    "a folded header": (b"GET /api/config HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n 2\r\n\r\n", (200, 400)),
    "an absolute target elsewhere": (
        b"GET http://evil.example/api/me HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (400, 401, 404, 421),
    ),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", (400, 404, 405, 421)),
    "a target with a line break": (b"GET /api/config%0d%0aSet-Cookie:a=b HTTP/1.1\r\nHost: localhost\r\n\r\n", (404,)),
    "an unknown method": (b"HACK /api/config HTTP/1.1\r\nHost: localhost\r\n\r\n", (400, 405)),
    "another protocol": (b"GET /api/config HTTP/3.7\r\nHost: localhost\r\n\r\n", (400,)),
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_a_request_that_means_two_things_means_nothing(url: str, name: str) -> None:
    request, statuses = SMUGGLED[name]
    answer = await exchange(url, request)
    assert int(answer.split(b" ", 2)[1]) in statuses, answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1, "one request has one answer"
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in head
    assert b"evil.example" not in head


CLIMBS = (
    "/..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%5c..%5csecrets",
    "/api/..%2f..%2fhealthz%00.html",
    "/api/shares/..%2fme",
    "/api/strategies/%2e%2e",
    "/api//me",
    "/api/me/.",
    "/api/me%00",
    "/api/me;jsessionid=1",
    "/API/ME",
    "/auth/v1/..%2f..%2fapi/me",
    "/problems/%3Cscript%3Ealert(1)%3C/script%3E",
)


@pytest.mark.parametrize("path", CLIMBS)
async def test_no_path_leads_out_of_its_place(url: str, path: str) -> None:
    answer = await exchange(url, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert int(answer.split(b" ", 2)[1]) in (401, 404), answer[:300]
    assert b"root:" not in answer
    assert b"text/html" not in answer


HOSTILE_NAMES = (
    "a\r\nSet-Cookie: a=b",
    'a"; filename="b.exe',
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "a\0.csv",
    "<img src=x onerror=alert(1)>.csv",
    "\u202egpj.exe",
    "\u65e5\u7d4c",
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_the_name_of_a_file_stays_a_name(client: httpx.AsyncClient, mallory: Person, name: str) -> None:
    answer = await client.post("/api/data/uploads", params={"name": name}, content=GOOD, headers=mallory.headers)
    assert answer.status_code in (201, 422), answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("symbol", HOSTILE_NAMES)
async def test_a_symbol_is_plain_so_that_files_can_be_named_by_it(
    client: httpx.AsyncClient, mallory: Person, symbol: str
) -> None:
    columns = {name.lower(): name for name in ("Open", "High", "Low", "Close", "Volume")}
    wanted = {
        "upload_id": await upload(client, mallory, GOOD),
        "symbol": symbol,
        "timeframe": "1d",
        "reading": {"time": "Date", "columns": columns},
    }
    answer = await client.post("/api/data/import", json=wanted, headers=mallory.headers)
    assert assert_problem(answer, 422, "invalid_input")["errors"][0]["pointer"] == "/symbol"


async def test_a_page_elsewhere_gets_nothing_by_a_form(client: httpx.AsyncClient, mallory: Person) -> None:
    """A form or an image of another site brings no header of ours, and there is no cookie it could ride on."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await client.post(
            "/api/backtests/presets",
            content=b'{"name": "a", "form": {}}',
            headers={"Content-Type": kind, "Origin": "https://evil.example", "Cookie": f"token={mallory.token}"},
        )
        assert_problem(answer, 401, "not_signed_in")
        assert "access-control-allow-origin" not in answer.headers


def test_no_operation_takes_an_address_to_ask() -> None:
    """What the server asks is in its settings: were a user to name an address, it would have to be checked here."""
    words = ("url", "uri", "host", "endpoint", "webhook", "callback", "redirect", "proxy", "server", "link", "origin")
    taken = set(named_by_users(document()))
    assert {name for name in taken if set(name.split("_")) & set(words)} == set()
    assert {"symbol", "name", "rules"} <= taken


def named_by_users(described: Mapping[str, Any]) -> set[str]:
    """The names of everything that a caller fills in: parameters, and members of bodies at any depth."""
    found: set[str] = set()
    waiting: list[Any] = []
    for operations in described["paths"].values():
        for operation in operations.values():
            found |= {parameter["name"] for parameter in operation.get("parameters", ())}
            waiting.append(operation.get("requestBody", {}))
    seen: set[str] = set()
    while waiting:
        match waiting.pop():
            case {"$ref": str(place)} if place not in seen:
                seen.add(place)
                waiting.append(described["components"]["schemas"][place.rpartition("/")[2]])
            case dict() as schema:
                found |= set(schema.get("properties", ()))
                assert schema.get("format") not in ("uri", "url", "hostname"), schema
                waiting += [value for key, value in schema.items() if key not in ("example", "examples", "default")]
            case list() as parts:
                waiting += parts
    return found


def head_of(method: str, path: str, who: Person, **headers: str) -> bytes:
    lines = {"Host": "localhost", **who.headers, **headers}
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""]
    ).encode()


async def exchange(url: str, request: bytes) -> bytes:
    """What comes back for these bytes, until nothing more does."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await reader.readuntil(b"\r\n\r\n")
        # A body, and whatever a second answer would be.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while piece := await reader.read(65536):
                    answer += piece
        return answer
    finally:
        writer.close()
