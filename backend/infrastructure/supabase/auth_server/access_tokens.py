"""Access tokens: what they claim, and who shows one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.user import User

UNREADABLE = "invalid JWT: unable to parse or verify signature"
ADMIN_ROLES = frozenset({"service_role", "supabase_admin"})


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a genuine token says of its bearer."""

    role: str
    user_id: UUID | None
    session_id: UUID | None

    @property
    def is_admin(self) -> bool:
        return self.role in ADMIN_ROLES


class AccessTokens:
    """Signs with the project's key in use; reads what any of its keys signed."""

    def __init__(self, keys: AuthKeys, issuer: str, lifetime_seconds: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self.lifetime_seconds = lifetime_seconds

    def sign(self, user: User, session_id: UUID, methods: list[dict[str, Any]], now: datetime) -> tuple[str, int]:
        """A token for this user, and when it expires. Its role is never another than `authenticated`."""
        issued_at = int(now.timestamp())
        expires_at = issued_at + self.lifetime_seconds
        token = self._keys.sign(
            {
                "iss": self._issuer,
                "sub": str(user.id),
                "aud": "authenticated",
                "exp": expires_at,
                "iat": issued_at,
                "email": user.email,
                "phone": user.phone,
                "app_metadata": user.app_metadata,
                "user_metadata": user.user_metadata,
                "role": "authenticated",
                "aal": "aal1",
                "amr": methods,
                "session_id": str(session_id),
                "is_anonymous": user.is_anonymous,
            }
        )
        return token, expires_at

    def read(self, token: str, now: datetime) -> Claims:
        """Check the signature by the key of ours that the header names, or by the legacy secret when it names none."""
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if key_id is None:
                claims = jwt.decode(token, self._keys.jwt_secret, algorithms=["HS256"], options=_OPTIONS)
            else:
                key = self._keys.verification_key(str(key_id))
                if key is None:
                    raise _bad_jwt(f"{UNREADABLE}, unrecognized JWT kid")
                claims = jwt.decode(token, key, algorithms=["ES256"], options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, RecursionError) as problem:
            raise _bad_jwt(f"{UNREADABLE}, {_reason(problem)}") from problem
        expires_at = claims.get("exp")
        if not isinstance(expires_at, int | float) or expires_at <= now.timestamp():
            raise _bad_jwt(f"{UNREADABLE}, token has invalid claims: token is expired")
        role = claims.get("role")
        return Claims(
            role=role if isinstance(role, str) else "",
            user_id=_uuid(claims, "sub"),
            session_id=_uuid(claims, "session_id"),
        )


# Keys of the legacy style carry no audience, and the time is read from our own clock.
_OPTIONS: Any = {
    "verify_aud": False,
    "verify_sub": False,
    "verify_jti": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def missing_subject() -> AuthError:
    return _bad_jwt("invalid claim: missing sub claim")


def _uuid(claims: dict[str, Any], name: str) -> UUID | None:
    value = claims.get(name)
    if value in (None, ""):
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise _bad_jwt(f"invalid claim: {name} claim must be a UUID") from None


def _bad_jwt(message: str) -> AuthError:
    return AuthError(403, "bad_jwt", message)


def _reason(problem: Exception) -> str:
    if isinstance(problem, jwt.DecodeError) and "segments" in str(problem):
        return "token is malformed: token contains an invalid number of segments"
    return "token signature is invalid" if isinstance(problem, jwt.InvalidSignatureError) else "token is malformed"
