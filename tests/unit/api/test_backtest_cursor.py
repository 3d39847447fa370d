"""Where a page of backtests ended: read again as it was written, and nothing else is taken for it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api.routers.backtest_cursor import from_cursor, to_cursor
from backend.domain.backtests import BacktestOrder, BacktestPlace, BacktestSort
from backend.domain.errors import InvalidCursor

FIGURES = [by for by in BacktestSort if by not in (BacktestSort.CREATED, BacktestSort.NAME)]
HALF = "\ud800"


def encoded(*parts: Any) -> str:
    packed = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def placed(by: BacktestSort, value: Any) -> str:
    return encoded(by, True, value, str(UUID(int=7)))


@given(
    st.one_of(
        st.tuples(st.sampled_from(FIGURES), st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(BacktestSort.TRADES), st.integers(0, 2**31 - 1)),
        st.tuples(st.just(BacktestSort.NAME), st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
        st.tuples(
            st.just(BacktestSort.CREATED),
            st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat),  # noqa: DTZ001
        ),
    ),
    st.booleans(),
)
def test_a_cursor_leads_back_to_its_place(kept: tuple[BacktestSort, Any], descending: bool) -> None:
    order = BacktestOrder(by=kept[0], is_descending=descending)
    place = BacktestPlace(value=kept[1], id=UUID(int=7))
    assert from_cursor(order, to_cursor(order, place)) == place


@pytest.mark.parametrize(
    ("by", "value"),
    [
        (BacktestSort.NAME, HALF),
        (BacktestSort.NAME, "a\0"),
        (BacktestSort.NAME, None),
        (BacktestSort.SHARPE_RATIO, 10**400),
        (BacktestSort.TRADES, -(10**309)),
        (BacktestSort.TRADES, True),
        (BacktestSort.TRADES, "1"),
        (BacktestSort.CREATED, "2024-01-01T00:00:00"),
        (BacktestSort.CREATED, "2024-01-01T00:00:00+16:30"),
        (BacktestSort.CREATED, "2024-01-01T00:00:00+05:30:15.000001"),
        (BacktestSort.CREATED, "0001-01-01T00:00:00+23:59"),
        (BacktestSort.CREATED, "9999-12-31T23:59:59-23:59"),
        (BacktestSort.CREATED, None),
    ],
)
def test_a_place_that_no_list_ended_at_is_refused(by: BacktestSort, value: Any) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor(BacktestOrder(by=by), placed(by, value))


@pytest.mark.parametrize(
    "cursor",
    [
        encoded("trades", True, float("nan"), str(UUID(int=7))),
        encoded("trades", True, float("inf"), str(UUID(int=7))),
        encoded("trades", False, 1, str(UUID(int=7))),
        encoded("name", True, "a", str(UUID(int=7))),
        encoded("trades", True, 1, "nobody"),
        encoded("trades", True, 1),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
    ],
)
def test_what_is_no_place_of_this_order_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor(BacktestOrder(by=BacktestSort.TRADES), cursor)
