"""Proof key for code exchange: supabase-py's default flow."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import pytest
from supabase_auth.errors import AuthApiError

from tests.integration.auth.running import PASSWORD, RunningAuth, new_email


def code_in(auth: RunningAuth, link: str) -> str:
    answer = auth.http.get(link)
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def challenge() -> tuple[str, dict[str, str]]:
    verifier = secrets.token_urlsafe(48)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return verifier, {"code_challenge": digest, "code_challenge_method": "s256"}


def test_recovery_link_is_exchanged_by_the_client_that_asked(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    client = auth.client(flow="pkce")
    client.auth.reset_password_for_email(email, {"redirect_to": f"{auth.url}/reset"})
    link = auth.link_for(email)
    assert "token=pkce_" in link
    answer = client.auth.exchange_code_for_session({"auth_code": code_in(auth, link)})
    assert answer.session is not None
    assert answer.session.user.email == email


def test_magic_link(auth: RunningAuth) -> None:
    email, client = new_email(), auth.client(flow="pkce")
    client.auth.sign_in_with_otp({"email": email})
    answer = client.auth.exchange_code_for_session({"auth_code": code_in(auth, auth.link_for(email))})
    assert answer.session is not None


def test_digits_work_in_this_flow_too(auth: RunningAuth) -> None:
    email, client = new_email(), auth.client(flow="pkce")
    client.auth.sign_in_with_otp({"email": email})
    assert client.auth.verify_otp({"email": email, "token": auth.code_for(email), "type": "email"}).session


def test_confirmation(confirming: RunningAuth) -> None:
    email, client = new_email(), confirming.client(flow="pkce")
    client.auth.sign_up({"email": email, "password": PASSWORD})
    code = code_in(confirming, confirming.link_for(email))
    answer = client.auth.exchange_code_for_session({"auth_code": code})
    assert answer.session is not None
    assert answer.session.user.email_confirmed_at is not None


def asked(auth: RunningAuth, **body: str) -> str:
    """The code that a recovery link of a new user leads to."""
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email, **body})
    return code_in(auth, auth.link_for(email))


def exchange(auth: RunningAuth, code: str, verifier: str) -> tuple[int, str]:
    answer = auth.ask("POST", "/token?grant_type=pkce", json={"auth_code": code, "code_verifier": verifier})
    return answer.status_code, answer.json().get("error_code", "")


def test_a_code_works_once_and_for_its_verifier_only(auth: RunningAuth) -> None:
    verifier, body = challenge()
    code = asked(auth, **body)
    assert exchange(auth, code, "x" * 64) == (400, "bad_code_verifier")
    assert exchange(auth, code, verifier) == (200, "")
    assert exchange(auth, code, verifier) == (404, "flow_state_not_found")


def test_a_code_lasts_five_minutes(auth: RunningAuth) -> None:
    verifier, body = challenge()
    code = asked(auth, **body)
    with auth.later(minutes=6):
        assert exchange(auth, code, verifier) == (422, "flow_state_expired")


def test_the_plain_method(auth: RunningAuth) -> None:
    verifier = secrets.token_urlsafe(48)
    code = asked(auth, code_challenge=verifier, code_challenge_method="plain")
    assert exchange(auth, code, verifier) == (200, "")


def test_a_code_not_asked_for_is_none(auth: RunningAuth) -> None:
    assert exchange(auth, "nothing", "x" * 64) == (404, "flow_state_not_found")
    assert exchange(auth, "", "") == (400, "validation_failed")


def test_the_session_says_how_it_began(auth: RunningAuth) -> None:
    import jwt

    verifier, body = challenge()
    code = asked(auth, **body)
    session = auth.ask("POST", "/token?grant_type=pkce", json={"auth_code": code, "code_verifier": verifier}).json()
    claims = dict(jwt.decode(session["access_token"], options={"verify_signature": False}))
    assert [entry["method"] for entry in claims["amr"]] == ["recovery"]


def test_a_spent_link_says_so_in_query_and_fragment(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email, **challenge()[1]})
    link = auth.link_for(email)
    auth.http.get(link)
    location = urlsplit(auth.http.get(link).headers["location"])
    for text in (location.query, location.fragment):
        assert parse_qs(text)["error_code"] == ["otp_expired"]


def test_the_client_is_told(auth: RunningAuth) -> None:
    client = auth.client(flow="pkce")
    with pytest.raises(AuthApiError) as refused:
        client.auth.exchange_code_for_session({"auth_code": "nothing", "code_verifier": "x" * 64})
    assert (refused.value.status, refused.value.code) == (404, "flow_state_not_found")
