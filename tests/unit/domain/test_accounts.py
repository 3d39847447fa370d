"""Names that people give themselves."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.accounts import DISPLAY_NAME_MAX_LENGTH, clean_display_name
from backend.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Ada", "Ada"),
        ("  Ada \n Lovelace\t", "Ada Lovelace"),
        ("محمد", "محمد"),
        ("O'Neil 🚀", "O'Neil 🚀"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("x" * 80, "x" * 80),
    ],
)
def test_name_is_kept_on_one_line(given_name: str, kept: str) -> None:
    assert clean_display_name(given_name) == kept


@pytest.mark.parametrize(
    "name", ["", " \n\t ", "x" * 81, "a\x00b", "a\x7fb", "\u202egpj.exe", "\ud800", "\u200b\u2060"]
)
def test_name_that_disguises_itself_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        clean_display_name(name)


@given(st.text())
def test_kept_name_is_short_visible_and_kept_again(text: str) -> None:
    try:
        name = clean_display_name(text)
    except InvalidInput:
        return
    assert 0 < len(name) <= DISPLAY_NAME_MAX_LENGTH
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    assert clean_display_name(name) == name
