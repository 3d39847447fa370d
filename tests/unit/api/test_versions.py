"""If-Match and If-None-Match, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api.versions import _is_held, required_version
from backend.domain.errors import VersionConflict, VersionRequired

TAG = '"3.0123456789abcdef"'


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (TAG, 3),
        (f"  {TAG}  ", 3),
        (f'"other", {TAG}', 3),
        (f'W/"9.0123456789abcdef", {TAG}', 3),
        ("*", None),
        (" * ", None),
    ],
)
def test_version_is_read(header: str, version: int | None) -> None:
    assert required_version(header) == version


@pytest.mark.parametrize(
    "header", ["", '""', "3", '"3"', f"W/{TAG}", '"0.0123456789abcdef"', '"9999999999.0123456789abcdef"']
)
def test_what_is_no_version_is_a_conflict(header: str) -> None:
    with pytest.raises(VersionConflict):
        required_version(header)


def test_version_is_required() -> None:
    with pytest.raises(VersionRequired):
        required_version(None)


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_any_header_is_read_or_refused(header: str) -> None:
    try:
        version = required_version(header)
    except VersionConflict:
        return
    assert version is None or 0 < version < 2**31


@pytest.mark.parametrize(
    ("offered", "is_held"),
    [
        ([TAG], True),
        ([f"W/{TAG}"], True),
        (['"a"', TAG], True),
        ([f'"a,b", {TAG}'], True),
        (["*"], True),
        (['"a"'], False),
        ([TAG.strip('"')], False),
        ([], False),
        ([""], False),
    ],
)
def test_held_versions_are_recognised(offered: list[str], is_held: bool) -> None:
    assert _is_held(offered, TAG) is is_held
    assert _is_held(offered, f"W/{TAG}") is is_held


def test_long_header_is_read_quickly() -> None:
    assert not _is_held(['"' * 100_000], TAG)
    assert not _is_held([", " * 50_000], TAG)
    assert not _is_held([" " * 100_000], TAG)
