"""Strategies that users put together without code and saved: a name, and rules in versions that never change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput

MOST_NAME: Final = 80
MOST_ABOUT: Final = 2_000
MOST_NOTE: Final = 200
MOST_PREVIEWED_BARS: Final = 2_000
# A saved strategy is run as this one, with its rules as the parameter: a stored run can then be read by itself.
RULES: Final = "rules"


@dataclass(frozen=True, kw_only=True)
class SavedStrategy:
    """One of a user's own."""

    id: UUID
    name: str
    about: str
    version: int  # of its rules, the newest
    revision: int  # grows with every change, the name included
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class VersionInBrief:
    """When the rules were changed, and why."""

    version: int
    note: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class StrategyVersion(VersionInBrief):
    """The rules as they were, in their full form."""

    rules: Mapping[str, Any]


def clean_name(text: str) -> str:
    """One line that can be seen; raises InvalidInput."""
    return _line(text, "/name", least=1, most=MOST_NAME)


def clean_note(text: str) -> str:
    return _line(text, "/note", least=0, most=MOST_NOTE)


def clean_about(text: str) -> str:
    """Lines that can be seen; raises InvalidInput."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if not all(each.isprintable() or each == "\n" for each in lines):
        raise InvalidInput([InputError(pointer="/about", detail="It holds characters that cannot be seen.")])
    if len(lines) > MOST_ABOUT:
        detail = f"It has {len(lines):,} characters; at most {MOST_ABOUT:,} are allowed."
        raise InvalidInput([InputError(pointer="/about", detail=detail)])
    return lines


def _line(text: str, pointer: str, *, least: int, most: int) -> str:
    line = text.strip()
    if not line.isprintable():
        raise InvalidInput([InputError(pointer=pointer, detail="It holds characters that cannot be seen.")])
    if not least <= len(line) <= most:
        detail = f"It has {len(line):,} characters; {least} to {most} are allowed."
        raise InvalidInput([InputError(pointer=pointer, detail=detail)])
    return line
