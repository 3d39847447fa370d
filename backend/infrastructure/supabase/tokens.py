"""Checks access tokens as Supabase Auth signs them; the algorithm comes from our key, never from the token."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
from cachetools import TLRUCache
from jwt import PyJWK
from jwt.exceptions import (
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from backend.domain.accounts import Identity
from backend.domain.errors import TokenRejected
from backend.domain.ports import Clock
from backend.infrastructure.supabase.signing_keys import SigningKeys

AUDIENCE = ROLE = "authenticated"
LEEWAY_SECONDS = 30
LARGEST_TOKEN_CHARACTERS = 16 * 1024
LARGEST_KEY_ID_CHARACTERS = 200
# Of 10,000 usual tokens. What users write about themselves stands in theirs, and takes twenty times the room once read.
REMEMBERED_CHARACTERS = 10_000_000
REQUIRED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "role"]

VerifyingKey = PyJWK | str


@dataclass(frozen=True)
class _Verified:
    identity: Identity
    header: Mapping[str, Any]
    key: VerifyingKey
    characters: int


class JwtVerifier:
    """A TokenVerifier: ES256 and RS256 by the project's public keys, HS256 only if a secret was configured.

    Verified tokens are remembered until they expire, by digest, as long as their key is still one of the project's.
    Long ones take the room of many.
    """

    def __init__(
        self,
        *,
        issuer: str,
        keys: SigningKeys,
        clock: Clock,
        shared_secret: str | None = None,
        remembered_characters: int = REMEMBERED_CHARACTERS,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._shared_secret = shared_secret
        self._remembered: TLRUCache[bytes, _Verified] = TLRUCache(
            remembered_characters,
            ttu=lambda _, verified, __: verified.identity.expires_at.timestamp(),
            timer=lambda: clock.now().timestamp(),
            getsizeof=lambda verified: verified.characters,
        )

    async def verify(self, token: str) -> Identity:
        if len(token) > LARGEST_TOKEN_CHARACTERS:
            raise TokenRejected("it is too long")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        remembered = self._remembered.get(digest)
        header = _header(token) if remembered is None else remembered.header
        key = await self._key(header)
        if remembered is not None and remembered.key is key:
            return remembered.identity
        identity = identity_of(self._claims(token, key), now=self._clock.now())
        self._remembered[digest] = _Verified(identity, header, key, len(token))
        return identity

    async def _key(self, header: Mapping[str, Any]) -> VerifyingKey:
        """The key that the configuration has for this token; jku, jwk and x5u are never looked at."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256":
            if self._shared_secret is None:
                raise TokenRejected("it is signed with a shared secret, and none is configured")
            return self._shared_secret
        if algorithm not in ("ES256", "RS256"):
            raise TokenRejected("its algorithm is not accepted")
        if not isinstance(kid, str) or not 0 < len(kid) <= LARGEST_KEY_ID_CHARACTERS:
            raise TokenRejected("it does not name its signing key")
        key = await self._keys.find(kid)
        if key is None:
            raise TokenRejected("its signing key is not one of this project's")
        if key.algorithm_name != algorithm:
            raise TokenRejected("its algorithm does not fit its key")
        return key

    def _claims(self, token: str, key: VerifyingKey) -> dict[str, Any]:
        algorithm = "HS256" if isinstance(key, str) else key.algorithm_name
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=AUDIENCE,
                issuer=self._issuer,
                # Times are checked below, by the clock that everything else goes by.
                options={
                    "require": REQUIRED_CLAIMS,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "enforce_minimum_key_length": True,
                },
            )
        except (PyJWTError, ValueError, TypeError) as problem:
            raise TokenRejected(_reason(problem)) from None
        return claims


def identity_of(claims: Mapping[str, Any], *, now: datetime) -> Identity:
    """The caller whom these verified claims describe, unless they have expired or never described a user."""
    if claims["role"] != ROLE:
        raise TokenRejected("it does not belong to a user")
    moment = now.timestamp()
    expires_at = _timestamp(claims, "exp")
    if expires_at <= moment - LEEWAY_SECONDS:
        raise TokenRejected("it has expired")
    if any(_timestamp(claims, name) > moment + LEEWAY_SECONDS for name in ("iat", "nbf") if name in claims):
        raise TokenRejected("it is not valid yet")
    email, app_metadata = claims.get("email"), claims.get("app_metadata")
    return Identity(
        user_id=_uuid(claims, "sub"),
        email=email if isinstance(email, str) and email else None,
        is_admin=isinstance(app_metadata, dict) and app_metadata.get("role") == "admin",
        is_anonymous=claims.get("is_anonymous") is True,
        session_id=_uuid(claims, "session_id") if claims.get("session_id") else None,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        claims=claims,
    )


def _header(token: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenRejected("it is not a signed token") from None
    if "crit" in header:
        raise TokenRejected("it demands extensions that are not supported")
    return header


def _timestamp(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TokenRejected(f"its claim '{name}' is not a time")
    if not 0 <= value < 253_402_300_800:  # the year 10000
        raise TokenRejected(f"its claim '{name}' is not a time")
    return float(value)


def _uuid(claims: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(claims[name])
    except (ValueError, TypeError, AttributeError):
        raise TokenRejected(f"its claim '{name}' is not an id") from None


def _reason(problem: Exception) -> str:
    match problem:
        case InvalidSignatureError():
            return "its signature is wrong"
        case MissingRequiredClaimError(claim=claim):
            return f"it has no claim '{claim}'"
        case InvalidIssuerError():
            return "it was issued by someone else"
        case InvalidAudienceError():
            return "it is meant for someone else"
        case _:
            return "it is not a valid token"
