"""The token attack table: whatever a token says about itself, the key that we hold decides."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from backend.domain.errors import TokenRejected
from backend.infrastructure.supabase.signing_keys import LocalSigningKeys, read_jwks
from backend.infrastructure.supabase.tokens import JwtVerifier
from tests.fakes import FakeClock

ISSUER = "http://127.0.0.1:8000/auth/v1"
USER = "5b3a3c1e-3f0e-4d43-9a0f-6a2b8c7d1e2f"
SESSION = "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a"
SECRET = "a-shared-secret-of-at-least-32-characters"

EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
STRANGER = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
PUBLIC_PEM = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
RSA_PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, algorithm: type[Any], kid: str, **more: str) -> dict[str, Any]:
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


JWKS = {
    "keys": [
        jwk(EC_KEY, ECAlgorithm, "ec", alg="ES256"),
        jwk(RSA_KEY, RSAAlgorithm, "rsa", alg="RS256"),
        {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "alg": "HS256"},
    ]
}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(FakeClock().now().timestamp())
    every = {
        "iss": ISSUER,
        "aud": "authenticated",
        "sub": USER,
        "role": "authenticated",
        "email": "ada@example.com",
        "session_id": SESSION,
        "is_anonymous": False,
        "app_metadata": {"provider": "email"},
        "user_metadata": {"role": "admin", "is_admin": True},
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    return {name: value for name, value in every.items() if value is not ...}


def signed(key: Any = EC_KEY, algorithm: str = "ES256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": "ec"} if header is None else header)


def raw(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    return ".".join((part(json.dumps(header).encode()), part(json.dumps(payload).encode()), part(signature)))


def hmac_token(key: bytes, header: dict[str, Any]) -> str:
    # PyJWT refuses to sign with a public key; an attacker does not.
    unsigned = raw(header, claims()).rsplit(".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.digest(key, unsigned.encode(), hashlib.sha256))
    return f"{unsigned}.{signature.decode().rstrip('=')}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def verifier(clock: FakeClock) -> JwtVerifier:
    return JwtVerifier(issuer=ISSUER, keys=LocalSigningKeys(JWKS), clock=clock)


async def test_genuine_token_becomes_an_identity(verifier: JwtVerifier, clock: FakeClock) -> None:
    identity = await verifier.verify(signed())
    assert (identity.user_id, identity.session_id, identity.email) == (UUID(USER), UUID(SESSION), "ada@example.com")
    assert (identity.is_admin, identity.is_anonymous) == (False, False)
    assert identity.expires_at == datetime.fromtimestamp(clock.now().timestamp() + 3600, UTC)
    assert identity.claims["role"] == "authenticated"
    assert "ada@example.com" not in repr(identity).replace("email='ada@example.com'", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"app_metadata": {"role": "admin"}}, {"is_admin": True}),
        ({"app_metadata": {"role": "owner"}}, {"is_admin": False}),
        ({"app_metadata": "admin"}, {"is_admin": False}),
        ({"app_metadata": ...}, {"is_admin": False}),
        ({"is_anonymous": True, "email": ""}, {"is_anonymous": True, "email": None}),
        ({"is_anonymous": "true"}, {"is_anonymous": False}),
        ({"session_id": ...}, {"session_id": None}),
        ({"email": ...}, {"email": None}),
        ({"email": ["a"]}, {"email": None}),
    ],
)
async def test_claims_say_who_it_is(verifier: JwtVerifier, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    identity = await verifier.verify(signed(**changes))
    assert {name: getattr(identity, name) for name in expected} == expected


ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: raw({"alg": "none", "kid": "ec"}, claims()),
    "alg None": lambda: raw({"alg": "None", "kid": "ec"}, claims()),
    "alg is a list": lambda: raw({"alg": ["ES256"], "kid": "ec"}, claims()),
    "alg missing": lambda: raw({"kid": "ec"}, claims()),
    "signature cut off": lambda: signed().rsplit(".", 1)[0] + ".",
    "signature of zeros": lambda: raw({"alg": "ES256", "kid": "ec"}, claims(), bytes(64)),
    "HS256 with the public key in PEM": lambda: hmac_token(PUBLIC_PEM, {"alg": "HS256", "kid": "ec"}),
    "HS256 with the RSA key in PEM": lambda: hmac_token(RSA_PUBLIC_PEM, {"alg": "HS256", "kid": "rsa"}),
    "HS256 with an empty key": lambda: hmac_token(b"", {"alg": "HS256", "kid": "ec"}),
    "HS256 with a secret that is not configured": lambda: signed(SECRET, "HS256"),
    "HS256 by a shared key of the key set": lambda: signed(SECRET, "HS256", {"kid": "shared"}),
    "RS256 under the EC key": lambda: signed(RSA_KEY, "RS256", {"kid": "ec"}),
    "ES256 under the RSA key": lambda: signed(EC_KEY, "ES256", {"kid": "rsa"}),
    "RS512": lambda: signed(RSA_KEY, "RS512", {"kid": "rsa"}),
    "PS256": lambda: signed(RSA_KEY, "PS256", {"kid": "rsa"}),
    "ES384": lambda: signed(P384, "ES384", {"kid": "ec"}),
    "a stranger's key": lambda: signed(STRANGER),
    "a stranger's key in jwk": lambda: signed(STRANGER, header={"kid": "ec", "jwk": jwk(STRANGER, ECAlgorithm, "ec")}),
    "a stranger's key at jku": lambda: signed(
        STRANGER, header={"kid": "evil", "jku": "https://evil.example/jwks.json"}
    ),
    "a stranger's key at x5u": lambda: signed(STRANGER, header={"kid": "ec", "x5u": "https://evil.example/cert.pem"}),
    "unknown kid": lambda: signed(header={"kid": "unknown"}),
    "no kid": lambda: signed(header={}),
    "empty kid": lambda: signed(header={"kid": ""}),
    "kid is a path": lambda: signed(STRANGER, header={"kid": "../../dev/null"}),
    "kid is SQL": lambda: signed(STRANGER, header={"kid": "x' union select 'key"}),
    "kid is endless": lambda: signed(header={"kid": "x" * 5000}),
    "critical extension": lambda: signed(header={"kid": "ec", "crit": ["exp"], "exp": 1}),
    "another issuer": lambda: signed(iss="http://127.0.0.1:8001/auth/v1"),
    "issuer of the legacy keys": lambda: signed(iss="supabase"),
    "issuer with a slash": lambda: signed(iss=f"{ISSUER}/"),
    "no issuer": lambda: signed(iss=...),
    "another audience": lambda: signed(aud="anon"),
    "no audience": lambda: signed(aud=...),
    "empty audience": lambda: signed(aud=""),
    "service role": lambda: signed(role="service_role"),
    "postgres": lambda: signed(role="postgres"),
    "anon": lambda: signed(role="anon"),
    "role is a list": lambda: signed(role=["authenticated"]),
    "no role": lambda: signed(role=...),
    "no sub": lambda: signed(sub=...),
    "empty sub": lambda: signed(sub=""),
    "sub is no id": lambda: signed(sub="admin"),
    "sub is null": lambda: signed(sub=None),
    "expired": lambda: signed(exp=claims()["iat"] - 31),
    "no exp": lambda: signed(exp=...),
    "exp is text": lambda: signed(exp="tomorrow"),
    "exp is infinite": lambda: signed(exp=float("inf")),
    "exp is not a number": lambda: signed(exp=float("nan")),
    "exp is true": lambda: signed(exp=True),
    "exp is beyond time": lambda: signed(exp=10**18),
    "no iat": lambda: signed(iat=...),
    "issued tomorrow": lambda: signed(iat=claims()["iat"] + 86400),
    "not valid yet": lambda: signed(nbf=claims()["iat"] + 60),
    "session is no id": lambda: signed(session_id="all"),
    "too long": lambda: signed(padding="x" * 20_000),
    "empty": lambda: "",
    "a publishable key": lambda: "sb_publishable_2JqYw0kC1fX7aZ3mV9bT5Q_1a2b3c4d",
    "five parts": lambda: "a.b.c.d.e",
    "header is a list": lambda: raw([], claims()),  # type: ignore[arg-type]  # on purpose
    "not ASCII": lambda: f"{signed()}é",
    "surrogate": lambda: f"{signed()}\ud800",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_attack_is_refused(verifier: JwtVerifier, attack: str) -> None:
    with pytest.raises(TokenRejected) as refused:
        await verifier.verify(ATTACKS[attack]())
    assert "eyJ" not in refused.value.detail


async def test_refusals_do_not_depend_on_what_was_verified_before(verifier: JwtVerifier) -> None:
    token = signed()
    await verifier.verify(token)
    with pytest.raises(TokenRejected):
        await verifier.verify(token[:-2] + ("AA" if token[-2:] != "AA" else "BB"))


async def test_rsa_keys_are_good_too(verifier: JwtVerifier) -> None:
    assert (await verifier.verify(signed(RSA_KEY, "RS256", {"kid": "rsa"}))).user_id == UUID(USER)


async def test_shared_secret_counts_once_it_is_configured(clock: FakeClock) -> None:
    verifier = JwtVerifier(issuer=ISSUER, keys=LocalSigningKeys(JWKS), clock=clock, shared_secret=SECRET)
    assert (await verifier.verify(signed(SECRET, "HS256", {}))).user_id == UUID(USER)
    assert (await verifier.verify(signed())).user_id == UUID(USER)
    for forged in (
        signed("another-secret-of-more-than-32-characters", "HS256"),
        hmac_token(PUBLIC_PEM, {"alg": "HS256"}),
    ):
        with pytest.raises(TokenRejected):
            await verifier.verify(forged)
    with pytest.raises(TokenRejected):
        await verifier.verify(signed(SECRET, "HS256", {}, role="service_role"))


async def test_verified_token_is_refused_once_it_expires(verifier: JwtVerifier, clock: FakeClock) -> None:
    token = signed()
    first = await verifier.verify(token)
    assert await verifier.verify(token) is first
    clock.advance(seconds=3600 + 29)
    assert (await verifier.verify(token)).user_id == UUID(USER)
    clock.advance(seconds=2)
    with pytest.raises(TokenRejected, match="expired"):
        await verifier.verify(token)


async def test_verified_token_is_refused_once_its_key_is_revoked(clock: FakeClock) -> None:
    keys = LocalSigningKeys(JWKS)
    verifier = JwtVerifier(issuer=ISSUER, keys=keys, clock=clock)
    token = signed()
    await verifier.verify(token)
    keys._keys = {}
    with pytest.raises(TokenRejected):
        await verifier.verify(token)


async def test_memory_is_bounded(clock: FakeClock) -> None:
    room = 3 * len(signed(jti="0"))
    verifier = JwtVerifier(issuer=ISSUER, keys=LocalSigningKeys(JWKS), clock=clock, remembered_characters=room)
    for number in range(10):
        await verifier.verify(signed(jti=str(number)))
    assert len(verifier._remembered) == 3
    # What users write about themselves stands in their tokens: long ones push out as many as they have the room of.
    await verifier.verify(signed(user_metadata={"x": [[] for _ in range(200)]}))
    assert len(verifier._remembered) == 1


def test_key_set_is_read_with_care() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    secret_half = json.loads(json.dumps({**ECAlgorithm.to_jwk(EC_KEY, as_dict=True), "kid": "private", "use": "sig"}))
    odd: list[Any] = [
        jwk(weak, RSAAlgorithm, "weak"),
        jwk(P384, ECAlgorithm, "p384"),
        {**jwk(EC_KEY, ECAlgorithm, "other-use"), "use": "enc"},
        jwk(EC_KEY, ECAlgorithm, "other-alg", alg="RS256"),
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "!", "kid": "broken"},
        {"kty": "EC", "kid": 7},
        {"kty": "RSA", "kid": "empty"},
        secret_half,
        "text",
        None,
    ]
    assert set(read_jwks({"keys": [*odd, *JWKS["keys"]]})) == {"ec", "rsa"}
    assert read_jwks({}) == {}


@given(token=st.one_of(st.text(), st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z")))
async def test_any_text_is_refused_and_nothing_else_happens(token: str) -> None:
    verifier = JwtVerifier(issuer=ISSUER, keys=LocalSigningKeys(JWKS), clock=FakeClock())
    with pytest.raises(TokenRejected):
        await verifier.verify(token)
