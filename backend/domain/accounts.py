"""Who is calling, and what a person keeps about themselves: identity, profile, preferences, sessions."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput
from backend.domain.tokens import Scope

DISPLAY_NAME_MAX_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A verified caller. Only a TokenVerifier makes one (or bootstrap, for the worker)."""

    user_id: UUID
    email: str | None
    # By the token, which may be out of date. Whatever needs an administrator asks the database.
    is_admin: bool
    is_anonymous: bool
    session_id: UUID | None
    expires_at: datetime
    # Verified claims, handed to the database as they are; claims["role"] is always "authenticated".
    claims: Mapping[str, Any] = field(repr=False)
    # Of a personal access token; None is a session, which may do everything that its user may.
    token_id: UUID | None = None
    scopes: frozenset[Scope] | None = None


class Theme(StrEnum):
    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Palette(StrEnum):
    DEFAULT = "default"
    COLOUR_BLIND = "colour_blind"


class Density(StrEnum):
    COMFORTABLE = "comfortable"
    COMPACT = "compact"
    SPACIOUS = "spacious"


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """How the web app looks and behaves for one person, on every device."""

    theme: Theme = Theme.SYSTEM
    palette: Palette = Palette.DEFAULT
    density: Density = Density.COMFORTABLE
    timezone: str = "UTC"
    single_key_shortcuts: bool = True


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a person is called here and prefers; `version` grows with every change."""

    user_id: UUID
    display_name: str
    preferences: Preferences
    is_demo: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class PreferencesChange:
    """The preferences to change; None leaves one as it is."""

    theme: Theme | None = None
    palette: Palette | None = None
    density: Density | None = None
    timezone: str | None = None
    single_key_shortcuts: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ProfileChange:
    """What to change in a profile; None leaves it as it is."""

    display_name: str | None = None
    preferences: PreferencesChange = PreferencesChange()


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sign-in on one device."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    user_agent: str | None
    ip: str | None
    is_current: bool


def clean_display_name(text: str) -> str:
    """The name as it is kept: trimmed, one line, of a readable length, without characters that disguise the text."""
    name = " ".join(text.split())
    if all(unicodedata.category(character) in _INVISIBLE for character in name):
        raise InvalidInput([InputError(pointer="/display_name", detail="A name needs at least one visible character.")])
    if len(name) > DISPLAY_NAME_MAX_LENGTH:
        raise InvalidInput(
            [InputError(pointer="/display_name", detail=f"A name has at most {DISPLAY_NAME_MAX_LENGTH} characters.")]
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTION_MARKS for character in name):
        raise InvalidInput([InputError(pointer="/display_name", detail="A name has no control characters.")])
    return name


# Joiners and other marks of layout, private and unassigned ones: a part of a name, but not all of it.
_INVISIBLE = frozenset({"Cf", "Cn", "Co", "Mn", "Zs"})
# They make text read in another order than it is stored, so that one name looks like another.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, kw_only=True)
class Account:
    """Anybody's account as an operator sees it."""

    id: UUID
    email: str | None
    is_admin: bool
    is_anonymous: bool
    # What an operator gave it; None is the standard.
    plan: str | None
    suspended_until: datetime | None
    created_at: datetime
    last_sign_in_at: datetime | None
