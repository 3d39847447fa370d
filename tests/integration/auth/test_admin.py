"""The operator's API, by the official client with the secret key."""

import re
from typing import Any, Literal
from uuid import uuid4

import pytest
from supabase_auth.errors import AuthApiError

from tests.integration.auth.running import PASSWORD, RunningAuth, new_email


def test_create_read_change_delete(auth: RunningAuth) -> None:
    admin, email = auth.admin(), new_email()
    made = admin.create_user(
        {
            "email": email.upper(),
            "password": PASSWORD,
            "email_confirm": True,
            "user_metadata": {"name": "Cy"},
            "app_metadata": {"role": "admin"},
        }
    ).user
    assert made.email == email
    assert made.email_confirmed_at is not None
    assert made.app_metadata == {"provider": "email", "providers": ["email"], "role": "admin"}
    assert made.user_metadata == {"name": "Cy", "email_verified": True}
    assert admin.get_user_by_id(made.id).user.id == made.id
    changed = admin.update_user_by_id(
        made.id, {"app_metadata": {"role": None, "plan": "pro"}, "user_metadata": {"name": "Di"}}
    ).user
    assert changed.app_metadata == {"provider": "email", "providers": ["email"], "plan": "pro"}
    assert changed.user_metadata["name"] == "Di"
    admin.delete_user(made.id)
    with pytest.raises(AuthApiError, match="User not found") as refused:
        admin.get_user_by_id(made.id)
    assert (refused.value.status, refused.value.code) == (404, "user_not_found")


def test_app_metadata_reaches_the_token_and_its_role_does_not(auth: RunningAuth) -> None:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "email_confirm": True, "role": "service_role"}
    auth.ask_as_admin("POST", "/admin/users", json={**body, "app_metadata": {"role": "admin"}})
    client = auth.client()
    client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    claims = client.auth.get_claims()
    assert claims is not None
    told: dict[str, Any] = dict(claims["claims"])
    assert told["role"] == "authenticated"
    assert told["app_metadata"]["role"] == "admin"
    session = client.auth.get_session()
    assert session is not None
    assert auth.ask("GET", "/admin/users", token=session.access_token).json()["error_code"] == "not_admin"


def test_an_unconfirmed_user_cannot_sign_in_yet(auth: RunningAuth) -> None:
    email, admin = new_email(), auth.admin()
    user = admin.create_user({"email": email, "password": PASSWORD}).user
    assert user.email_confirmed_at is None
    refused = auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": PASSWORD})
    assert refused.json()["error_code"] == "email_not_confirmed"
    admin.update_user_by_id(user.id, {"email_confirm": True})
    assert auth.sign_in(email)


def test_an_id_and_a_hash_may_be_brought_along(auth: RunningAuth) -> None:
    email, user_id = new_email(), str(uuid4())
    (row,) = auth.fetch("select extensions.crypt($1, extensions.gen_salt('bf', 6)) as hash", PASSWORD)
    for index, prefix in enumerate(("$2a$", "$2b$", "$2y$")):
        body = {"email": f"{index}{email}", "password_hash": prefix + row["hash"][4:], "email_confirm": True}
        answer = auth.ask_as_admin("POST", "/admin/users", json={**body, **({"id": user_id} if index == 0 else {})})
        assert answer.status_code == 200, answer.text
        assert auth.sign_in(f"{index}{email}")
    assert auth.sign_in(f"0{email}")["user"]["id"] == user_id


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "validation_failed"),
        ({"email": "nobody"}, 400, "validation_failed"),
        ({"email": "a@b.co", "password": "x" * 73}, 400, "validation_failed"),
        ({"email": "a@b.co", "password": PASSWORD, "password_hash": "x"}, 400, "validation_failed"),
        ({"email": "a@b.co", "password_hash": "$argon2id$v=19$"}, 400, "validation_failed"),
        ({"email": "a@b.co", "password_hash": "$2a$31$" + "a" * 53}, 400, "validation_failed"),
        ({"email": "a@b.co", "id": "mine"}, 400, "validation_failed"),
        ({"email": "a@b.co", "id": "00000000-0000-0000-0000-000000000000"}, 400, "validation_failed"),
        ({"email": "a@b.co", "ban_duration": "for ever"}, 400, "validation_failed"),
        ({"email": "a@b.co", "ban_duration": "9999999h"}, 400, "validation_failed"),
        ({"email": "a@b.co", "role": "x" * 256}, 400, "validation_failed"),
        ({"email": "a@b.co", "app_metadata": []}, 400, "bad_json"),
        ({"phone": "+15551234567"}, 400, "phone_provider_disabled"),
    ],
)
def test_users_that_cannot_be_made(auth: RunningAuth, body: dict[str, object], status: int, code: str) -> None:
    answer = auth.ask_as_admin("POST", "/admin/users", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_an_address_belongs_to_one(auth: RunningAuth) -> None:
    admin, email = auth.admin(), new_email()
    first = admin.create_user({"email": email}).user
    other = admin.create_user({"email": new_email()}).user
    with pytest.raises(AuthApiError, match="already been registered") as refused:
        admin.create_user({"email": email})
    assert (refused.value.status, refused.value.code) == (422, "email_exists")
    with pytest.raises(AuthApiError) as refused:
        admin.update_user_by_id(other.id, {"email": email})
    assert (refused.value.status, refused.value.code) == (422, "email_exists")
    again = auth.ask_as_admin("POST", "/admin/users", json={"email": new_email(), "id": first.id})
    assert (again.status_code, again.json()["error_code"]) == (422, "user_already_exists")


def test_changing_an_address_at_once(auth: RunningAuth) -> None:
    old, new = new_email(), new_email()
    user = auth.sign_up(old)["user"]
    changed = auth.admin().update_user_by_id(user["id"], {"email": new, "email_confirm": True}).user
    assert changed.email == new
    assert changed.identities[0].identity_data["email"] == new
    assert auth.sign_in(new)


def test_a_password_set_by_the_operator_signs_out_everywhere(auth: RunningAuth) -> None:
    email = new_email()
    session = auth.sign_up(email)
    admin = auth.admin()
    with pytest.raises(Exception, match="at least 8 characters"):
        admin.update_user_by_id(session["user"]["id"], {"password": "short"})
    admin.update_user_by_id(session["user"]["id"], {"password": "given by the operator"})
    assert auth.ask("GET", "/user", token=session["access_token"]).status_code == 403
    assert auth.refresh(session["refresh_token"]).status_code == 400
    assert auth.sign_in(email, "given by the operator")


def test_suspending(auth: RunningAuth) -> None:
    email = new_email()
    session = auth.sign_up(email)
    admin = auth.admin()
    banned = admin.update_user_by_id(session["user"]["id"], {"ban_duration": "24h"}).user
    raw = auth.ask_as_admin("GET", f"/admin/users/{banned.id}").json()
    assert raw["banned_until"]
    refused = auth.ask("GET", "/user", token=session["access_token"])
    assert (refused.status_code, refused.json()["error_code"]) == (403, "user_banned")
    body = {"email": email, "password": PASSWORD}
    assert auth.ask("POST", "/token?grant_type=password", json=body).json()["error_code"] == "user_banned"
    wrong = auth.ask("POST", "/token?grant_type=password", json={**body, "password": "not the password"})
    assert wrong.json()["error_code"] == "invalid_credentials"
    with auth.later(hours=25):
        assert auth.sign_in(email)
    admin.update_user_by_id(banned.id, {"ban_duration": "none"})
    assert "banned_until" not in auth.ask_as_admin("GET", f"/admin/users/{banned.id}").json()
    assert auth.sign_in(email)


def test_soft_deletion_keeps_the_id_and_forgets_the_person(auth: RunningAuth) -> None:
    email = new_email()
    session = auth.sign_up(email)
    user_id = session["user"]["id"]
    admin = auth.admin()
    admin.delete_user(user_id, should_soft_delete=True)
    left = auth.ask_as_admin("GET", f"/admin/users/{user_id}").json()
    assert left["deleted_at"]
    assert email not in str(left)
    assert left["user_metadata"] == {}
    gone = auth.ask("GET", "/user", token=session["access_token"])
    assert (gone.status_code, gone.json()["error_code"]) == (403, "user_not_found")
    assert auth.refresh(session["refresh_token"]).status_code == 400
    assert auth.sign_up(email)["user"]["id"] != user_id
    admin.delete_user(user_id, should_soft_delete=True)


def test_deletion_ends_everything(auth: RunningAuth) -> None:
    session = auth.sign_up()
    assert auth.ask_as_admin("DELETE", f"/admin/users/{session['user']['id']}").json() == {}
    gone = auth.ask("GET", "/user", token=session["access_token"])
    assert (gone.status_code, gone.json()["error_code"]) == (403, "user_not_found")
    assert auth.refresh(session["refresh_token"]).json()["error_code"] == "refresh_token_not_found"


def test_listing_in_pages(auth: RunningAuth) -> None:
    admin, mark = auth.admin(), uuid4().hex
    made = [admin.create_user({"email": f"{mark}-{number}@example.com"}).user.id for number in range(5)]
    listed = [user.id for user in admin.list_users(page=1, per_page=1000)]
    assert [user_id for user_id in listed if user_id in made] == made[::-1]
    found = auth.ask_as_admin("GET", f"/admin/users?filter={mark}&per_page=2&page=2")
    assert [user["id"] for user in found.json()["users"]] == [made[2], made[1]]
    assert found.json()["aud"] == "authenticated"
    assert found.headers["x-total-count"] == "5"
    links = re.findall(r'<[^>]*[?&]page=(\d+)[^>]*>; rel="(\w+)"', found.headers["link"])
    assert links == [("3", "next"), ("3", "last")]
    last = auth.ask_as_admin("GET", f"/admin/users?filter={mark}&per_page=2&page=3")
    assert 'rel="next"' not in last.headers["link"]
    assert len(last.json()["users"]) == 1
    oldest = auth.ask_as_admin("GET", f"/admin/users?filter={mark}&sort=created_at asc&per_page=1")
    assert oldest.json()["users"][0]["id"] == made[0]
    default = auth.ask_as_admin("GET", "/admin/users").json()["users"]
    assert len(default) <= 50


def test_a_filter_is_no_pattern(auth: RunningAuth) -> None:
    assert auth.ask_as_admin("GET", "/admin/users?filter=%25%25x_x%25").json()["users"] == []


@pytest.mark.parametrize("query", ["page=x", "per_page=0", "per_page=-1", "page=1.5", "sort=email", "page=" + "9" * 40])
def test_pages_that_are_none(auth: RunningAuth, query: str) -> None:
    answer = auth.ask_as_admin("GET", f"/admin/users?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


def test_a_page_far_beyond_is_empty(auth: RunningAuth) -> None:
    answer = auth.ask_as_admin("GET", f"/admin/users?page={2**63}&per_page={2**63}")
    assert (answer.status_code, answer.json()["users"]) == (200, [])


def test_ids_that_are_none(auth: RunningAuth) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = auth.ask_as_admin(method, "/admin/users/nobody", **({"json": {}} if method == "PUT" else {}))
        assert (answer.status_code, answer.json()["error_code"]) == (404, "validation_failed")
        answer = auth.ask_as_admin(method, f"/admin/users/{uuid4()}", **({"json": {}} if method == "PUT" else {}))
        assert (answer.status_code, answer.json()["error_code"]) == (404, "user_not_found")


@pytest.mark.parametrize(("wanted", "verified_as"), [("magiclink", "magiclink"), ("recovery", "recovery")])
def test_links_for_a_user(auth: RunningAuth, wanted: str, verified_as: Literal["magiclink", "recovery"]) -> None:
    email = new_email()
    auth.sign_up(email)
    answer = auth.admin().generate_link(
        {"type": wanted, "email": email, "options": {"redirect_to": f"{auth.url}/after"}}
    )
    properties = answer.properties
    assert answer.user.email == email
    assert properties.verification_type == verified_as
    assert properties.redirect_to == f"{auth.url}/after"
    assert re.fullmatch(r"\d{6}", properties.email_otp)
    client = auth.client()
    assert client.auth.verify_otp({"token_hash": properties.hashed_token, "type": verified_as}).session
    again = auth.admin().generate_link({"type": wanted, "email": email}).properties
    body = {"email": email, "token": again.email_otp, "type": verified_as}
    assert auth.ask("POST", "/verify", json=body).status_code == 200
    third = auth.admin().generate_link({"type": wanted, "email": email}).properties
    assert "access_token=" in auth.http.get(third.action_link).headers["location"]
    assert auth.mails_to(email) == []


def test_links_that_sign_up(auth: RunningAuth) -> None:
    email = new_email()
    answer = auth.admin().generate_link({"type": "signup", "email": email, "password": PASSWORD})
    assert answer.user.email_confirmed_at is None
    assert "access_token=" in auth.http.get(answer.properties.action_link).headers["location"]
    assert auth.sign_in(email)
    unknown = new_email()
    magic = auth.admin().generate_link({"type": "magiclink", "email": unknown})
    assert magic.properties.verification_type == "signup"
    assert auth.client().auth.verify_otp({"token_hash": magic.properties.hashed_token, "type": "signup"}).session


def test_links_that_invite(auth: RunningAuth) -> None:
    email = new_email()
    answer = auth.admin().generate_link({"type": "invite", "email": email, "options": {"data": {"team": "x"}}})
    assert answer.user.invited_at is not None
    assert answer.user.user_metadata["team"] == "x"
    assert auth.client().auth.verify_otp({"token_hash": answer.properties.hashed_token, "type": "invite"}).session


def test_links_that_change_an_address(auth: RunningAuth) -> None:
    old, new = new_email(), new_email()
    auth.sign_up(old)
    answer = auth.admin().generate_link({"type": "email_change_new", "email": old, "new_email": new})
    assert "type=email_change&" in answer.properties.action_link
    assert "access_token=" in auth.http.get(answer.properties.action_link).headers["location"]
    assert auth.sign_in(new)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"type": "recovery", "email": "nobody@example.com"}, 404, "user_not_found"),
        ({"type": "other", "email": "nobody@example.com"}, 400, "validation_failed"),
        ({"type": "signup", "email": "nobody@example.com"}, 400, "validation_failed"),
        ({"type": "signup", "email": "nobody@example.com", "password": "short"}, 422, "weak_password"),
        ({"type": "recovery"}, 400, "validation_failed"),
    ],
)
def test_links_that_cannot_be_made(auth: RunningAuth, body: dict[str, str], status: int, code: str) -> None:
    answer = auth.ask_as_admin("POST", "/admin/generate_link", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_links_of_the_operator_lead_nowhere_else_either(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    body = {"type": "recovery", "email": email, "redirect_to": "https://evil.example/"}
    answer = auth.ask_as_admin("POST", "/admin/generate_link", json=body).json()
    assert answer["redirect_to"] == auth.url
    assert "evil" not in answer["action_link"]


def test_inviting_by_mail(auth: RunningAuth) -> None:
    email = new_email()
    user = auth.admin().invite_user_by_email(email, {"data": {"team": "x"}}).user
    assert user.invited_at is not None
    assert "type=invite" in auth.link_for(email)
    assert "type=invite" in auth.http.get(auth.link_for(email)).headers["location"]
    with pytest.raises(AuthApiError, match="already been registered"):
        auth.admin().invite_user_by_email(email)


def test_signing_someone_out(auth: RunningAuth) -> None:
    session = auth.sign_up()
    auth.admin().sign_out(session["access_token"])
    assert auth.ask("GET", "/user", token=session["access_token"]).status_code == 403


def test_nobody_has_a_second_factor(auth: RunningAuth) -> None:
    user_id = auth.sign_up()["user"]["id"]
    assert auth.ask_as_admin("GET", f"/admin/users/{user_id}/factors").json() == []


def test_the_audit_log_tells_who_did_what(auth: RunningAuth) -> None:
    email = new_email()
    user = auth.sign_up(email)["user"]
    entries = auth.ask_as_admin("GET", "/admin/audit?per_page=200").json()
    mine = [entry for entry in entries if email in str(entry["payload"])]
    assert [entry["payload"]["action"] for entry in mine] == ["login", "user_signedup"]
    assert mine[0]["payload"]["actor_id"] == user["id"]
    assert mine[0]["ip_address"] == "127.0.0.1"
    assert PASSWORD not in str(entries)


def test_the_rest_of_the_operators_routes_is_closed_to_others(auth: RunningAuth) -> None:
    token = auth.sign_up()["access_token"]
    for method, path in [
        ("GET", "/admin/users"),
        ("POST", "/admin/users"),
        ("GET", f"/admin/users/{uuid4()}"),
        ("PUT", f"/admin/users/{uuid4()}"),
        ("DELETE", f"/admin/users/{uuid4()}"),
        ("POST", "/admin/generate_link"),
        ("GET", "/admin/audit"),
        ("GET", "/admin/sso/providers"),
        ("POST", "/invite"),
    ]:
        answer = auth.ask(method, path, token=token)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "not_admin"), path
    assert auth.ask_as_admin("GET", "/admin/sso/providers").json()["error_code"] == "feature_disabled"
