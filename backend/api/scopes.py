"""Whom an operation lets in: each declares its reach, and what declares none is closed to personal access tokens.

The declaration stands in the OpenAPI document of the operation, and the check reads it there: both are one.
"""

from enum import StrEnum
from typing import Any

from starlette.types import Scope as Connection

from backend.domain.accounts import Identity
from backend.domain.errors import ScopeMissing, SessionNeeded
from backend.domain.tokens import SENTENCES, Scope

MARK = "x-tidemark-scope"


class Reach(StrEnum):
    """Whom an operation lets in: tokens with that scope, sessions alone, sessions of administrators, or everybody."""

    READ = Scope.READ
    RUN = Scope.RUN
    DATA = Scope.DATA
    SHARE = Scope.SHARE
    SESSION = "session"
    ADMIN = "admin"
    OPEN = "open"


def needs(reach: Reach) -> dict[str, Any]:
    """For `openapi_extra` of an operation."""
    return {MARK: reach.value}


def declared_by(connection: Connection) -> Reach:
    """What the operation that answers this request declares; one that forgot is for sessions alone."""
    extra = getattr(connection.get("route"), "openapi_extra", None) or {}
    return Reach(extra.get(MARK, Reach.SESSION))


def require_scope(identity: Identity, reach: Reach) -> None:
    """Raises NotAllowed unless the caller is a session, or a token that was made for this.

    Whether a session is an administrator's is asked of the database: a role in a token may be out of date.
    """
    if identity.scopes is None or reach is Reach.OPEN:
        return
    if reach in (Reach.SESSION, Reach.ADMIN):
        raise SessionNeeded
    if Scope(reach) not in identity.scopes:
        raise ScopeMissing(reach)


def sentence(reach: Reach) -> str:
    """What the document of an operation says about tokens."""
    match reach:
        case Reach.OPEN:
            return ""
        case Reach.SESSION:
            return "No personal access token can do this: it needs a session."
        case Reach.ADMIN:
            return "Administrators alone can do this, in a session; no personal access token can."
        case _:
            return f"A personal access token needs the scope `{reach}`: {SENTENCES[Scope(reach)]}"
