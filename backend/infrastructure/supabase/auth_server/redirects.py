"""Where a link may lead: to the site itself and to what the operator listed, never elsewhere."""

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from backend.domain.errors import InvalidSetting

# Browsers read a backslash as a slash and drop tabs and newlines, so an address with those means two things.
AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Redirects:
    """The allow-list of one installation."""

    def __init__(self, site_url: str, allowed: tuple[str, ...]) -> None:
        self.site_url = site_url
        site = urlsplit(site_url)
        self._site_host = (site.hostname or "").lower()
        # Tokens that are made for an encrypted site never leave in the clear, not even to its own name.
        self._site_schemes = ("https",) if site.scheme == "https" else ("http", "https")
        self._allowed = tuple(_compiled(pattern) for pattern in allowed)

    def choose(self, *candidates: str | None) -> str:
        """The first candidate that is allowed, else the site."""
        return next((url for url in candidates if url and self.allows(url)), self.site_url)

    def allows(self, url: str) -> bool:
        parts = _split(url)
        if parts is None:
            return False
        if parts.scheme in ("http", "https"):
            host = (parts.hostname or "").lower()
            if not host or "@" in parts.netloc:
                return False
            if host == self._site_host and parts.scheme in self._site_schemes:
                return True
            if self._site_host in LOOPBACK_NAMES and _is_loopback(host):
                return True
        without_fragment = url.split("#", 1)[0]
        return any(pattern.fullmatch(without_fragment) for pattern in self._allowed)


def with_query(url: str, **members: str) -> str:
    """The address with these members added to, or replaced in, its query; any fragment is dropped."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return _for_header(urlunsplit(parts._replace(query=urlencode({**query, **members}), fragment="")))


def with_fragment(url: str, **members: str) -> str:
    """The address with these members, sorted by name, as its fragment."""
    return _for_header(f"{url.split('#', 1)[0]}#{urlencode(sorted(members.items()))}")


def _for_header(url: str) -> str:
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~-._|{}^`")


def _split(url: str) -> SplitResult | None:
    if AMBIGUOUS.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and parts.scheme not in ("javascript", "data", "vbscript", "blob", "file") else None


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_expression(pattern), re.DOTALL)
    except re.error as problem:
        raise InvalidSetting("TIDEMARK_REDIRECT_URLS", f"'{pattern}' is not a pattern: {problem}") from problem


def _expression(pattern: str) -> str:
    """`*` and `?` stop at dots and slashes, `**` does not; also [a-z], [!a-z], {one,other} and backslash escapes."""
    result, position, depth = "", 0, 0
    while position < len(pattern):
        character = pattern[position]
        rest = pattern[position:]
        if rest.startswith("**"):
            result += ".*"
            position += 1
        elif character == "*":
            result += "[^./]*"
        elif character == "?":
            result += "[^./]"
        elif character == "\\" and len(rest) > 1:
            result += re.escape(rest[1])
            position += 1
        elif (group := re.match(r"\[(!?)([^\]\\]+)\]", rest)) is not None:
            members = group[2].replace("[", "\\[").replace("^", "\\^")
            result += f"[{'^' if group[1] else ''}{members}]"
            position += len(group[0]) - 1
        elif character == "{":
            result, depth = result + "(?:", depth + 1
        elif character == "}" and depth:
            result, depth = result + ")", depth - 1
        elif character == "," and depth:
            result += "|"
        else:
            result += re.escape(character)
        position += 1
    return result + ")" * depth
