"""The keys of a hosted project: fetched seldom, kept when the project is away."""

import asyncio
from typing import Any

import httpx
import pytest

from backend.domain.errors import SigningKeysUnavailable
from backend.infrastructure.supabase import signing_keys
from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.signing_keys import HostedSigningKeys


class Project:
    """A project that publishes keys, slowly, badly or not at all."""

    def __init__(self) -> None:
        self.keys = AuthKeys.generate()
        self.asked = 0
        self.answer: Any = None
        self.delay = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert str(request.url) == "https://abc.supabase.co/auth/v1/.well-known/jwks.json"
        await asyncio.sleep(self.delay)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or httpx.Response(200, json=self.keys.jwks())

    @property
    def kid(self) -> str:
        return self.keys.signing_key.kid


class Ticking:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    ticking = Ticking()
    monkeypatch.setattr(signing_keys, "time", ticking)
    return ticking


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def keys(project: Project, ticking: Ticking) -> HostedSigningKeys:
    client = httpx.AsyncClient(transport=httpx.MockTransport(project))
    return HostedSigningKeys("https://abc.supabase.co/", client=client)


async def test_fetched_once_and_kept(project: Project, keys: HostedSigningKeys, ticking: Ticking) -> None:
    for _ in range(5):
        assert await keys.find(project.kid)
    ticking.seconds += 599
    assert await keys.find(project.kid)
    assert project.asked == 1
    ticking.seconds += 2
    assert await keys.find(project.kid)
    assert project.asked == 2


async def test_crowd_at_the_start_fetches_once(project: Project, keys: HostedSigningKeys) -> None:
    project.delay = 0.01
    assert all(await asyncio.gather(*(keys.find(project.kid) for _ in range(50))))
    assert project.asked == 1


async def test_unknown_ids_fetch_at_most_every_30_seconds(
    project: Project, keys: HostedSigningKeys, ticking: Ticking
) -> None:
    await keys.find(project.kid)
    ticking.seconds += 31
    for number in range(20):
        assert await keys.find(f"made-up-{number}") is None
    assert project.asked == 2


async def test_new_key_is_found_and_a_revoked_one_forgotten(
    project: Project, keys: HostedSigningKeys, ticking: Ticking
) -> None:
    old = project.kid
    await keys.find(old)
    project.keys = AuthKeys.generate()
    ticking.seconds += 31
    assert await keys.find(project.kid)
    assert await keys.find(old) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://evil.example"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": "none"}),
        httpx.Response(200, content=b"{" + b" " * 300_000 + b'"keys": []}'),
    ],
    ids=["refused", "timeout", "500", "redirect", "html", "list", "text", "huge"],
)
async def test_last_good_copy_serves_while_the_project_is_away(
    project: Project, keys: HostedSigningKeys, ticking: Ticking, answer: Any
) -> None:
    assert await keys.find(project.kid)
    project.answer = answer
    for _ in range(10):
        ticking.seconds += 700
        assert await keys.find(project.kid)
        assert await keys.find(project.kid)
    assert project.asked == 11


async def test_without_any_copy_it_says_so_and_tries_again_soon(
    project: Project, keys: HostedSigningKeys, ticking: Ticking
) -> None:
    project.answer = httpx.ConnectError("refused")
    for _ in range(3):
        with pytest.raises(SigningKeysUnavailable):
            await keys.find(project.kid)
    assert project.asked == 1
    project.answer = None
    ticking.seconds += 2
    assert await keys.find(project.kid)


async def test_slow_project_is_given_up(
    project: Project, keys: HostedSigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "TIMEOUT_SECONDS", 0.02)
    project.delay = 5
    with pytest.raises(SigningKeysUnavailable):
        await keys.find(project.kid)
