"""Lists a page at a time: `limit` and `cursor` in, `items`, `next_cursor` and a Link header out."""

import base64
import binascii
import struct
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from backend.domain.errors import InvalidCursor
from backend.domain.pages import Place

T = TypeVar("T")

LARGEST_PAGE = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT = struct.Struct(">q16sI")  # microseconds since 1970, id, checksum

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="Where to go on: `next_cursor` of the page before. Leave out to begin."),
]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Where the next page starts; null on the last one.")


def to_cursor(list_name: str, place: Place) -> str:
    """An opaque name for a place in a list, good for that list alone."""
    microseconds = (place.at - EPOCH) // timedelta(microseconds=1)
    packed = _LAYOUT.pack(microseconds, place.id.bytes, _checksum(list_name, microseconds, place.id))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def from_cursor(list_name: str, cursor: str | None) -> Place | None:
    """The place that a cursor names; InvalidCursor unless this list made it."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        microseconds, id_bytes, checksum = _LAYOUT.unpack(packed)
        place = Place(at=EPOCH + timedelta(microseconds=microseconds), id=UUID(bytes=id_bytes))
    except (binascii.Error, struct.error, ValueError, OverflowError):
        raise InvalidCursor from None
    if checksum != _checksum(list_name, microseconds, place.id) or to_cursor(list_name, place) != cursor:
        raise InvalidCursor
    return place


def link_to_next(path: str, limit: int, cursor: str | None, **filters: Sequence[str]) -> dict[str, str]:
    """The Link header of a page that has a successor, which is narrowed by the same filters."""
    if cursor is None:
        return {}
    return {"Link": f'<{path}?{urlencode({"limit": limit, "cursor": cursor, **filters}, doseq=True)}>; rel="next"'}


def _checksum(list_name: str, microseconds: int, place_id: UUID) -> int:
    return zlib.crc32(f"{list_name}:{microseconds}:{place_id}".encode())
