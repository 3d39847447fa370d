"""The pages of docs/reference are those that the code makes, and what they say is whole."""

import pytest

from backend.settings import Settings
from scripts.references.__main__ import FOLDER, FROM_CODE
from scripts.references.writing import cell, table


@pytest.mark.parametrize("name", FROM_CODE)
def test_page_is_that_of_the_code(name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text() == FROM_CODE[name](), "Run ./scripts/reference."


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_text_cannot_break_out_of_its_cell() -> None:
    assert cell("a | b\n  c") == "a \\| b c"
    assert table(("x", "y"), [("1", "2")]) == "| x | y |\n|---|---|\n| 1 | 2 |"
