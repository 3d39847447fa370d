"""Where a page of backtests ended, as an opaque text that is good for that order alone."""

import base64
import binascii
import json
import math
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from backend.domain.backtests import BacktestOrder, BacktestPlace, BacktestSort
from backend.domain.errors import InvalidCursor

BacktestCursor = Annotated[
    str | None, Query(max_length=1_000, description="The `next_cursor` of the page before, of the same order.")
]


def to_cursor(order: BacktestOrder, place: BacktestPlace) -> str:
    packed = json.dumps([order.by, order.is_descending, place.value, str(place.id)], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def from_cursor(order: BacktestOrder, cursor: str | None) -> BacktestPlace | None:
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        by, is_descending, value, place_id = json.loads(packed)
        place = BacktestPlace(value=_value(order.by, value), id=UUID(place_id))
    except (binascii.Error, ValueError, OverflowError, TypeError, AttributeError, RecursionError):
        raise InvalidCursor from None
    if (by, is_descending) != (order.by, order.is_descending) or to_cursor(order, place) != cursor:
        raise InvalidCursor
    return place


def _value(by: BacktestSort, value: object) -> float | str | None:
    """Of the type that the list is ordered by; raises ValueError for any other."""
    match by:
        case BacktestSort.CREATED if isinstance(value, str):
            # Offsets that the database does not know are none of ours either.
            return datetime.fromisoformat(value).astimezone(UTC).isoformat()
        case BacktestSort.NAME if isinstance(value, str) and "\x00" not in value:
            value.encode()  # half a character raises here
            return value
        case BacktestSort.CREATED | BacktestSort.NAME:
            raise ValueError(value)
    # A whole number may be too large for any float: isfinite raises OverflowError.
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ):
        raise ValueError(value)
    return value
