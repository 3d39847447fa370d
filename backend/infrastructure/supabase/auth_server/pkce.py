"""Proof key for code exchange: a link answers with a code that only the client that asked can turn into a session."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.reading import Fields
from backend.infrastructure.supabase.auth_server.user import Connection

CHALLENGE = re.compile(r"[a-zA-Z._~0-9-]+")
SHORTEST, LONGEST = 43, 128

# How the flow that a verified link belongs to is named, in auth.flow_state and in the claim `amr`.
METHOD_OF_LINK = {
    "signup": "email/signup",
    "invite": "invite",
    "magiclink": "magiclink",
    "recovery": "recovery",
    "email_change": "email_change",
}


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What the client sends ahead; only it knows the verifier."""

    value: str
    method: str


def challenge_of(fields: Fields) -> Challenge | None:
    """The challenge in a request, checked; None in the implicit flow."""
    value, method = fields.text("code_challenge"), fields.text("code_challenge_method")
    if bool(value) != bool(method):
        raise errors.invalid("PKCE flow requires code_challenge_method and code_challenge")
    if not value:
        return None
    if not SHORTEST <= len(value) <= LONGEST:
        raise errors.invalid(f"code challenge has to be between {SHORTEST} and {LONGEST} characters")
    if not CHALLENGE.fullmatch(value):
        raise errors.invalid(
            "code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes"
        )
    if method.lower() not in ("s256", "plain"):
        raise errors.invalid(f'unsupported code_challenge method "{method[:20]}"')
    return Challenge(value=value, method=method.lower())


async def begin(connection: Connection, user_id: UUID, challenge: Challenge | None, method: str, now: datetime) -> None:
    """Remember the challenge until the link is followed; in the implicit flow there is none."""
    if challenge is None:
        return
    await connection.execute(
        "insert into auth.flow_state (id, user_id, auth_code, code_challenge_method, code_challenge, provider_type,"
        " authentication_method, created_at, updated_at)"
        " values ($1, $2, $3, $4::text::auth.code_challenge_method, $5, 'email', $6, $7, $7)",
        uuid4(),
        user_id,
        str(uuid4()),
        challenge.method,
        challenge.value,
        method,
        now,
    )


async def issue_code(connection: Connection, user_id: UUID, link_type: str, now: datetime) -> str:
    """The code for the newest flow of this user and kind."""
    code: str | None = await connection.fetchval(
        "update auth.flow_state set auth_code_issued_at = $3, updated_at = $3 where id = ("
        " select id from auth.flow_state where user_id = $1 and authentication_method = $2"
        " order by created_at desc limit 1) returning auth_code",
        user_id,
        METHOD_OF_LINK[link_type],
        now,
    )
    if code is None:
        raise AuthError(400, "flow_state_not_found", "No valid flow state found for user.")
    return code


async def exchange(
    connection: Connection, code: str, verifier: str, *, expiry: timedelta, now: datetime
) -> tuple[UUID, str]:
    """The user whose link it was and how they proved themselves; a code works once."""
    flow = await connection.fetchrow(
        "select * from auth.flow_state where auth_code = $1 and auth_code_issued_at is not null for update", code
    )
    if flow is None or flow["user_id"] is None:
        raise AuthError(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
    if flow["auth_code_issued_at"] + expiry <= now:
        raise AuthError(422, "flow_state_expired", "invalid flow state, flow state has expired")
    if not hmac.compare_digest(_answer(verifier, flow["code_challenge_method"]), flow["code_challenge"].encode()):
        raise AuthError(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
    await connection.execute("delete from auth.flow_state where id = $1", flow["id"])
    return flow["user_id"], flow["authentication_method"]


def _answer(verifier: str, method: str) -> bytes:
    if method == "plain":
        return verifier.encode()
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
