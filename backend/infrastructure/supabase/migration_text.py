"""Reads SQL just well enough to find statements that a migration may not contain."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Comments, strings, quoted names and dollar quotes: whatever they hold is not a statement.
_OPAQUE = re.compile(
    r"""
      --[^\n]*
    | /\*.*?\*/
    | \b[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w$])\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
    """,
    re.VERBOSE | re.DOTALL,
)
_FORBIDDEN = re.compile(
    r"""
      begin | start\s+transaction | commit | end | rollback(?!\s+to\b) | abort | prepare\s+transaction
    | vacuum | alter\s+system | create\s+database | drop\s+database | create\s+tablespace
    | (?:create\s+(?:unique\s+)?index|drop\s+index|reindex\b.*?)\s+concurrently
    | alter\s+table\b.*?\bdetach\s+partition\b.*?\bconcurrently
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class ForbiddenStatement:
    words: str
    line: int


def forbidden_statement(text: str) -> ForbiddenStatement | None:
    """The first statement that ends or escapes the transaction around all migrations."""
    blank = _blank(text)
    for begin, end in _statements(text):
        visible = blank[begin:end]
        stripped = visible.lstrip()
        match = _FORBIDDEN.match(stripped)
        if match is not None and not re.match(r"\w", stripped[match.end() :]):
            line = text.count("\n", 0, begin + len(visible) - len(stripped)) + 1
            return ForbiddenStatement(words=" ".join(match[0].split()).lower(), line=line)
    return None


def split_statements(text: str) -> list[str]:
    """The statements one by one, as the Supabase CLI records them: with their comments, without the semicolon."""
    return [text[begin:end].strip() for begin, end in _statements(text)]


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each statement begins and ends; what holds only comments is none."""
    blank = _blank(text)
    begin = 0
    for part in blank.split(";"):
        if part.strip():
            yield begin, begin + len(part)
        begin += len(part) + 1


def _blank(text: str) -> str:
    return _OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
