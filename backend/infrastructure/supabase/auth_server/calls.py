"""One request as handlers see it, and who makes it."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from backend.infrastructure.supabase.auth_server import errors, sessions, users
from backend.infrastructure.supabase.auth_server.access_tokens import ADMIN_ROLES, Claims, missing_subject
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.gateway import SCOPE_KEY, Presented
from backend.infrastructure.supabase.auth_server.house import AuthHouse
from backend.infrastructure.supabase.auth_server.reading import Fields, Origin, query_text, read_fields
from backend.infrastructure.supabase.auth_server.user import Connection, User

BEARER = re.compile(r"[Bb]earer (\S+)")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request, the moment it arrived, where it came from, and where its links may lead."""

    request: Request
    origin: Origin
    now: datetime
    redirect_to: str

    @classmethod
    def of(cls, request: Request, house: AuthHouse) -> "Call":
        return cls(
            request=request,
            origin=house.origins.read(request),
            now=house.now(),
            redirect_to=house.redirects.choose(
                request.headers.get("redirect_to"), query_text(request, "redirect_to"), request.headers.get("referer")
            ),
        )

    async def fields(self, *, may_be_empty: bool = False) -> Fields:
        fields = await read_fields(self.request, may_be_empty=may_be_empty)
        fields.check_types()
        return fields

    def query(self, name: str) -> str:
        return query_text(self.request, name)


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A user whose token and session are good at this very moment."""

    user: User
    session_id: UUID | None
    session_began: datetime | None


async def signed_in(house: AuthHouse, connection: Connection, call: Call) -> SignedIn:
    """Unlike a check of the signature alone this sees log-outs, bans and deletions at once."""
    claims = _claims(house, call)
    if claims is None or claims.user_id is None:
        raise missing_subject()
    user = await users.by_id(connection, claims.user_id)
    if user is None or user.deleted_at is not None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    if user.is_banned(call.now):
        raise errors.banned()
    if claims.session_id is None:
        return SignedIn(user=user, session_id=None, session_began=None)
    session = await sessions.by_id(connection, claims.session_id)
    if (
        session is None
        or session["user_id"] != user.id
        or sessions.has_ended(session, house.config.session_timebox, call.now)
    ):
        raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
    return SignedIn(user=user, session_id=claims.session_id, session_began=session["created_at"])


def require_admin(house: AuthHouse, call: Call) -> None:
    presented = _presented(call)
    claims = _claims(house, call)
    role = presented.role if claims is None else claims.role
    if role not in ADMIN_ROLES:
        raise AuthError(403, "not_admin", "User not allowed")


def _claims(house: AuthHouse, call: Call) -> Claims | None:
    """The claims of the bearer token; None when a key speaks for the caller."""
    presented = _presented(call)
    if presented.role is not None:
        return None
    match = BEARER.fullmatch(presented.authorization or "")
    if match is None:
        raise AuthError(401, "no_authorization", "This endpoint requires a Bearer token")
    return house.access_tokens.read(match[1], call.now)


def _presented(call: Call) -> Presented:
    presented = call.request.scope.get(SCOPE_KEY)
    return presented if isinstance(presented, Presented) else Presented()
