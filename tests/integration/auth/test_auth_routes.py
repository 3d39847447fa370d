"""Every route of Supabase Auth, asked by every kind of stranger: tests/api/routes.toml says whom each lets in."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backend.api.app import AUTH_PATH
from backend.infrastructure.supabase.auth_keys import AuthKeys
from tests.api.expectations import table
from tests.api.strangers import by_hand
from tests.integration.auth.running import PASSWORD, RunningAuth

EXPECTED = table()
Headers = dict[str, str]


@pytest.fixture(scope="module")
def strangers(auth: RunningAuth) -> Mapping[str, Headers]:
    """As [auth-answers] names them."""
    person, banned, gone = auth.sign_up(), auth.sign_up(), auth.sign_up()
    auth.ask_as_admin("PUT", f"/admin/users/{banned['user']['id']}", json={"ban_duration": "24h"})
    auth.ask("POST", "/logout", token=gone["access_token"])
    token = person["access_token"]
    claims = {**jwt.decode(token, options={"verify_signature": False}), "role": "service_role"}
    kid = jwt.get_unverified_header(token)["kid"]
    public_key = auth.keys.signing_key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def key(value: str, token: str | None = None) -> Headers:
        return {"apikey": value, **({"Authorization": f"Bearer {token}"} if token else {})}

    ours = auth.keys.publishable_key
    return {
        "nothing": {},
        "an unknown key": key("sb_publishable_nobodys"),
        "the publishable key alone": key(ours),
        "a user": key(ours, token),
        "expired": key(ours, auth.keys.sign({**claims, "exp": int(time.time()) - 3600})),
        "forged, unsigned": key(ours, by_hand({"alg": "none", "typ": "JWT", "kid": kid}, claims)),
        "forged with the public key": key(ours, by_hand({"alg": "HS256", "kid": kid}, claims, public_key)),
        "forged with another's key": key(ours, AuthKeys.generate().sign(claims)),
        "signed out": key(ours, gone["access_token"]),
        "suspended": key(ours, banned["access_token"]),
    }


def ids(path: str, auth: RunningAuth) -> list[str]:
    """The paths with another's, nobody's and a malformed id; one where there is none."""
    if "{" not in path:
        return [path]
    real = path.replace("{step}", "verify")
    before, _, rest = real.partition("{")
    after = rest.partition("}")[2]
    another = auth.sign_up()["user"]["id"]
    return [f"{before}{id_}{after}" for id_ in (another, str(uuid4()), "not-an-id", "..%2f..%2fetc")]


@pytest.mark.parametrize("route", EXPECTED.auth)
def test_each_lets_in_whom_the_table_says(auth: RunningAuth, strangers: Mapping[str, Headers], route: str) -> None:
    method, _, path = route.partition(" ")
    for kind, expected in EXPECTED.auth_answers[EXPECTED.auth[route]].items():
        for real in ids(path.removeprefix(AUTH_PATH), auth):
            body: dict[str, Any] = {} if method == "GET" else {"json": {}}
            answer = auth.http.request(method, f"{auth.url}{AUTH_PATH}{real}", headers=strangers[kind], **body)
            assert answer.status_code < 500, answer.text
            if expected == "answered":
                assert "API key" not in answer.text
            elif real == path.removeprefix(AUTH_PATH) or answer.status_code != 404:
                assert told(answer) == expected, f"{kind} at {real}"


def test_who_belongs_there_is_let_in(auth: RunningAuth, strangers: Mapping[str, Headers]) -> None:
    """Without this, all the refusals above could be for the wrong reason."""
    me = auth.http.get(f"{auth.url}{AUTH_PATH}/user", headers=strangers["a user"])
    assert me.status_code == 200
    assert auth.ask_as_admin("GET", "/admin/users").status_code == 200
    assert auth.ask("GET", "/settings").status_code == 200


def told(answer: httpx.Response) -> str:
    said = answer.json()
    return f"{answer.status_code} {said.get('error_code') or said.get('message')}"


def test_a_session_is_made_at_sign_in_and_never_brought_along(auth: RunningAuth) -> None:
    """Whoever plants an id, a cookie or a token before somebody signs in does not share the session after it."""
    first = auth.sign_up()
    email = first["user"]["email"]
    planted = {
        "session_id": claims_of(first)["session_id"],
        "refresh_token": first["refresh_token"],
        "id": str(uuid4()),
    }
    headers = {"Cookie": f"sb-access-token={first['access_token']}; session={planted['session_id']}"}
    answer = auth.ask(
        "POST",
        "/token?grant_type=password",
        json={**planted, "email": email, "password": PASSWORD},
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    second = answer.json()
    assert claims_of(second)["session_id"] != claims_of(first)["session_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert auth.ask("GET", "/user", headers={"Cookie": headers["Cookie"]}).status_code in (401, 403)


def claims_of(session: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(session["access_token"], options={"verify_signature": False})
    return found
