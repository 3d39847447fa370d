"""What goes into jobs and comes out of them: refused with numbers, or made fit to be kept and shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import InvalidInput, PayloadTooLarge
from backend.domain.job_data import (
    LARGEST_PAYLOAD_BYTES,
    LOG_TAIL_BYTES,
    LOG_TAIL_LINES,
    as_printed,
    last_lines,
    readable,
    require_storable,
    size_of,
)


def nested(depth: int) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for _ in range(depth):
        payload = {"deeper": payload}
    return payload


def test_payload_up_to_the_limit_is_taken() -> None:
    room = LARGEST_PAYLOAD_BYTES - len(json.dumps({"note": ""}))
    require_storable({"note": "x" * room})
    with pytest.raises(PayloadTooLarge) as refused:
        require_storable({"note": "x" * (room + 1)})
    assert "has 262,145 bytes; at most 262,144 are allowed" in refused.value.detail
    with pytest.raises(PayloadTooLarge):
        require_storable({"note": "€" * (room // 3 + 1)})


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"sharpe": float("nan")}, "no JSON"),
        ({"sharpe": float("inf")}, "no JSON"),
        ({"what": object()}, "no JSON"),
        ({"note": "half \ud83c of it"}, "half a character"),
        ({"note": "a\x00b"}, "U+0000"),
        ({"a\x00b": 1}, "U+0000"),
        ({"note": "\\\x00"}, "U+0000"),
        (nested(100_000), "nested too deeply"),
        (nested(102), "more than 100 levels deep"),
        ({"of": [nested(101)]}, "more than 100 levels deep"),
    ],
)
def test_payload_that_could_not_be_given_back_is_refused(payload: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_storable(payload)
    assert words in refused.value.errors[0].detail


@pytest.mark.parametrize("note", ["\\u0000", "C:\\users", "\\\\u0000", "ä🌊\n\t"])
def test_text_that_only_looks_like_it_is_taken(note: str) -> None:
    require_storable({"note": note})


def test_size_is_that_of_the_json() -> None:
    assert size_of({"a": [1, 2.5, None]}) == len('{"a": [1, 2.5, null]}')


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"windows\r\nlines\r\n", "windows\nlines\n"),
        (b" 10 %\r 50 %\r100 %\n", "100 %\n"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07text", "red text"),
        (b"\x1b]8;never closed\nnext line", "\nnext line"),
        (b"nul\x00 bell\x07 delete\x7f", "nul bell delete"),
        (b"tab\there", "tab\there"),
        ("größer €".encode(), "größer €"),
        (b"\xe2\x82", "\ufffd"),
    ],
)
def test_log_shows_what_a_terminal_would(printed: bytes, shown: str) -> None:
    assert as_printed(printed) == shown


def test_halves_of_characters_are_replaced() -> None:
    assert readable("a\ud83cb") == "a?b"


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n"])
def test_log_without_lines_is_none(text: str) -> None:
    assert last_lines(text) is None


def test_only_the_last_lines_are_kept() -> None:
    text = "\n".join(str(number) for number in range(1000))
    kept = str(last_lines(text)).splitlines()
    assert kept == [str(number) for number in range(1000 - LOG_TAIL_LINES, 1000)]


def test_lines_are_kept_whole_and_of_one_that_is_too_long_its_end() -> None:
    assert last_lines("first\nsecond\nthird", most_bytes=12) == "second\nthird"
    assert last_lines("first\nsecond\nthird", most_bytes=11) == "third"
    assert last_lines("a long line", most_bytes=4) == "line"
    assert last_lines("€€€", most_bytes=7) == "€€"
    assert last_lines("€", most_bytes=2) is None


@given(st.binary(max_size=20_000), st.integers(0, LOG_TAIL_BYTES))
def test_log_is_bounded_and_can_be_stored_whatever_was_printed(printed: bytes, most: int) -> None:
    log = last_lines(as_printed(printed), most_bytes=most)
    if log is not None:
        assert 0 < len(log.encode()) <= most
        assert "\x00" not in log
        assert len(log.split("\n")) <= LOG_TAIL_LINES
        assert log in as_printed(printed)


@given(st.text(max_size=500), st.integers(0, 300))
def test_bound_holds_in_whatever_measure(text: str, most: int) -> None:
    def in_json(part: str) -> int:
        return len(json.dumps(part)) - 2

    log = last_lines(readable(text), most_bytes=most, size=in_json)
    assert log is None or in_json(log) <= most
