"""Codes and links: recovery, magic links, confirmation, resending, and how little may be guessed."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from supabase_auth.errors import AuthApiError

from tests.cluster import FreshDatabase
from tests.integration.auth.running import PASSWORD, RunningAuth, new_email, running_auth


def follow(auth: RunningAuth, link: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Where a link leads: the address, its query and its fragment."""
    answer = auth.http.get(link)
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    query, fragment = (
        {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        for text in (parts.query, parts.fragment)
    )
    return f"{parts.scheme}://{parts.netloc}{parts.path}", query, fragment


def verify(auth: RunningAuth, **body: str) -> httpx.Response:
    return auth.ask("POST", "/verify", json=body)


def test_recovery_by_code(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    client = auth.client()
    client.auth.reset_password_for_email(email)
    answer = client.auth.verify_otp({"email": email, "token": auth.code_for(email), "type": "recovery"})
    assert answer.session is not None
    assert answer.user is not None
    assert answer.user.recovery_sent_at is not None
    client.auth.update_user({"password": "a whole new one"})
    assert auth.sign_in(email, "a whole new one")["user"]["email"] == email
    old = auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": PASSWORD})
    assert old.json()["error_code"] == "invalid_credentials"


def test_recovery_by_link(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.client().auth.reset_password_for_email(email, {"redirect_to": f"{auth.url}/reset?tab=2"})
    link = auth.link_for(email)
    place, query, fragment = follow(auth, link)
    assert place == f"{auth.url}/reset"
    assert query == {"tab": "2"}
    assert set(fragment) == {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "type", "sb"}
    assert fragment["type"] == "recovery"
    assert auth.ask("GET", "/user", token=fragment["access_token"]).json()["email"] == email
    assert auth.refresh(fragment["refresh_token"]).status_code == 200
    _, _, second = follow(auth, link)
    assert second["error"] == "access_denied"
    assert second["error_code"] == "otp_expired"
    assert second["error_description"] == "Email link is invalid or has expired"


def test_recovery_answers_alike_for_everyone(auth: RunningAuth) -> None:
    known, unknown = new_email(), new_email()
    auth.sign_up(known)
    answers = [auth.ask("POST", "/recover", json={"email": email}) for email in (known, unknown)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {})] * 2
    assert len(auth.mails_to(known)) == 1
    assert auth.mails_to(unknown) == []


def test_a_code_by_its_digest(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    digest = parse_qs(urlsplit(auth.link_for(email)).query)["token"][0]
    assert verify(auth, type="recovery", token_hash=digest, email=email).status_code == 400
    assert verify(auth, type="signup", token_hash=digest).json()["error_code"] == "otp_expired"
    assert verify(auth, type="recovery", token_hash=digest).json()["user"]["email"] == email
    assert verify(auth, type="recovery", token_hash=digest).json()["error_code"] == "otp_expired"


def test_magic_link_makes_a_user(auth: RunningAuth) -> None:
    email, client = new_email(), auth.client()
    client.auth.sign_in_with_otp({"email": email, "options": {"data": {"name": "Bo"}}})
    answer = client.auth.verify_otp({"email": email, "token": auth.code_for(email), "type": "email"})
    assert answer.user is not None
    assert answer.user.user_metadata["name"] == "Bo"
    assert answer.user.email_confirmed_at is not None
    assert answer.session is not None


def test_magic_link_makes_no_user_unless_asked(auth: RunningAuth) -> None:
    with pytest.raises(AuthApiError, match="Signups not allowed for otp") as refused:
        auth.client().auth.sign_in_with_otp({"email": new_email(), "options": {"should_create_user": False}})
    assert (refused.value.status, refused.value.code) == (422, "otp_disabled")


def test_a_link_may_be_called_email(auth: RunningAuth) -> None:
    email = new_email()
    auth.ask("POST", "/otp", json={"email": email})
    _, _, fragment = follow(auth, auth.link_for(email).replace("type=magiclink", "type=email"))
    assert fragment["type"] == "magiclink"
    assert fragment["access_token"]


def test_magic_link_of_the_older_route(auth: RunningAuth) -> None:
    email = new_email()
    assert auth.ask("POST", "/magiclink", json={"email": email}).json() == {}
    _, _, fragment = follow(auth, auth.link_for(email))
    assert fragment["type"] == "magiclink"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.co", "phone": "+15551234567"},
        {"phone": "+15551234567"},
        {"email": "a@b.co", "channel": "sms"},
        {"email": "nobody"},
    ],
)
def test_one_time_passwords_that_are_refused(auth: RunningAuth, body: dict[str, str]) -> None:
    assert auth.ask("POST", "/otp", json=body).status_code == 400


def test_sign_up_waits_for_the_address_to_be_confirmed(confirming: RunningAuth) -> None:
    email, client = new_email(), confirming.client()
    answer = client.auth.sign_up({"email": email, "password": PASSWORD})
    assert answer.session is None
    assert answer.user is not None
    assert answer.user.confirmation_sent_at is not None
    assert answer.user.email_confirmed_at is None
    with pytest.raises(AuthApiError, match="Email not confirmed") as refused:
        client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    assert (refused.value.status, refused.value.code) == (400, "email_not_confirmed")
    confirmed = client.auth.verify_otp({"email": email, "token": confirming.code_for(email), "type": "signup"})
    assert confirmed.session is not None
    assert confirmed.user is not None
    assert confirmed.user.user_metadata["email_verified"] is True
    assert confirmed.user.identities is not None
    assert confirmed.user.identities[0].identity_data["email_verified"] is True
    assert confirming.sign_in(email)["user"]["id"] == answer.user.id


def test_an_unconfirmed_address_is_not_told_by_a_wrong_password(confirming: RunningAuth) -> None:
    email = new_email()
    confirming.client().auth.sign_up({"email": email, "password": PASSWORD})
    answer = confirming.ask("POST", "/token?grant_type=password", json={"email": email, "password": "wrong one"})
    assert answer.json()["error_code"] == "invalid_credentials"


def test_confirmation_by_link(confirming: RunningAuth) -> None:
    email = new_email()
    confirming.client().auth.sign_up({"email": email, "password": PASSWORD})
    _, _, fragment = follow(confirming, confirming.link_for(email))
    assert fragment["type"] == "signup"
    assert confirming.sign_in(email)


def test_a_known_address_looks_like_a_new_one(confirming: RunningAuth) -> None:
    email = new_email()
    known = confirming.sign_up(email)["user"]
    answer = confirming.ask("POST", "/signup", json={"email": email, "password": "another one", "data": {"a": 1}})
    fresh = confirming.ask("POST", "/signup", json={"email": new_email(), "password": PASSWORD})
    assert answer.status_code == 200
    fake = answer.json()
    assert fake["id"] != known["id"]
    assert (fake["identities"], fake["role"], fake["user_metadata"]) == ([], "", {"a": 1})
    assert "last_sign_in_at" not in fake
    assert "confirmed_at" not in fake
    assert set(fake) == set(fresh.json())
    assert confirming.mails_to(email) == []
    assert confirming.sign_in(email)["user"]["id"] == known["id"]


def test_signing_up_again_before_confirming_sends_again(confirming: RunningAuth) -> None:
    email = new_email()
    first = confirming.ask("POST", "/signup", json={"email": email, "password": PASSWORD}).json()
    second = confirming.ask("POST", "/signup", json={"email": email, "password": PASSWORD}).json()
    assert second["id"] == first["id"]
    assert len(confirming.mails_to(email)) == 2
    assert verify(confirming, type="signup", email=email, token=confirming.code_for(email)).status_code == 200
    confirming.sign_in(email, PASSWORD)


def test_nobody_prepares_a_password_for_somebody_else(confirming: RunningAuth) -> None:
    """Two sign-ups with two passwords: whoever confirms is the owner, and neither password opens the account."""
    email = new_email()
    for password in ("of an attacker who came first", PASSWORD):
        confirming.ask("POST", "/signup", json={"email": email, "password": password})
    session = verify(confirming, type="signup", email=email, token=confirming.code_for(email)).json()
    for password in ("of an attacker who came first", PASSWORD):
        answer = confirming.ask("POST", "/token?grant_type=password", json={"email": email, "password": password})
        assert answer.json()["error_code"] == "invalid_credentials"
    chosen = confirming.ask("PUT", "/user", token=session["access_token"], json={"password": PASSWORD})
    assert chosen.status_code == 200
    assert confirming.sign_in(email, PASSWORD)


def test_resending_a_confirmation(confirming: RunningAuth) -> None:
    email = new_email()
    confirming.client().auth.sign_up({"email": email, "password": PASSWORD})
    first = confirming.code_for(email)
    confirming.client().auth.resend({"type": "signup", "email": email})
    assert len(confirming.mails_to(email)) == 2
    second = confirming.code_for(email)
    if first != second:
        assert verify(confirming, type="signup", email=email, token=first).status_code == 403
    assert verify(confirming, type="signup", email=email, token=second).status_code == 200
    assert confirming.ask("POST", "/resend", json={"type": "signup", "email": email}).json() == {}
    assert confirming.ask("POST", "/resend", json={"type": "signup", "email": new_email()}).json() == {}
    assert len(confirming.mails_to(email)) == 2


@pytest.mark.parametrize("body", [{"type": "other", "email": "a@b.co"}, {"type": "signup"}, {"type": "sms"}, {}])
def test_resending_needs_to_know_what(auth: RunningAuth, body: dict[str, str]) -> None:
    answer = auth.ask("POST", "/resend", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "validation_failed"),
        ({"type": "recovery"}, 400, "validation_failed"),
        ({"type": "recovery", "token": "123456"}, 400, "validation_failed"),
        ({"type": "recovery", "token": "123456", "token_hash": "x"}, 400, "validation_failed"),
        ({"type": "other", "token": "123456", "email": "a@b.co"}, 400, "validation_failed"),
        ({"type": "other", "token_hash": "x"}, 400, "validation_failed"),
        ({"type": "recovery", "token": "123456", "email": "nobody@example.com"}, 403, "otp_expired"),
        ({"type": "sms", "token": "123456", "phone": "+15551234567"}, 403, "otp_expired"),
        ({"type": "recovery", "token_hash": "unknown"}, 403, "otp_expired"),
    ],
)
def test_codes_that_never_were(auth: RunningAuth, body: dict[str, str], status: int, code: str) -> None:
    answer = verify(auth, **body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_codes_expire(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    code, link = auth.code_for(email), auth.link_for(email)
    with auth.later(minutes=61):
        assert verify(auth, type="recovery", email=email, token=code).json()["error_code"] == "otp_expired"
        assert follow(auth, link)[2]["error_code"] == "otp_expired"


def test_codes_work_for_their_owner_only(auth: RunningAuth) -> None:
    mine, other = new_email(), new_email()
    auth.sign_up(mine)
    auth.sign_up(other)
    auth.ask("POST", "/recover", json={"email": mine})
    assert verify(auth, type="recovery", email=other, token=auth.code_for(mine)).status_code == 403


def test_a_code_bears_ten_wrong_guesses(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    code = auth.code_for(email)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(9):
        assert verify(auth, type="recovery", email=email, token=wrong).status_code == 403
    assert auth.fetch("select 1 from auth.one_time_tokens where relates_to = $1", email)
    assert verify(auth, type="recovery", email=email, token=wrong).status_code == 403
    assert verify(auth, type="recovery", email=email, token=code).json()["error_code"] == "otp_expired"


def test_one_code_makes_one_session(auth: RunningAuth) -> None:
    from concurrent.futures import ThreadPoolExecutor

    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    code = auth.code_for(email)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: verify(auth, type="recovery", email=email, token=code).status_code, range(8)))
    assert sorted(answers) == [200] + [403] * 7


def test_a_suspended_user_gets_in_by_no_link(auth: RunningAuth) -> None:
    email = new_email()
    user = auth.sign_up(email)["user"]
    auth.ask("POST", "/recover", json={"email": email})
    auth.ask_as_admin("PUT", f"/admin/users/{user['id']}", json={"ban_duration": "1h"})
    refused = verify(auth, type="recovery", email=email, token=auth.code_for(email))
    assert (refused.status_code, refused.json()["error_code"]) == (403, "user_banned")
    assert follow(auth, auth.link_for(email))[2]["error_code"] == "user_banned"


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/",
        "//evil.example",
        "https://127.0.0.1@evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1\\@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http:/\\evil.example",
        "http://evil.example#@127.0.0.1/",
        "javascript://127.0.0.1/%0aalert(1)",
        "data:text/html,hello",
        "http://127.0.0.1\t.evil.example/",
        " http://evil.example",
        "http://2130706433/",
        "/relative",
        "\u2100http://evil.example",
    ],
)
def test_links_lead_nowhere_else(auth: RunningAuth, place: str) -> None:
    home = urlsplit(auth.url)
    answer = auth.http.get(
        f"{auth.url}/auth/v1/verify", params={"token": "x", "type": "recovery", "redirect_to": place}
    )
    location = urlsplit(answer.headers["location"])
    assert (location.scheme, location.netloc, location.path) == (home.scheme, home.netloc, "")
    email = new_email()
    auth.sign_up(email)
    auth.ask("POST", "/recover", params={"redirect_to": place}, json={"email": email})
    assert follow(auth, auth.link_for(email))[0] == auth.url


def test_links_lead_where_the_operator_allows(database: FreshDatabase) -> None:
    with running_auth(database, redirect_urls=("https://*.example.com/**", "tidemark://callback")) as auth:
        for place, is_allowed in {
            "https://app.example.com/welcome/home?x=1": True,
            "tidemark://callback": True,
            "https://a.b.example.com/": False,
            "https://example.com/": False,
            "tidemark://callback/more": False,
        }.items():
            answer = auth.http.get(
                f"{auth.url}/auth/v1/verify", params={"token": "x", "type": "recovery", "redirect_to": place}
            )
            assert answer.headers["location"].startswith(place.split("?")[0] if is_allowed else auth.url), place


def test_the_pause_between_mails_is_kept_for_everyone(database: FreshDatabase) -> None:
    from backend.infrastructure.supabase.auth_server import RateLimits

    limits = RateLimits(mails=None, between_mails=timedelta(seconds=60))
    with running_auth(database, rate_limits=limits) as auth:
        known, unknown = new_email(), new_email()
        auth.sign_up(known)
        for email in (known, unknown):
            assert auth.ask("POST", "/recover", json={"email": email}).status_code == 200
            again = auth.ask("POST", "/recover", json={"email": email})
            assert (again.status_code, again.json()["error_code"]) == (429, "over_email_send_rate_limit")
            assert again.json()["msg"].startswith("For security purposes, you can only request this after ")
            assert 1 <= int(again.headers["retry-after"]) <= 60
            with auth.later(seconds=61):
                assert auth.ask("POST", "/recover", json={"email": email}).status_code == 200
