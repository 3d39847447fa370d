"""Refresh tokens: rotated at each use, forgiving to a lost answer and to two tabs, deadly to a thief."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest

from tests.cluster import FreshDatabase
from tests.integration.auth.running import PASSWORD, RunningAuth, new_email, running_auth


def claims_of(session: dict[str, str]) -> dict[str, object]:
    return jwt.decode(session["access_token"], options={"verify_signature": False})


def test_rotation_keeps_the_session(auth: RunningAuth) -> None:
    first = auth.sign_up()
    with auth.later(minutes=5):
        second = auth.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    before, after = claims_of(first), claims_of(second)
    assert after["session_id"] == before["session_id"]
    assert after["amr"] == before["amr"]
    assert int(str(after["iat"])) >= int(str(before["iat"])) + 299
    assert second["user"]["id"] == first["user"]["id"]


def test_the_client_refreshes(auth: RunningAuth) -> None:
    client = auth.client()
    before = client.auth.sign_up({"email": new_email(), "password": PASSWORD}).session
    after = client.auth.refresh_session().session
    assert before is not None
    assert after is not None
    assert after.refresh_token != before.refresh_token


def test_a_client_that_lost_the_answer_gets_the_same_token_again(auth: RunningAuth) -> None:
    first = auth.sign_up()
    second = auth.refresh(first["refresh_token"]).json()
    with auth.later(hours=3):
        again = auth.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert again.json()["refresh_token"] == second["refresh_token"]


def test_an_older_token_is_forgiven_for_ten_seconds(auth: RunningAuth) -> None:
    first = auth.sign_up()
    second = auth.refresh(first["refresh_token"]).json()
    third = auth.refresh(second["refresh_token"]).json()
    again = auth.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert again.json()["refresh_token"] == third["refresh_token"]


def test_reuse_ends_the_whole_family(auth: RunningAuth) -> None:
    first = auth.sign_up()
    second = auth.refresh(first["refresh_token"]).json()
    third = auth.refresh(second["refresh_token"]).json()
    with auth.later(seconds=11):
        stolen = auth.refresh(first["refresh_token"])
        assert (stolen.status_code, stolen.json()["error_code"]) == (400, "refresh_token_already_used")
        for token in (first, second, third):
            answer = auth.refresh(token["refresh_token"])
            assert (answer.status_code, answer.json()["error_code"]) == (400, "refresh_token_already_used")
        dead = auth.ask("GET", "/user", token=third["access_token"])
        assert (dead.status_code, dead.json()["error_code"]) == (403, "session_not_found")


def test_reuse_leaves_other_sessions_alone(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    first, other = auth.sign_in(email), auth.sign_in(email)
    second = auth.refresh(first["refresh_token"]).json()
    auth.refresh(second["refresh_token"])
    with auth.later(seconds=11):
        assert auth.refresh(first["refresh_token"]).status_code == 400
        assert auth.refresh(other["refresh_token"]).status_code == 200


def test_tabs_that_refresh_at_once_get_one_token(auth: RunningAuth) -> None:
    token = auth.sign_up()["refresh_token"]
    for _ in range(5):
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(auth.refresh, [token] * 12))
        assert {answer.status_code for answer in answers} == {200}
        (token,) = {answer.json()["refresh_token"] for answer in answers}


def test_tokens_in_the_database_open_nothing(auth: RunningAuth) -> None:
    session = auth.sign_up()
    rows = auth.fetch("select token, parent from auth.refresh_tokens where user_id = $1", session["user"]["id"])
    assert rows
    for row in rows:
        assert session["refresh_token"] not in row["token"]
        assert auth.refresh(row["token"]).json()["error_code"] == "refresh_token_not_found"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "validation_failed"),
        ("short", "validation_failed"),
        ("a" * 26, "refresh_token_not_found"),
        ("' or 1=1 --        ", "refresh_token_not_found"),
    ],
)
def test_tokens_that_never_were(auth: RunningAuth, token: str, code: str) -> None:
    answer = auth.refresh(token)
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)


def test_a_suspended_user_refreshes_no_more(auth: RunningAuth) -> None:
    session = auth.sign_up()
    path = f"/admin/users/{session['user']['id']}"
    auth.ask_as_admin("PUT", path, json={"ban_duration": "24h"})
    refused = auth.refresh(session["refresh_token"])
    assert (refused.status_code, refused.json()["error_code"]) == (400, "user_banned")
    auth.ask_as_admin("PUT", path, json={"ban_duration": "none"})
    assert auth.refresh(session["refresh_token"]).status_code == 200


def test_a_time_box_ends_sessions(database: FreshDatabase) -> None:
    with running_auth(database, session_timebox=timedelta(hours=8)) as auth:
        session = auth.sign_up()
        with auth.later(hours=7):
            session = auth.refresh(session["refresh_token"]).json()
        with auth.later(hours=9):
            refused = auth.refresh(session["refresh_token"])
            assert (refused.status_code, refused.json()["error_code"]) == (400, "session_expired")
            assert auth.ask("GET", "/user", token=session["access_token"]).status_code == 403


def test_refreshing_notes_when_and_from_where(auth: RunningAuth) -> None:
    session = auth.sign_up()
    auth.ask(
        "POST",
        "/token?grant_type=refresh_token",
        json={"refresh_token": session["refresh_token"]},
        headers={"User-Agent": "another device"},
    )
    (row,) = auth.fetch(
        "select user_agent, refreshed_at from auth.sessions where id = $1", str(claims_of(session)["session_id"])
    )
    assert row["user_agent"] == "another device"
    assert row["refreshed_at"] is not None
