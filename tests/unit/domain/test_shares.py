"""Links to results: nobody guesses one, and what is kept of it opens nothing."""

import re
from uuid import uuid4

import pytest

from backend.domain.errors import InvalidInput, ShareNotFound
from backend.domain.shares import digest_of_link, make_link, new_share
from backend.infrastructure.redaction import redact


def test_no_two_links_are_alike_and_each_stands_in_an_address_as_it_is() -> None:
    made = {make_link() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", link) for link in made)


@pytest.mark.parametrize("link", ["", "x", make_link()[:-1], f"{make_link()}x", "é" * 43, "../" * 14 + "x"])
def test_what_is_no_link_is_not_found(link: str) -> None:
    with pytest.raises(ShareNotFound):
        digest_of_link(link)


@pytest.mark.parametrize(
    ("title", "days", "pointer"),
    [
        (" ", 7, "/title"),
        ("x" * 121, 7, "/title"),
        ("a\x00b", 7, "/title"),
        ("A run", 0, "/expires_in_days"),
        ("A run", 366, "/expires_in_days"),
    ],
)
def test_what_no_link_can_be_like_is_refused(title: str, days: int, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        new_share(make_link(), backtest_id=uuid4(), title=title, days=days)
    assert [error.pointer for error in refusal.value.errors] == [pointer]


def test_a_log_hides_a_link_and_no_id() -> None:
    link, share_id = make_link(), uuid4()
    assert redact(f"GET /api/shares/{link}/trades 200") == "GET /api/shares/[hidden]/trades 200"
    assert redact(f"GET /shared/{link} 200") == "GET /shared/[hidden] 200"
    assert redact(f"DELETE /api/shares/{share_id} 204") == f"DELETE /api/shares/{share_id} 204"
