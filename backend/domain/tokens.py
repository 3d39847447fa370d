"""Personal access tokens: what a script shows in place of a session, what it may do with it, and for how long."""

import base64
import hashlib
import re
import secrets
import unicodedata
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput, TokenRejected

PREFIX = "tdm_"
MOST_LIVE_TOKENS = 50
LONGEST_LIFE_DAYS = 365
NAME_MAX_LENGTH = 80
# What was revoked or expired is still listed for so long.
ENDED_ARE_KEPT_FOR = timedelta(days=30)
# A use is written down at most so often.
USE_IS_NOTED_EVERY = timedelta(hours=1)
MAKE_ANOTHER = "Make another one in the settings, under Security."

_SECRET_BYTES = 32
_FORM = re.compile(r"tdm_(?P<secret>[A-Za-z0-9_-]{43})(?P<checksum>[A-Za-z0-9_-]{6})")


class Scope(StrEnum):
    """What a token may do; a session may do everything."""

    READ = "read"
    RUN = "run"
    DATA = "data"
    SHARE = "share"


SENTENCES: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.READ: "See everything that is yours.",
        Scope.RUN: "Start, cancel and retry tasks; create, change and delete backtests, strategies and models.",
        Scope.DATA: "Fetch, import and delete market data.",
        Scope.SHARE: "Make and revoke links that show a result to others.",
    }
)


@dataclass(frozen=True, kw_only=True)
class PersonalToken:
    """A token as its owner sees it: everything but the token."""

    id: UUID
    name: str
    # Enough to know it by sight.
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_address: str | None
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """What is kept of a token that was just made."""

    name: str
    digest: bytes
    hint: str
    scopes: frozenset[Scope]
    lives_for: timedelta


@dataclass(frozen=True, kw_only=True)
class TokenHolder:
    """Whose token it is, and what it may do."""

    token_id: UUID
    user_id: UUID
    email: str | None
    is_anonymous: bool
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    is_revoked: bool


@dataclass(frozen=True, kw_only=True)
class TokenUse:
    """That a token was used, and from where."""

    token_id: UUID
    address: str | None


def make_token() -> str:
    """A new token: it can be recognised where it leaked, and a typo in it is told from a token that was revoked."""
    secret = _text(secrets.token_bytes(_SECRET_BYTES))
    return f"{PREFIX}{secret}{_checksum(secret)}"


def digest_of_token(token: str) -> bytes:
    """By which a token is found again; raises TokenRejected for what was never one."""
    found = _FORM.fullmatch(token)
    if found is None:
        raise TokenRejected("it is not a whole personal access token", remedy="Copy all of it.")
    if _checksum(found["secret"]) != found["checksum"]:
        raise TokenRejected("it was mistyped: its checksum is wrong", remedy="Copy all of it.")
    return hashlib.sha256(token.encode()).digest()


def hint_of(token: str) -> str:
    start = token.removeprefix(PREFIX)[:4]
    return f"{PREFIX}{start}...{token[-4:]}"


def new_token(token: str, *, name: str, scopes: Collection[Scope], days: int) -> NewToken:
    """What to keep of this token; raises InvalidInput for what none can be like."""
    if not scopes:
        raise InvalidInput([InputError(pointer="/scopes", detail="Name at least one scope.")])
    if not 1 <= days <= LONGEST_LIFE_DAYS:
        wrong = f"A token lives for 1 to {LONGEST_LIFE_DAYS} days, not {days}."
        raise InvalidInput([InputError(pointer="/expires_in_days", detail=wrong)])
    return NewToken(
        name=_clean_name(name),
        digest=digest_of_token(token),
        hint=hint_of(token),
        scopes=frozenset(scopes),
        lives_for=timedelta(days=days),
    )


def _clean_name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise InvalidInput([InputError(pointer="/name", detail="A token needs a name.")])
    if len(name) > NAME_MAX_LENGTH:
        raise InvalidInput([InputError(pointer="/name", detail=f"A name has at most {NAME_MAX_LENGTH} characters.")])
    # Marks that turn the direction of writing are among them: they make text read as something else.
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name):
        raise InvalidInput([InputError(pointer="/name", detail="A name has no control or invisible characters.")])
    return name


def _checksum(secret: str) -> str:
    return _text(zlib.crc32(secret.encode()).to_bytes(4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
