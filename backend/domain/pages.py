"""Lists that are read a page at a time: newest first, and a place to go on from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page ended: the last row's time and, since times may be equal, its id."""

    at: datetime
    id: UUID


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Some items, and where the next page starts; None when these were the last."""

    items: tuple[T, ...]
    next: Place | None
