"""Where requests come from, what counts as an address, and JSON by Go's rules."""

import pytest
from starlette.requests import Request

from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.reading import Fields, OriginReader, checked_email, parse_json


def request(peer: str | None, forwarded: str | None = None) -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded is not None else []
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "ip"),
    [
        ((), "198.51.100.1", "203.0.113.1", "198.51.100.1"),
        (("10.0.0.0/8",), "198.51.100.1", "203.0.113.1", "198.51.100.1"),
        (("10.0.0.0/8",), "10.0.0.1", "203.0.113.1", "203.0.113.1"),
        (("10.0.0.0/8",), "10.0.0.1", "1.1.1.1, 203.0.113.1, 10.0.0.2", "203.0.113.1"),
        (("10.0.0.0/8",), "10.0.0.1", "1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2"),
        (("10.0.0.0/8",), "10.0.0.1", "10.0.0.3", "10.0.0.3"),
        (("10.0.0.0/8",), "10.0.0.1", None, "10.0.0.1"),
        (("::1",), "::1", "2001:db8::1", "2001:db8::1"),
        ((), "::ffff:203.0.113.7", None, "203.0.113.7"),
        ((), "fe80::1%eth0", None, "fe80::1"),
        ((), "testclient", None, None),
        ((), None, None, None),
    ],
)
def test_the_address_that_counts(
    trusted: tuple[str, ...], peer: str | None, forwarded: str | None, ip: str | None
) -> None:
    assert OriginReader(trusted).read(request(peer, forwarded)).ip == ip


def test_limits_count_a_household_as_one() -> None:
    addresses = ("2001:db8:0:7::1", "2001:db8:0:7:ffff::2", "2001:db8:0:8::1", "::ffff:192.0.2.7", "192.0.2.7")
    counted = [OriginReader(()).read(request(address)).address for address in addresses]
    assert counted == ["2001:db8:0:7::/64", "2001:db8:0:7::/64", "2001:db8:0:8::/64", "192.0.2.7", "192.0.2.7"]


@pytest.mark.parametrize("email", ["a@b", "A.B+c@Example.COM", "o'brien@example.com", "x" * 200 + "@example.com"])
def test_addresses(email: str) -> None:
    assert checked_email(email) == email.lower()


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@",
        "@b",
        "a b@c.d",
        "a@b@c",
        "a@b..c",
        "a@-b.c",
        "a@b.c\n",
        "a@b.c\r\nBcc: x@y.z",
        "ü@b.c",
        "x" * 251 + "@b.co",
    ],
)
def test_what_is_no_address(email: str) -> None:
    with pytest.raises(AuthError):
        checked_email(email)


def test_fields_by_type() -> None:
    fields = Fields({"text": "a", "flag": True, "map": {"b": 1}, "none": None, "list": ["x"]})
    assert (fields.text("text"), fields.text("absent"), fields.text("none")) == ("a", "", "")
    assert (fields.optional_text("none"), fields.flag("flag"), fields.flag("absent", True)) == (None, True, True)
    assert (fields.mapping("map"), fields.mapping("none"), fields.texts("list")) == ({"b": 1}, None, ["x"])
    for wrong in (
        lambda: fields.text("flag"),
        lambda: fields.flag("text"),
        lambda: fields.mapping("list"),
        lambda: fields.texts("map"),
    ):
        with pytest.raises(AuthError, match="json: cannot unmarshal"):
            wrong()


def test_json_is_strict() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00", "b": "\\ud800"}') == {"a": "😀", "b": "\ufffd"}
    for text in (b"", b"{", b"NaN", b"[Infinity]", b"1e400", b'"\\u0000"', b"[" * 200 + b"]" * 200, b"9" * 9999):
        with pytest.raises(AuthError, match="Could not parse request body as JSON"):
            parse_json(text)
