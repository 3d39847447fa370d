"""Durations in Go's spelling."""

from datetime import timedelta

import pytest

from backend.infrastructure.supabase.auth_server.durations import parse_duration
from backend.infrastructure.supabase.auth_server.errors import AuthError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", timedelta(hours=24)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("100ms20us", timedelta(milliseconds=100, microseconds=20)),
        ("3µs", timedelta(microseconds=3)),
        ("0", timedelta(0)),
        ("-1h", timedelta(hours=-1)),
        ("+1h", timedelta(hours=1)),
        ("876000h", timedelta(hours=876000)),
    ],
)
def test_what_go_understands(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1d", "1 h", "1h ", ".h", "-", "1e3h", "9999999h", "9" * 50 + "h", "\u0661h"]
)
def test_what_it_does_not(text: str) -> None:
    with pytest.raises(AuthError, match="invalid format for ban duration"):
        parse_duration(text)
