"""Whatever is sent, the server answers, never with a 5xx."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.auth.running import PASSWORD, RunningAuth

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

texts = st.text(st.characters(), max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(
    [
        "email",
        "password",
        "phone",
        "data",
        "token",
        "token_hash",
        "type",
        "nonce",
        "refresh_token",
        "auth_code",
        "code_verifier",
        "code_challenge",
        "code_challenge_method",
        "create_user",
        "app_metadata",
        "user_metadata",
        "ban_duration",
        "role",
        "id",
        "password_hash",
        "new_email",
        "redirect_to",
        "email_confirm",
        "should_soft_delete",
        "current_password",
    ]
)
sensible = st.sampled_from(
    ["a@example.com", PASSWORD, "recovery", "signup", "email_change", "magiclink", "123456", "24h", "s256", "x" * 43]
)
bodies = st.dictionaries(names, sensible | values, max_size=8)
routes = st.sampled_from(
    [
        ("POST", "/signup"),
        ("POST", "/token?grant_type=password"),
        ("POST", "/token?grant_type=refresh_token"),
        ("POST", "/token?grant_type=pkce"),
        ("POST", "/recover"),
        ("POST", "/otp"),
        ("POST", "/magiclink"),
        ("POST", "/resend"),
        ("POST", "/verify"),
        ("PUT", "/user"),
        ("POST", "/logout"),
        ("POST", "/admin/users"),
        ("POST", "/admin/generate_link"),
        ("POST", "/invite"),
    ]
)


def answered(status: int) -> bool:
    return 200 <= status < 500


def test_any_object_anywhere(auth: RunningAuth) -> None:
    token = auth.sign_up()["access_token"]
    user_id = auth.sign_up()["user"]["id"]

    @SLOW
    @given(route=routes | st.just(("PUT", f"/admin/users/{user_id}")), body=bodies)
    def check(route: tuple[str, str], body: dict[str, Any]) -> None:
        method, path = route
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        if "/admin/" in path or path == "/invite":
            answer = auth.ask_as_admin(method, path, content=content)
        else:
            answer = auth.ask(method, path, content=content, token=token if path in ("/user",) else None)
        assert answered(answer.status_code), (route, body, answer.text)

    check()


def test_any_bytes_anywhere(auth: RunningAuth) -> None:
    @SLOW
    @given(route=routes, content=st.binary(max_size=200))
    def check(route: tuple[str, str], content: bytes) -> None:
        answer = auth.ask(route[0], route[1], content=content)
        assert answered(answer.status_code), (route, content, answer.text)

    check()


def test_any_query(auth: RunningAuth) -> None:
    query_names = st.sampled_from(
        ["token", "type", "redirect_to", "filter", "page", "per_page", "sort", "scope", "provider"]
    )
    safe = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)

    @SLOW
    @given(
        path=st.sampled_from(["/verify", "/authorize", "/callback", "/admin/users", "/admin/audit"]),
        query=st.dictionaries(query_names, safe | sensible, max_size=5),
    )
    def check(path: str, query: dict[str, str]) -> None:
        answer = auth.ask_as_admin("GET", path, params=query)
        assert answered(answer.status_code), (path, query, answer.text)

    check()


def test_any_bearer(auth: RunningAuth) -> None:
    part = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=", max_size=60)

    @SLOW
    @given(token=st.lists(part, max_size=5).map(".".join).filter(bool))
    def check(token: str) -> None:
        answer = auth.ask("GET", "/user", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (401, 403), (token, answer.text)

    check()
