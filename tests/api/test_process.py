"""A real `tidemark serve`: people sign up with Supabase Auth and use the API, and the log keeps their secrets."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from backend.infrastructure.clock import SystemClock
from backend.infrastructure.supabase.signing_keys import HostedSigningKeys
from backend.infrastructure.supabase.tokens import JwtVerifier
from tests.api.conftest import assert_problem
from tests.serving import Running, data_folder, serving

PASSWORD = "canary-password-7Qx"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, TIDEMARK_LOG_LEVEL="debug", TIDEMARK_RATE_LIMITS="off") as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, headers={"apikey": running.status["PUBLISHABLE_KEY"]}) as client:
        yield client


def sign_up(client: httpx.Client) -> tuple[str, dict[str, str]]:
    """A new user: their id, and the headers that speak for them."""
    answer = client.post("/auth/v1/signup", json={"email": f"{uuid4()}@example.com", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    session = answer.json()
    return session["user"]["id"], {"Authorization": f"Bearer {session['access_token']}"}


def test_new_user_has_a_profile_and_a_session(client: httpx.Client) -> None:
    user_id, headers = sign_up(client)
    me = client.get("/api/me", headers=headers)
    assert me.json()["user_id"] == user_id
    change = {"preferences": {"theme": "dark"}}
    changed = client.patch("/api/me", headers={**headers, "If-Match": me.headers["etag"]}, json=change)
    assert changed.json()["preferences"]["theme"] == "dark"
    [session] = client.get("/api/me/sessions", headers=headers).json()["items"]
    assert session["is_current"]
    assert session["ip"] == "127.0.0.1"


def test_demo_user_is_marked_as_one(client: httpx.Client) -> None:
    token = client.post("/auth/v1/signup", json={}).json()["access_token"]
    me = client.get("/api/me", headers={"Authorization": f"Bearer {token}"}).json()
    assert (me["is_demo"], me["email"]) == (True, None)


def test_ended_session_can_not_be_refreshed(client: httpx.Client) -> None:
    answer = client.post("/auth/v1/signup", json={"email": f"{uuid4()}@example.com", "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    [session] = client.get("/api/me/sessions", headers=headers).json()["items"]
    assert client.delete(f"/api/me/sessions/{session['id']}", headers=headers).status_code == 204
    refreshed = client.post("/auth/v1/token?grant_type=refresh_token", json={"refresh_token": answer["refresh_token"]})
    assert refreshed.status_code == 400


def test_signed_out_token_is_no_good_for_what_is_dangerous(client: httpx.Client) -> None:
    _, headers = sign_up(client)
    assert client.post("/auth/v1/logout", headers=headers).status_code == 204
    assert client.get("/api/me", headers=headers).status_code == 200
    assert_problem(client.delete(f"/api/me/sessions/{uuid4()}", headers=headers), 401, "session_ended")


def test_suspension_by_the_operator_holds_at_once(client: httpx.Client, running: Running) -> None:
    user_id, headers = sign_up(client)
    assert client.get("/api/me", headers=headers).status_code == 200
    operator = {"apikey": running.status["SECRET_KEY"]}
    banned = client.put(f"/auth/v1/admin/users/{user_id}", headers=operator, json={"ban_duration": "24h"})
    assert banned.status_code == 200
    assert_problem(client.get("/api/me", headers=headers), 403, "account_suspended")


async def test_another_installation_can_check_its_tokens_by_the_published_keys(
    client: httpx.Client, running: Running
) -> None:
    user_id, headers = sign_up(client)
    keys = HostedSigningKeys(running.url)
    verifier = JwtVerifier(issuer=f"{running.url}/auth/v1", keys=keys, clock=SystemClock())
    identity = await verifier.verify(headers["Authorization"].removeprefix("Bearer "))
    assert (str(identity.user_id), identity.is_anonymous, identity.is_admin) == (user_id, False, False)
    assert identity.session_id is not None
    await keys.close()


@pytest.mark.parametrize("path", ["/auth/v1/user", "/auth/v1/unknown"])
def test_auth_keeps_its_own_errors(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (403, 404)
    assert {"code", "error_code", "msg"} <= set(answer.json())
    assert answer.headers["x-request-id"]


def test_log_is_one_json_object_a_line_and_holds_no_secret(client: httpx.Client, running: Running) -> None:
    _, headers = sign_up(client)
    token = headers["Authorization"].removeprefix("Bearer ")
    client.get(f"/api/me?access_token={token}", headers={**headers, "Cookie": f"session={token}"})
    client.post("/auth/v1/token?grant_type=password", json={"email": "a@example.com", "password": PASSWORD})
    client.get("/auth/v1/verify?token=canary-token&type=signup")
    client.patch("/api/me", headers=headers, content=PASSWORD.encode())
    log = running.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = [line for line in lines if line.get("path") == "/api/me"]
    assert answered
    assert all(line["request_id"] and line["client"] == "127.0.0.1" for line in answered)
    assert any(re.fullmatch(r"[0-9a-f-]{36}", line.get("user_id", "")) for line in answered)
    secrets = [PASSWORD, "canary-token", *token.split(".")]
    secrets += [running.status[name] for name in ("SECRET_KEY", "SERVICE_ROLE_KEY", "JWT_SECRET")]
    secrets.append(running.status["DB_URL"].split(":")[2].split("@")[0])
    assert not [secret for secret in secrets if secret in log]
