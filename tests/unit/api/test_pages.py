"""Cursors: opaque, exact, and good for one list alone."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api.pages import from_cursor, link_to_next, to_cursor
from backend.domain.errors import InvalidCursor
from backend.domain.pages import Place

places = st.builds(Place, at=st.datetimes(timezones=st.just(UTC)), id=st.uuids())
PLACE = Place(at=datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC), id=UUID(int=7))


@given(places)
def test_cursor_leads_back_to_its_place(place: Place) -> None:
    cursor = to_cursor("sessions", place)
    assert from_cursor("sessions", cursor) == place
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(places)
def test_cursor_of_another_list_is_refused(place: Place) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor("sessions", to_cursor("backtests", place))


@given(places, st.integers(0, 37), st.sampled_from("ABab01-_"))
def test_changed_cursor_is_refused(place: Place, position: int, letter: str) -> None:
    cursor = to_cursor("sessions", place)
    changed = cursor[:position] + letter + cursor[position + 1 :]
    if changed != cursor:
        with pytest.raises(InvalidCursor):
            from_cursor("sessions", changed)


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor("sessions", text)


@pytest.mark.parametrize("tail", ["=", "==", "A", " ", "\n"])
def test_cursor_has_one_spelling(tail: str) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor("sessions", to_cursor("sessions", PLACE) + tail)


def test_no_cursor_is_the_beginning() -> None:
    assert from_cursor("sessions", None) is None


def test_link_names_the_next_page() -> None:
    assert link_to_next("/api/x", 50, None) == {}
    assert link_to_next("/api/x", 50, "abc") == {"Link": '</api/x?limit=50&cursor=abc>; rel="next"'}
