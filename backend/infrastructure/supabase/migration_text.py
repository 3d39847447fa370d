"""Reads SQL just well enough to find statements that a migration may not contain."""

import re
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
    blank = _OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    begin = 0
    for statement in blank.split(";"):
        stripped = statement.lstrip()
        match = _FORBIDDEN.match(stripped)
        if match is not None and not re.match(r"\w", stripped[match.end() :]):
            offset = begin + len(statement) - len(stripped)
            return ForbiddenStatement(words=" ".join(match[0].split()).lower(), line=text.count("\n", 0, offset) + 1)
        begin += len(statement) + 1
    return None
