"""Where links may lead: the site, loopback beside a loopback site, and the operator's patterns."""

import pytest

from backend.domain.errors import InvalidSetting
from backend.infrastructure.supabase.auth_server.redirects import Redirects, with_fragment, with_query

LOCAL = Redirects("http://127.0.0.1:8000", ())
PUBLIC = Redirects(
    "https://tidemark.example", ("https://*.preview.example/**", "app://done", "https://?.one/{a,b}/[0-9]")
)


@pytest.mark.parametrize(
    ("redirects", "url", "is_allowed"),
    [
        (LOCAL, "http://127.0.0.1:8000/welcome", True),
        (LOCAL, "http://127.0.0.1:3000/", True),
        (LOCAL, "http://localhost:5173/a?b#c", True),
        (LOCAL, "http://[::1]:5173/", True),
        (LOCAL, "http://127.0.0.2/", True),
        (LOCAL, "http://10.0.0.1/", False),
        (LOCAL, "http://2130706433/", False),
        (LOCAL, "http://user@127.0.0.1/", False),
        (LOCAL, "http://127.0.0.1\\@evil.example/", False),
        (LOCAL, "http://127.0.0.1 .evil.example/", False),
        (LOCAL, "http://127.0.0.1:port/", False),
        (LOCAL, "javascript://127.0.0.1/%0aalert(1)", False),
        (LOCAL, "//127.0.0.1/", False),
        (LOCAL, "/welcome", False),
        (LOCAL, "", False),
        (LOCAL, "http://[::1", False),
        (PUBLIC, "https://tidemark.example/reset", True),
        (PUBLIC, "https://TIDEMARK.example/reset", True),
        (PUBLIC, "http://tidemark.example/reset", False),
        (PUBLIC, "http://127.0.0.1:8000/", False),
        (PUBLIC, "https://tidemark.example.evil.example/", False),
        (PUBLIC, "https://eviltidemark.example/", False),
        (PUBLIC, "https://42.preview.example/a/b?c=d", True),
        (PUBLIC, "https://a.b.preview.example/", False),
        (PUBLIC, "https://evil.example/x.preview.example/", False),
        (PUBLIC, "https://evil.example?.preview.example/", False),
        (PUBLIC, "https://evil.example#.preview.example/", False),
        (PUBLIC, "app://done", True),
        (PUBLIC, "app://done#token", True),
        (PUBLIC, "app://done/more", False),
        (PUBLIC, "https://x.one/a/7", True),
        (PUBLIC, "https://x.one/b/0", True),
        (PUBLIC, "https://x.one/c/0", False),
        (PUBLIC, "https://xy.one/a/0", False),
    ],
)
def test_what_is_allowed(redirects: Redirects, url: str, is_allowed: bool) -> None:
    assert redirects.allows(url) is is_allowed


def test_the_first_allowed_place_is_chosen_and_else_the_site() -> None:
    assert (
        LOCAL.choose(None, "https://evil.example", "http://localhost/a", "http://localhost/b") == "http://localhost/a"
    )
    assert LOCAL.choose("https://evil.example", "") == "http://127.0.0.1:8000"


def test_stars_never_hide_another_scheme() -> None:
    everything = Redirects("https://tidemark.example", ("**",))
    assert everything.allows("https://anywhere.example/")
    assert not everything.allows("javascript:alert(1)")
    assert not everything.allows("data:text/html,x")


def test_a_pattern_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InvalidSetting, match=r"TIDEMARK_REDIRECT_URLS: '\[z-a\]'"):
        Redirects("https://tidemark.example", ("[z-a]",))


def test_members_are_added_where_they_belong() -> None:
    assert with_query("http://a.example/b?x=1&code=old#frag", code="new") == "http://a.example/b?x=1&code=new"
    assert with_fragment("http://a.example/b?x=1#old", b="2 3", a="1") == "http://a.example/b?x=1#a=1&b=2+3"
    assert with_fragment("http://a.example/ü", a="1").isascii()
