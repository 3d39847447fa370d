"""Finds secrets in text by their shape: our own tokens and keys, those of others, and known values as they are."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from backend.domain.errors import TokenRejected
from backend.domain.tokens import digest_of_token

# Digests of what looks like a secret and is none, each with the reason in words.
KNOWN = Path(__file__).with_name("known.txt")
LEAST_SECRET = 12
SHOWN_AT_BOTH_ENDS = 4


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What was found, and where; never the secret itself."""

    place: str
    line: int
    kind: str
    hint: str
    digest: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.kind} {self.hint} ({self.digest})"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How one kind of secret is written. The whole match is the secret, or its group `secret`."""

    kind: str
    # One of these stands in it, whatever it is: most texts have none, and are not searched any further.
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    is_one: Callable[[str], bool] = lambda secret: True


def _is_ours(text: str) -> bool:
    """With the checksum that we end our tokens with."""
    try:
        return bool(digest_of_token(text))
    except TokenRejected:
        return False


def _is_signed_token(text: str) -> bool:
    """Three parts, the first of which says in JSON how the rest is signed."""
    try:
        head = text.partition(".")[0]
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False


def _is_password(text: str) -> bool:
    """Placeholders are words in brackets, variables, or repeat themselves."""
    return not re.search(r"[<>{}$*%]|\.\.\.|^\[?hidden\]?$", text) and len(set(text)) > 3


def _is_random(text: str) -> bool:
    """Letters of both cases and figures, mixed as no word is. Publishable keys are for everybody."""
    if text.startswith("sb_publishable_"):
        return False
    changes = sum(_class(one) != _class(other) for one, other in itertools.pairwise(text))
    return len(set(text)) >= 14 and changes >= len(text) / 3


def _class(character: str) -> str:
    return "0" if character.isdigit() else "A" if character.isupper() else "a"


SHAPES = (
    Shape(
        kind="personal access token", marks=("tdm_",), pattern=re.compile(r"\btdm_[\w-]{49}(?![\w-])"), is_one=_is_ours
    ),
    Shape(
        kind="secret key of a Supabase project", marks=("sb_secret_",), pattern=re.compile(r"\bsb_secret_[\w-]{20,}")
    ),
    Shape(
        kind="signed token",
        marks=("eyJ",),
        pattern=re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{20,}"),
        is_one=_is_signed_token,
    ),
    Shape(
        kind="link to a shared result",
        marks=("/share",),
        pattern=re.compile(r"/share[ds]/(?P<secret>[\w-]{43})(?![\w-])"),
    ),
    Shape(
        kind="private key",
        marks=("PRIVATE KEY",),
        pattern=re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(?:\\n)?(?P<secret>[A-Za-z0-9+/=\s\\]{40,})"),
    ),
    Shape(
        kind="password in an address",
        marks=("://",),
        pattern=re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{1,80}:(?P<secret>[^\s:/@'\"]{6,200})@"),
        is_one=_is_password,
    ),
    Shape(kind="AWS key", marks=("AKIA", "ASIA"), pattern=re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    Shape(
        kind="GitHub token",
        marks=("gh", "github_pat_"),
        pattern=re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})"),
    ),
    Shape(kind="GitLab token", marks=("glpat-",), pattern=re.compile(r"\bglpat-[\w-]{20,}")),
    Shape(kind="Slack token", marks=("xox",), pattern=re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    Shape(kind="Google key", marks=("AIza",), pattern=re.compile(r"\bAIza[\w-]{35}\b")),
    Shape(kind="Stripe key", marks=("k_live_",), pattern=re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}")),
    Shape(kind="npm token", marks=("npm_",), pattern=re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    Shape(kind="PyPI token", marks=("pypi-",), pattern=re.compile(r"\bpypi-AgEIcHlwaS5vcmc[\w-]{20,}")),
    Shape(
        kind="key of a model's vendor", marks=("sk-",), pattern=re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}")
    ),
    Shape(kind="Alpaca key", marks=("PK", "AK"), pattern=re.compile(r"\b[AP]K[A-Z0-9]{18}\b")),
    Shape(
        kind="named secret",
        marks=("ecret", "ECRET", "assw", "ASSW", "pi", "PI", "_key", "_KEY", "oken", "OKEN"),
        pattern=re.compile(
            r"(?:[sS]ecret|SECRET|[pP]assw(?:or)?d|PASSWORD|[kK]ey|KEY|[tT]oken|TOKEN)['\"]?\s*[:=]\s*['\"]"
            r"(?P<secret>[A-Za-z0-9+/=_-]{24,})['\"]"
        ),
        is_one=_is_random,
    ),
)


def find(text: str, place: str, *, values: Mapping[str, str] = MappingProxyType({})) -> Iterator[Leak]:
    """All secrets in the text. `values` are known ones by name, which have no shape of their own."""
    for shape in SHAPES:
        if not any(mark in text for mark in shape.marks):
            continue
        for match in shape.pattern.finditer(text):
            secret = match["secret"] if "secret" in shape.pattern.groupindex else match[0]
            if shape.is_one(secret):
                yield _leak(text, match.start(), place, shape.kind, secret)
    for name, value in values.items():
        at = text.find(value) if len(value) >= LEAST_SECRET else -1
        if at >= 0:
            yield _leak(text, at, place, name, value)


def _leak(text: str, at: int, place: str, kind: str, secret: str) -> Leak:
    hint = f"{secret[:SHOWN_AT_BOTH_ENDS]}...{secret[-SHOWN_AT_BOTH_ENDS:]}"
    return Leak(place=place, line=text.count("\n", 0, at) + 1, kind=kind, hint=hint, digest=digest_of(secret))


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def known() -> frozenset[str]:
    lines = KNOWN.read_text().splitlines()
    return frozenset(line.split()[0] for line in lines if line and not line.startswith("#"))


def unknown(leaks: Iterable[Leak]) -> list[Leak]:
    return [leak for leak in leaks if leak.digest not in known()]
