"""The gateway's rules and both error formats, by raw requests: clients hide them."""

import base64
import hmac
import json
import re

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.integration.auth.running import API_VERSION, PASSWORD, RunningAuth, new_email


def bare(auth: RunningAuth, method: str, path: str, **options: object) -> httpx.Response:
    return auth.http.request(method, f"{auth.url}/auth/v1{path}", **options)  # type: ignore[arg-type]  # any option of httpx


def test_every_route_needs_a_key(auth: RunningAuth) -> None:
    for path in ("/health", "/settings", "/user", "/admin/users", "/nowhere"):
        answer = bare(auth, "GET", path)
        assert (answer.status_code, answer.json()) == (401, {"message": "No API key found in request"})


def test_an_unknown_key_is_refused(auth: RunningAuth) -> None:
    for key in ("wrong", "sb_publishable_wrong", auth.keys.anon_key + "x", "naïve", "\u00ff" * 20):
        answer = bare(auth, "GET", "/health", headers={"apikey": key.encode("latin-1", "replace")})
        assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})


def test_a_key_may_stand_in_the_query(auth: RunningAuth) -> None:
    assert bare(auth, "GET", f"/health?apikey={auth.keys.publishable_key}").json()["name"] == "GoTrue"


def test_links_and_signing_keys_need_no_key(auth: RunningAuth) -> None:
    assert bare(auth, "GET", "/.well-known/jwks.json").status_code == 200
    assert bare(auth, "GET", "/verify?token=x&type=signup").status_code == 303
    assert bare(auth, "POST", "/verify", json={}).status_code == 400
    assert bare(auth, "GET", "/authorize?provider=google").status_code == 400
    assert bare(auth, "GET", "/callback").status_code == 400


@pytest.mark.parametrize("name", ["publishable_key", "anon_key", "secret_key", "service_role_key"])
def test_all_four_keys_open_the_door(auth: RunningAuth, name: str) -> None:
    assert bare(auth, "GET", "/settings", headers={"apikey": getattr(auth.keys, name)}).status_code == 200


@pytest.mark.parametrize(
    ("name", "with_bearer", "status"),
    [
        ("secret_key", True, 200),
        ("secret_key", False, 200),
        ("service_role_key", True, 200),
        ("service_role_key", False, 200),
        ("publishable_key", True, 403),
        ("publishable_key", False, 403),
        ("anon_key", True, 403),
        ("anon_key", False, 403),
    ],
)
def test_only_the_secret_keys_are_an_operators(auth: RunningAuth, name: str, with_bearer: bool, status: int) -> None:
    key = getattr(auth.keys, name)
    headers = {"apikey": key, **({"Authorization": f"Bearer {key}"} if with_bearer else {})}
    answer = bare(auth, "GET", "/admin/users", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error_code"] == "not_admin"


def test_a_users_token_wins_over_a_secret_key(auth: RunningAuth) -> None:
    session = auth.sign_up()
    headers = {"apikey": auth.keys.secret_key, "Authorization": f"Bearer {session['access_token']}"}
    assert bare(auth, "GET", "/admin/users", headers=headers).json()["error_code"] == "not_admin"
    assert bare(auth, "GET", "/user", headers=headers).json()["id"] == session["user"]["id"]


def test_a_secret_key_is_refused_from_a_browser(auth: RunningAuth) -> None:
    headers = {"apikey": auth.keys.secret_key, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    answer = bare(auth, "GET", "/admin/users", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"message": "Forbidden use of secret API key in browser"})


def test_malformed_authorization_is_no_bearer(auth: RunningAuth) -> None:
    for value in ("Basic abc", "Bearer", "Bearer a b", "abc"):
        answer = auth.ask("GET", "/user", headers={"Authorization": value})
        assert (answer.status_code, answer.json()["error_code"]) == (401, "no_authorization")


def test_keys_alone_are_not_users(auth: RunningAuth) -> None:
    for key in (auth.keys.publishable_key, auth.keys.anon_key, auth.keys.secret_key, auth.keys.service_role_key):
        answer = bare(auth, "GET", "/user", headers={"apikey": key})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "bad_jwt")


def by_hand(header: dict[str, object], claims: dict[str, object], secret: bytes = b"") -> str:
    """A token that no library would make: any header, and an HMAC with any secret, or no signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(secret, b".".join(parts), "sha256") if secret else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def forged(auth: RunningAuth) -> dict[str, str]:
    session = auth.sign_up()
    claims = dict(jwt.decode(session["access_token"], options={"verify_signature": False}))
    admin = {**claims, "role": "service_role"}
    kid = jwt.get_unverified_header(session["access_token"])["kid"]
    public_key = auth.keys.signing_key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, signature = session["access_token"].split(".")
    return {
        "no signature": by_hand({"alg": "none", "typ": "JWT"}, admin),
        "no signature, our key": by_hand({"alg": "none", "kid": kid}, admin),
        "no signature, claimed to be ours": by_hand({"alg": "ES256", "kid": kid}, admin),
        "public key as a secret": by_hand({"alg": "HS256", "kid": kid}, admin, public_key),
        "public key as the legacy secret": by_hand({"alg": "HS256"}, admin, public_key),
        "a key of its own": by_hand({"alg": "HS256", "jku": "http://127.0.0.1/keys", "kid": "x"}, admin, b"mine"),
        "another secret": jwt.encode(admin, "x" * 64, algorithm="HS256"),
        "the secret under our key": jwt.encode(admin, auth.keys.jwt_secret, algorithm="HS256", headers={"kid": kid}),
        "unknown key": jwt.encode(admin, "x" * 64, algorithm="HS256", headers={"kid": "../../etc/passwd"}),
        "cut": f"{head}.{body}.",
        "changed": f"{head}.{body[:-4]}AAAA.{signature}",
        "expired": auth.keys.sign({**claims, "exp": claims["iat"] - 10}),
        "subject is no uuid": auth.keys.sign({**claims, "sub": "me"}),
        "no subject": auth.keys.sign({**claims, "sub": ""}),
        "session is no uuid": auth.keys.sign({**claims, "session_id": "mine"}),
        "not a token": "a.b.c",
        "nothing but dots": "...",
    }


def test_forged_tokens_are_refused(auth: RunningAuth) -> None:
    for name, token in forged(auth).items():
        for path in ("/user", "/admin/users"):
            answer = auth.ask("GET", path, token=token)
            assert answer.status_code == 403, (name, path, answer.text)
            assert answer.json()["error_code"] in ("bad_jwt", "not_admin"), (name, path)


def test_a_foreign_session_does_not_lend_itself(auth: RunningAuth) -> None:
    mine, theirs = auth.sign_up(), auth.sign_up()
    claims = jwt.decode(mine["access_token"], options={"verify_signature": False})
    other = jwt.decode(theirs["access_token"], options={"verify_signature": False})
    mixed = auth.keys.sign({**claims, "session_id": other["session_id"]})
    assert auth.ask("GET", "/user", token=mixed).json()["error_code"] == "session_not_found"


def test_errors_in_the_old_format(auth: RunningAuth) -> None:
    answer = auth.ask("POST", "/token?grant_type=password", json={"email": new_email(), "password": "nope"})
    assert answer.json() == {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
    assert answer.headers["x-sb-error-code"] == "invalid_credentials"
    assert "x-supabase-api-version" not in answer.headers


@pytest.mark.parametrize("version", ["2024-01-01", "2024-05-05", "2026-11-20"])
def test_errors_in_the_new_format(auth: RunningAuth, version: str) -> None:
    answer = auth.ask(
        "POST",
        "/token?grant_type=password",
        json={"email": new_email(), "password": "nope"},
        headers={"X-Supabase-Api-Version": version},
    )
    assert answer.json() == {"code": "invalid_credentials", "message": "Invalid login credentials"}
    assert answer.headers["x-sb-error-code"] == "invalid_credentials"
    assert answer.headers["x-supabase-api-version"] == "2024-01-01"


@pytest.mark.parametrize("version", ["2023-12-31", "now", "2024-13-77", "", "2024-1-1"])
def test_other_versions_get_the_old_format(auth: RunningAuth, version: str) -> None:
    answer = auth.ask("GET", "/user", headers={"X-Supabase-Api-Version": version.encode("latin-1")})
    assert answer.json()["error_code"] == "bad_jwt"


def test_weak_passwords_in_both_formats(auth: RunningAuth) -> None:
    body = {"email": new_email(), "password": "short"}
    old = auth.ask("POST", "/signup", json=body)
    new = auth.ask("POST", "/signup", json=body, headers=API_VERSION)
    assert old.status_code == new.status_code == 422
    message = "Password should be at least 8 characters."
    reasons = {"reasons": ["length"]}
    assert old.json() == {"code": 422, "error_code": "weak_password", "msg": message, "weak_password": reasons}
    assert new.json() == {"code": "weak_password", "message": message, "weak_password": reasons}


def test_preflight_needs_no_key(auth: RunningAuth) -> None:
    answer = bare(
        auth,
        "OPTIONS",
        "/token?grant_type=password",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "apikey,authorization,x-client-info,x-supabase-api-version,x-more",
        },
    )
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] == "*"
    methods = set(re.split(r",\s*", answer.headers["access-control-allow-methods"]))
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= methods
    allowed = set(re.split(r",\s*", answer.headers["access-control-allow-headers"].lower()))
    assert {"authorization", "apikey", "content-type", "x-client-info", "x-supabase-api-version", "x-more"} <= allowed


def test_answers_can_be_read_by_any_page(auth: RunningAuth) -> None:
    for answer in (auth.ask("GET", "/settings"), bare(auth, "GET", "/settings"), auth.ask("GET", "/user")):
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = {name.lower() for name in re.split(r",\s*", answer.headers["access-control-expose-headers"])}
        assert {"x-total-count", "link", "x-supabase-api-version"} <= exposed
        assert answer.headers["cache-control"] == "no-store"


def test_settings(auth: RunningAuth) -> None:
    settings = auth.ask("GET", "/settings").json()
    assert settings["external"]["email"] is True
    assert settings["external"]["anonymous_users"] is True
    assert settings["external"]["phone"] is settings["external"]["google"] is False
    assert all(isinstance(value, bool) for value in settings["external"].values())
    assert {name: value for name, value in settings.items() if name != "external"} == {
        "disable_signup": False,
        "mailer_autoconfirm": True,
        "phone_autoconfirm": False,
        "sms_provider": "",
        "saml_enabled": False,
        "saml_private_key_next_configured": False,
        "passkeys_enabled": False,
    }


def test_health(auth: RunningAuth) -> None:
    assert set(auth.ask("GET", "/health").json()) == {"version", "name", "description"}


def test_signing_keys_show_their_public_half_only(auth: RunningAuth) -> None:
    answer = bare(auth, "GET", "/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=600"
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert key["key_ops"] == ["verify"]


def test_unknown_paths_and_methods(auth: RunningAuth) -> None:
    assert auth.ask("GET", "/nowhere").status_code == 404
    refused = auth.ask("DELETE", "/signup")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert auth.ask("HEAD", "/verify?token=x&type=signup").status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/authorize?provider=google", 400, "validation_failed"),
        ("GET", "/authorize?provider=nobody", 400, "validation_failed"),
        ("GET", "/authorize", 400, "validation_failed"),
        ("POST", "/sso", 404, "saml_provider_disabled"),
        ("GET", "/sso/saml/metadata", 404, "saml_provider_disabled"),
        ("POST", "/factors", 400, "bad_json"),
        ("POST", "/factors/x/verify", 404, "mfa_factor_not_found"),
        ("DELETE", "/factors/x", 404, "mfa_factor_not_found"),
        ("GET", "/user/identities/authorize?provider=google", 404, "manual_linking_disabled"),
        ("DELETE", "/user/identities/x", 404, "manual_linking_disabled"),
        ("POST", "/oauth/clients/register", 404, "feature_disabled"),
    ],
)
def test_what_is_not_offered_says_so(auth: RunningAuth, method: str, path: str, status: int, code: str) -> None:
    answer = auth.ask(method, path, token=auth.sign_up()["access_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("factor_type", "status", "code"),
    [
        ("totp", 422, "mfa_totp_enroll_not_enabled"),
        ("phone", 422, "mfa_phone_enroll_not_enabled"),
        ("webauthn", 422, "mfa_webauthn_enroll_not_enabled"),
        ("palm", 400, "validation_failed"),
        (1, 400, "bad_json"),
    ],
)
def test_second_factors_are_refused_by_name(auth: RunningAuth, factor_type: object, status: int, code: str) -> None:
    token = auth.sign_up()["access_token"]
    answer = auth.ask("POST", "/factors", token=token, json={"factor_type": factor_type, "phone": "+15551234567"})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"1",
    b"{'email': 1}",
    b'{"email": 5}',
    b'{"email": ["a@b.co"], "password": {}}',
    b'{"email": "a@b.co", "password": true}',
    b'{"email": "a@b.co", "password": "long enough", "data": []}',
    b'{"email": "a@b.co", "password": "long enough", "data": {"n": NaN}}',
    b'{"email": "a@b.co", "password": "long enough", "data": {"n": 1e999}}',
    b'{"email": "a@b.co", "password": "long enough\\u0000"}',
    b'{"email": "a@b.co", "password": "long enough", "data": {"n": "\\u0000"}}',
    b'{"email": "a@b.co", "password": "long enough", "data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"data": {"n": ' + b"9" * 5000 + b"}}",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_json_is_the_callers_mistake(auth: RunningAuth, body: bytes) -> None:
    answer = auth.ask("POST", "/signup", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_json"), answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/signup", {"email": "a@b.co", "password": "long enough", "channel": 1}),
        ("/signup", {"email": "a@b.co", "password": "long enough", "gotrue_meta_security": "token"}),
        ("/token?grant_type=password", {"email": "a@b.co", "password": "long enough", "gotrue_meta_security": []}),
        ("/token?grant_type=id_token", {"id_token": {}, "provider": "google"}),
        ("/admin/generate_link", {"type": "magiclink", "email": "a@b.co", "data": "text"}),
        ("/admin/generate_link", {"type": "magiclink", "email": "a@b.co", "new_email": True}),
        ("/admin/users", {"email": "a@b.co", "phone_confirm": "yes"}),
        ("/admin/users", {"email": "a@b.co", "aud": []}),
    ],
)
def test_wrong_types_are_refused_also_where_a_member_has_no_use(
    auth: RunningAuth, path: str, body: dict[str, object]
) -> None:
    answer = auth.ask_as_admin("POST", path, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_json"), answer.text


def test_lone_surrogates_and_invalid_utf8_are_replaced(auth: RunningAuth) -> None:
    email = new_email()
    body = f'{{"email": "{email}", "password": "{PASSWORD}", "data": {{"a": "\\ud800x"}}}}'.encode()
    answer = auth.ask("POST", "/signup", content=body)
    assert answer.status_code == 200
    assert answer.json()["user"]["user_metadata"]["a"] == "\ufffdx"
    other = f'{{"email": "{new_email()}", "password": "{PASSWORD}", "data": {{"a": "'.encode() + b'\xff\xfe"}}'
    assert auth.ask("POST", "/signup", content=other).json()["user"]["user_metadata"]["a"] == "\ufffd\ufffd"


def test_bodies_are_bounded(auth: RunningAuth) -> None:
    whole = auth.ask("POST", "/signup", content=b"x" * (1024 * 1024 + 1))
    assert (whole.status_code, whole.json()["error_code"]) == (413, "request_entity_too_large")
    streamed = auth.ask("POST", "/signup", content=(b"x" * 65536 for _ in range(20)))
    assert streamed.status_code == 413
    within = {"email": new_email(), "password": PASSWORD, "data": {"note": "x" * 900_000}}
    assert auth.ask("POST", "/signup", json=within).status_code == 200


def test_nul_in_addresses_and_queries_is_refused(auth: RunningAuth) -> None:
    assert auth.ask("GET", "/verify?token=%00&type=signup").status_code == 400
    assert auth.ask_as_admin("GET", "/admin/users?filter=%00").status_code == 400
    assert auth.ask_as_admin("GET", "/admin/users/%00").status_code == 404
