"""Signing up, in and out, by the official Python client."""

import jwt
import pytest
from supabase_auth.errors import AuthApiError, AuthInvalidCredentialsError, AuthWeakPasswordError

from tests.integration.auth.running import PASSWORD, RunningAuth, new_email


def test_sign_up_confirms_itself_and_gives_a_session(auth: RunningAuth) -> None:
    email = new_email()
    answer = auth.client().auth.sign_up(
        {"email": email.upper(), "password": PASSWORD, "options": {"data": {"name": "Ann", "sub": "mine"}}}
    )
    assert answer.session is not None
    assert answer.user is not None
    assert answer.user.email == email
    assert answer.user.role == answer.user.aud == "authenticated"
    assert answer.user.app_metadata == {"provider": "email", "providers": ["email"]}
    assert answer.user.user_metadata == {
        "name": "Ann",
        "sub": answer.user.id,
        "email": email,
        "email_verified": True,
        "phone_verified": False,
    }
    assert answer.user.identities is not None
    assert answer.user.identities[0].identity_data["email"] == email
    assert answer.session.expires_in == 3600
    assert answer.session.token_type == "bearer"


def test_access_token_says_what_hosted_ones_say(auth: RunningAuth) -> None:
    session = auth.sign_up()
    token = session["access_token"]
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("ES256", "JWT")
    jwks = jwt.PyJWKSet.from_dict(auth.ask("GET", "/.well-known/jwks.json").json())
    claims = jwt.decode(
        token, jwks[header["kid"]], algorithms=["ES256"], audience="authenticated", issuer=f"{auth.url}/auth/v1"
    )
    assert claims["aud"] == claims["role"] == "authenticated"
    assert claims["sub"] == session["user"]["id"]
    assert claims["email"] == session["user"]["email"]
    assert (claims["phone"], claims["aal"], claims["is_anonymous"]) == ("", "aal1", False)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["exp"] == session["expires_at"]
    assert [entry["method"] for entry in claims["amr"]] == ["password"]
    assert isinstance(claims["amr"][0]["timestamp"], int)
    assert claims["session_id"]


def test_claims_can_be_read_by_the_client_itself(auth: RunningAuth) -> None:
    client = auth.client()
    email = new_email()
    client.auth.sign_up({"email": email, "password": PASSWORD})
    claims = client.auth.get_claims()
    assert claims is not None
    assert dict(claims["claims"])["email"] == email


def test_signing_up_twice_is_told(auth: RunningAuth) -> None:
    email = new_email()
    auth.client().auth.sign_up({"email": email, "password": PASSWORD})
    with pytest.raises(AuthApiError, match="User already registered") as refused:
        auth.client().auth.sign_up({"email": email, "password": PASSWORD})
    assert (refused.value.status, refused.value.code) == (422, "user_already_exists")


def test_an_account_that_waits_for_its_owner_cannot_be_taken_by_signing_up(auth: RunningAuth) -> None:
    invited, made = new_email(), new_email()
    auth.ask_as_admin("POST", "/invite", json={"email": invited})
    auth.ask_as_admin("POST", "/admin/users", json={"email": made, "app_metadata": {"role": "admin"}})
    for email in (invited, made):
        answer = auth.ask("POST", "/signup", json={"email": email, "password": PASSWORD})
        assert (answer.status_code, answer.json()["error_code"]) == (422, "user_already_exists")
        refused = auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": PASSWORD})
        assert refused.json()["error_code"] == "invalid_credentials"


@pytest.mark.parametrize(
    ("credentials", "status", "code"),
    [
        ({"email": "", "password": "", "phone": "+15551234567"}, 400, "validation_failed"),
        ({"email": "a@example.com"}, 400, "validation_failed"),
        ({"email": "not an address", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "two@at@example.com", "password": PASSWORD}, 400, "validation_failed"),
        ({"email": "a@example.com", "password": "x" * 73}, 400, "validation_failed"),
        ({"email": "a@example.com", "password": "é" * 37}, 400, "validation_failed"),
        ({"email": "a@example.com", "password": "short"}, 422, "weak_password"),
        ({"phone": "+15551234567", "password": PASSWORD}, 400, "phone_provider_disabled"),
        ({"email": "a@example.com", "password": PASSWORD, "code_challenge": "x" * 50}, 400, "validation_failed"),
        (
            {"email": "a@b.co", "password": PASSWORD, "code_challenge": "x", "code_challenge_method": "s256"},
            400,
            "validation_failed",
        ),
    ],
)
def test_sign_ups_that_are_refused(auth: RunningAuth, credentials: dict[str, str], status: int, code: str) -> None:
    answer = auth.ask("POST", "/signup", json=credentials)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_weak_password_says_why(auth: RunningAuth) -> None:
    with pytest.raises(AuthWeakPasswordError) as refused:
        auth.client().auth.sign_up({"email": new_email(), "password": "short"})
    assert refused.value.reasons == ["length"]


def test_sign_in_with_password(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    client = auth.client()
    session = client.auth.sign_in_with_password({"email": email.upper(), "password": PASSWORD}).session
    assert session is not None
    user = client.auth.get_user()
    assert user is not None
    assert user.user.email == email


@pytest.mark.parametrize("password", ["wrong password", "", "x" * 200])
def test_wrong_password_and_unknown_user_answer_alike(auth: RunningAuth, password: str) -> None:
    email = new_email()
    auth.sign_up(email)
    answers = [
        auth.ask("POST", "/token?grant_type=password", json={"email": address, "password": password})
        for address in (email, new_email(), "not an address")
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert {answer.text for answer in answers} == {
        '{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}'
    }


def test_invalid_login_raises_in_the_client(auth: RunningAuth) -> None:
    with pytest.raises((AuthApiError, AuthInvalidCredentialsError), match="Invalid login credentials"):
        auth.client().auth.sign_in_with_password({"email": new_email(), "password": "nope nope"})


def test_a_password_beyond_what_bcrypt_reads_never_fits(auth: RunningAuth) -> None:
    email, password = new_email(), "x" * 72
    auth.sign_up(email, password)
    answer = auth.ask("POST", "/token?grant_type=password", json={"email": email, "password": password + "y"})
    assert answer.json()["error_code"] == "invalid_credentials"


def test_other_grants_are_refused(auth: RunningAuth) -> None:
    for grant in ("", "unknown", "client_credentials"):
        answer = auth.ask("POST", f"/token?grant_type={grant}", json={})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_credentials")
        assert answer.json()["msg"] == "unsupported_grant_type"
    assert auth.ask("POST", "/token?grant_type=id_token", json={}).status_code == 400
    assert auth.ask("POST", "/token?grant_type=web3", json={}).status_code == 422


def test_sign_out_ends_the_session_at_once(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    one, other = auth.sign_in(email), auth.sign_in(email)
    answer = auth.ask("POST", "/logout?scope=local", token=one["access_token"])
    assert (answer.status_code, answer.content) == (204, b"")
    gone = auth.ask("GET", "/user", token=one["access_token"])
    assert (gone.status_code, gone.json()["error_code"]) == (403, "session_not_found")
    assert auth.refresh(one["refresh_token"]).json()["error_code"] == "refresh_token_not_found"
    assert auth.ask("GET", "/user", token=other["access_token"]).status_code == 200


def test_sign_out_of_the_others(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    mine, other = auth.sign_in(email), auth.sign_in(email)
    assert auth.ask("POST", "/logout?scope=others", token=mine["access_token"]).status_code == 204
    assert auth.ask("GET", "/user", token=mine["access_token"]).status_code == 200
    assert auth.ask("GET", "/user", token=other["access_token"]).status_code == 403


def test_sign_out_everywhere_is_the_default(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    mine, other = auth.sign_in(email), auth.sign_in(email)
    assert auth.ask("POST", "/logout", token=mine["access_token"]).status_code == 204
    for session in (mine, other):
        assert auth.ask("GET", "/user", token=session["access_token"]).status_code == 403
        assert auth.refresh(session["refresh_token"]).status_code == 400


def test_sign_out_refuses_other_scopes(auth: RunningAuth) -> None:
    answer = auth.ask("POST", "/logout?scope=galaxy", token=auth.sign_up()["access_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


def test_the_client_signs_out(auth: RunningAuth) -> None:
    client = auth.client()
    client.auth.sign_up({"email": new_email(), "password": PASSWORD})
    client.auth.sign_out()
    assert client.auth.get_session() is None


def test_session_rows_tell_device_and_address(auth: RunningAuth) -> None:
    email = new_email()
    auth.sign_up(email)
    answer = auth.ask(
        "POST",
        "/token?grant_type=password",
        json={"email": email, "password": PASSWORD},
        headers={"User-Agent": "Tidemark test agent", "X-Forwarded-For": "203.0.113.9"},
    )
    session_id = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["session_id"]
    (row,) = auth.fetch("select user_agent, host(ip) as ip, aal::text from auth.sessions where id = $1", session_id)
    assert tuple(row) == ("Tidemark test agent", "127.0.0.1", "aal1")


def test_many_sign_ups_of_one_address_make_one_user(auth: RunningAuth) -> None:
    from concurrent.futures import ThreadPoolExecutor

    email = new_email()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: auth.ask("POST", "/signup", json={"email": email, "password": PASSWORD}).status_code, range(8)
            )
        )
    assert sorted(answers) == [200] + [422] * 7
    assert len(auth.fetch("select 1 from auth.users where email = $1", email)) == 1
