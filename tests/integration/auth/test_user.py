"""Changing one's own account, and turning a demo visitor into a user."""

from datetime import timedelta

import pytest
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from tests.cluster import FreshDatabase
from tests.integration.auth.running import PASSWORD, RunningAuth, new_email, running_auth

NEW_PASSWORD = "something else entirely"


def verify_change(auth: RunningAuth, email: str) -> dict[str, object]:
    """Type the code that was sent to this address."""
    body = {"type": "email_change", "email": email, "token": auth.code_for(email)}
    answer = auth.ask("POST", "/verify", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_metadata_is_merged_and_null_removes(auth: RunningAuth) -> None:
    client = auth.client()
    client.auth.sign_up({"email": new_email(), "password": PASSWORD, "options": {"data": {"a": 1, "b": {"c": 1}}}})
    client.auth.update_user({"data": {"b": {"d": 2}, "e": "x"}})
    user = client.auth.update_user({"data": {"a": None}}).user
    assert "a" not in user.user_metadata
    assert user.user_metadata["b"] == {"d": 2}
    assert user.user_metadata["e"] == "x"
    fresh = client.auth.get_user()
    assert fresh is not None
    assert fresh.user.user_metadata == user.user_metadata


def test_app_metadata_is_the_operators(auth: RunningAuth) -> None:
    session = auth.sign_up()
    answer = auth.ask(
        "PUT", "/user", token=session["access_token"], json={"app_metadata": {"role": "admin"}, "data": {"a": 1}}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (403, "not_admin")
    user = auth.ask("GET", "/user", token=session["access_token"]).json()
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert "a" not in user["user_metadata"]


def test_a_role_of_ones_own_choice_changes_nothing(auth: RunningAuth) -> None:
    session = auth.sign_up()
    body = {"role": "service_role", "aud": "other", "is_super_admin": True, "id": "x", "banned_until": None}
    assert auth.ask("PUT", "/user", token=session["access_token"], json=body).status_code == 200
    user = auth.ask("GET", "/user", token=session["access_token"]).json()
    assert (user["role"], user["aud"], user["id"]) == ("authenticated", "authenticated", session["user"]["id"])


def test_a_new_password_signs_out_every_other_session(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    mine, other = auth.sign_in(email), auth.sign_in(email)
    changed = auth.ask("PUT", "/user", token=mine["access_token"], json={"password": NEW_PASSWORD})
    assert changed.status_code == 200
    assert auth.ask("GET", "/user", token=mine["access_token"]).status_code == 200
    assert auth.refresh(mine["refresh_token"]).status_code == 200
    assert auth.ask("GET", "/user", token=other["access_token"]).status_code == 403
    assert auth.refresh(other["refresh_token"]).status_code == 400
    assert auth.sign_in(email, NEW_PASSWORD)
    old = auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": PASSWORD})
    assert old.status_code == 400


def test_a_new_password_withdraws_every_code(auth: RunningAuth) -> None:
    email = new_email()
    session = auth.sign_up(email)
    auth.ask("POST", "/recover", json={"email": email})
    code = auth.code_for(email)
    auth.ask("PUT", "/user", token=session["access_token"], json={"password": NEW_PASSWORD})
    answer = auth.ask("POST", "/verify", json={"type": "recovery", "email": email, "token": code})
    assert answer.json()["error_code"] == "otp_expired"


def test_passwords_that_are_refused(auth: RunningAuth) -> None:
    client = auth.client()
    client.auth.sign_up({"email": new_email(), "password": PASSWORD})
    with pytest.raises(AuthApiError, match="New password should be different") as refused:
        client.auth.update_user({"password": PASSWORD})
    assert (refused.value.status, refused.value.code) == (422, "same_password")
    for weak in ("short", ""):
        with pytest.raises(AuthWeakPasswordError):
            client.auth.update_user({"password": weak})
    with pytest.raises(AuthApiError, match="longer than 72"):
        client.auth.update_user({"password": "x" * 73})


def test_another_address_waits_to_be_confirmed(auth: RunningAuth) -> None:
    old, new = new_email(), new_email()
    token = auth.sign_up(old)["access_token"]
    user = auth.ask("PUT", "/user", token=token, json={"email": new.upper()}).json()
    assert (user["email"], user["new_email"]) == (old, new)
    assert user["email_change_sent_at"]
    changed = verify_change(auth, new)["user"]
    assert isinstance(changed, dict)
    assert changed["email"] == new
    assert "new_email" not in changed
    assert changed["identities"][0]["identity_data"]["email"] == new
    assert auth.sign_in(new)


def test_both_addresses_must_agree_where_mail_confirms(confirming: RunningAuth) -> None:
    old, new = new_email(), new_email()
    token = confirming.sign_up(old)["access_token"]
    confirming.ask("PUT", "/user", token=token, json={"email": new})
    first = verify_change(confirming, new)
    assert first["code"] == "200"
    assert str(first["msg"]).startswith("Confirmation link accepted.")
    assert confirming.ask("GET", "/user", token=token).json()["email"] == old
    assert "access_token" in verify_change(confirming, old)
    assert confirming.ask("GET", "/user", token=token).json()["email"] == new


def test_both_links_must_be_followed(confirming: RunningAuth) -> None:
    old, new = new_email(), new_email()
    token = confirming.sign_up(old)["access_token"]
    confirming.ask("PUT", "/user", token=token, json={"email": new})
    first = confirming.http.get(confirming.link_for(old)).headers["location"]
    assert "#message=Confirmation+link+accepted." in first
    second = confirming.http.get(confirming.link_for(new)).headers["location"]
    assert "access_token=" in second
    assert "type=email_change" in second
    assert confirming.ask("GET", "/user", token=token).json()["email"] == new


def test_resending_a_change_of_address(auth: RunningAuth) -> None:
    old, new = new_email(), new_email()
    token = auth.sign_up(old)["access_token"]
    auth.ask("PUT", "/user", token=token, json={"email": new})
    assert auth.ask("POST", "/resend", json={"type": "email_change", "email": old}).json() == {}
    assert len(auth.mails_to(new)) == 2
    verify_change(auth, new)


def test_an_address_of_someone_else_is_refused(auth: RunningAuth) -> None:
    taken = new_email()
    auth.sign_up(taken)
    answer = auth.ask("PUT", "/user", token=auth.sign_up()["access_token"], json={"email": taken})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "email_exists")


def test_an_address_taken_meanwhile_is_refused(auth: RunningAuth) -> None:
    wanted = new_email()
    auth.ask("PUT", "/user", token=auth.sign_up()["access_token"], json={"email": wanted})
    auth.sign_up(wanted)
    body = {"type": "email_change", "email": wanted, "token": auth.code_for(wanted)}
    answer = auth.ask("POST", "/verify", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "email_exists")


def test_anonymous_visitors(auth: RunningAuth) -> None:
    client = auth.client()
    answer = client.auth.sign_in_anonymously({"options": {"data": {"theme": "dark"}}})
    assert answer.user is not None
    assert answer.session is not None
    assert answer.user.is_anonymous
    assert answer.user.email == ""
    assert answer.user.app_metadata == {}
    assert answer.user.user_metadata == {"theme": "dark"}
    assert answer.user.identities == []
    claims = client.auth.get_claims()
    assert claims is not None
    assert dict(claims["claims"])["is_anonymous"] is True
    assert dict(claims["claims"])["role"] == "authenticated"


def test_a_visitor_becomes_a_user(auth: RunningAuth) -> None:
    client, email = auth.client(), new_email()
    visitor = client.auth.sign_in_anonymously().user
    assert visitor is not None
    with pytest.raises(AuthApiError, match="without an email") as refused:
        client.auth.update_user({"password": PASSWORD})
    assert (refused.value.status, refused.value.code) == (422, "validation_failed")
    user = client.auth.update_user({"email": email, "password": PASSWORD}).user
    assert (user.id, user.email, user.is_anonymous) == (visitor.id, email, False)
    assert user.app_metadata == {"provider": "email", "providers": ["email"]}
    assert user.identities is not None
    assert user.identities[0].identity_data["email"] == email
    session = client.auth.refresh_session().session
    assert session is not None
    assert session.user.is_anonymous is False
    assert auth.sign_in(email)["user"]["id"] == visitor.id


def test_a_visitor_becomes_a_user_once_the_address_is_confirmed(confirming: RunningAuth) -> None:
    client, email = confirming.client(), new_email()
    visitor = client.auth.sign_in_anonymously().user
    assert visitor is not None
    pending = client.auth.update_user({"email": email}).user
    assert pending.is_anonymous
    assert pending.new_email == email
    client.auth.verify_otp({"email": email, "token": confirming.code_for(email), "type": "email_change"})
    fresh = client.auth.get_user()
    assert fresh is not None
    assert (fresh.user.id, fresh.user.email, fresh.user.is_anonymous) == (visitor.id, email, False)
    client.auth.update_user({"password": PASSWORD})
    assert confirming.sign_in(email)


def test_visitors_and_sign_ups_can_be_switched_off(database: FreshDatabase) -> None:
    with running_auth(database, anonymous_users=False) as auth:
        answer = auth.ask("POST", "/signup", json={})
        assert (answer.status_code, answer.json()["error_code"]) == (422, "anonymous_provider_disabled")
        assert auth.ask("GET", "/settings").json()["external"]["anonymous_users"] is False
    with running_auth(database, disable_signup=True) as auth:
        for body in ({}, {"email": new_email(), "password": PASSWORD}):
            answer = auth.ask("POST", "/signup", json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (422, "signup_disabled")
        assert auth.ask("POST", "/otp", json={"email": new_email()}).json()["error_code"] == "signup_disabled"
        assert auth.sign_up()


def test_a_nonce_where_it_is_asked_for(database: FreshDatabase) -> None:
    with running_auth(database, password_change_needs_reauthentication=True) as auth:
        email = new_email()
        token = auth.sign_up(email)["access_token"]
        assert auth.ask("PUT", "/user", token=token, json={"password": NEW_PASSWORD}).status_code == 200
        session = auth.sign_in(email, NEW_PASSWORD)
        with auth.later(hours=25):
            token = auth.refresh(session["refresh_token"]).json()["access_token"]
            needed = auth.ask("PUT", "/user", token=token, json={"password": PASSWORD})
            assert (needed.status_code, needed.json()["error_code"]) == (400, "reauthentication_needed")
            assert auth.ask("GET", "/reauthenticate", token=token).json() == {}
            wrong = auth.ask("PUT", "/user", token=token, json={"password": PASSWORD, "nonce": "000000x"})
            assert (wrong.status_code, wrong.json()["error_code"]) == (422, "reauthentication_not_valid")
            body = {"password": PASSWORD, "nonce": auth.code_for(email)}
            assert auth.ask("PUT", "/user", token=token, json=body).status_code == 200


def test_the_current_password_where_it_is_asked_for(database: FreshDatabase) -> None:
    with running_auth(database, password_change_needs_current_password=True) as auth:
        email = new_email()
        token = auth.sign_up(email)["access_token"]
        for told, code in ((None, "current_password_required"), ("wrong", "current_password_invalid")):
            body = {"password": NEW_PASSWORD, **({"current_password": told} if told else {})}
            answer = auth.ask("PUT", "/user", token=token, json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (400, code)
        body = {"password": NEW_PASSWORD, "current_password": PASSWORD}
        assert auth.ask("PUT", "/user", token=token, json=body).status_code == 200
        auth.ask("POST", "/recover", json={"email": email})
        recovered = auth.ask(
            "POST", "/verify", json={"type": "recovery", "email": email, "token": auth.code_for(email)}
        )
        token = recovered.json()["access_token"]
        assert auth.ask("PUT", "/user", token=token, json={"password": PASSWORD}).status_code == 200


def test_reauthenticating_needs_an_address(auth: RunningAuth) -> None:
    session = auth.ask("POST", "/signup", json={}).json()
    answer = auth.ask("GET", "/reauthenticate", token=session["access_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


def test_old_visitors_are_forgotten(auth: RunningAuth) -> None:
    from backend.infrastructure.supabase.auth_server import AuthServerConfig, create_auth_app
    from backend.infrastructure.supabase.auth_server.housekeeping import tidy
    from tests.integration.auth.running import in_own_loop

    visitor = auth.ask("POST", "/signup", json={}).json()["user"]["id"]
    member = auth.sign_up()["user"]["id"]

    async def tidy_in(days: int) -> None:
        config = AuthServerConfig(dsn=auth.database.dsn("supabase_auth_admin"), issuer="x", site_url=auth.url)
        server = create_auth_app(config, auth.keys, now=lambda: auth.watch.now() + timedelta(days=days))
        await server.house.open()
        try:
            await tidy(server.house)
        finally:
            await server.house.close()

    def left() -> set[str]:
        rows = auth.fetch("select id::text from auth.users where id::text in ($1, $2)", visitor, member)
        return {row["id"] for row in rows}

    in_own_loop(tidy_in(6))
    assert left() == {visitor, member}
    in_own_loop(tidy_in(8))
    assert left() == {member}
