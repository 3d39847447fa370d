"""What goes into a job and comes out of it: how large it may be, and in which letters."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from backend.domain.errors import InputError, InvalidInput, PayloadTooLarge

LARGEST_PAYLOAD_BYTES = 256 * 1024
# As sent, before the database unpacks it: about 250,000 trades.
LARGEST_RESULT_BYTES = 32 * 1024 * 1024
LOG_TAIL_BYTES = 8 * 1024
LOG_TAIL_LINES = 40

# Deeper than any form is; what writes JSON gives up at 255.
DEEPEST_PAYLOAD = 100

# Escape sequences of terminals, then whatever else is no letter; line ends and tabs are kept.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# An escaped backslash before it would make it a backslash and six letters.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def require_storable(payload: Mapping[str, Any]) -> None:
    """Refuse what is too large, with the numbers, and what the database could not give back as it was."""
    try:
        text = json.dumps(dict(payload), allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput([InputError(pointer="", detail=f"This is no JSON: {_reason(error)}.")]) from error
    if size > LARGEST_PAYLOAD_BYTES:
        raise PayloadTooLarge(size, LARGEST_PAYLOAD_BYTES)
    if text.count("[") + text.count("{") > DEEPEST_PAYLOAD and _is_deeper(payload, DEEPEST_PAYLOAD):
        detail = f"It is nested more than {DEEPEST_PAYLOAD} levels deep."
        raise InvalidInput([InputError(pointer="", detail=detail)])
    if _NUL.search(text):
        raise InvalidInput([InputError(pointer="", detail="A text in it holds the character U+0000.")])


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list | tuple):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)
    return False


def size_of(result: Mapping[str, Any]) -> int:
    """How many bytes of JSON it makes."""
    return len(json.dumps(dict(result)))


def readable(text: str) -> str:
    """Without what no page, terminal or table should be given: escape sequences, NUL, halves of characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text)).encode(errors="replace").decode()


def as_printed(data: bytes) -> str:
    """What a terminal would show of it: a line that was printed over shows its latest text."""
    lines = data.decode(errors="replace").split("\n")
    return readable("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))


def last_lines(
    text: str, *, most_bytes: int = LOG_TAIL_BYTES, size: Callable[[str], int] = lambda part: len(part.encode())
) -> str | None:
    """As many whole lines from the end as fit, of a single longer one its end; None when nothing is there.

    `size` is how many bytes a part of it takes where it goes; that of a whole is the sum of its parts'.
    """
    kept: list[str] = []
    left = most_bytes
    for line in reversed(text.rstrip("\n").split("\n")[-LOG_TAIL_LINES:]):
        left -= size(line + "\n" if kept else line)
        if left < 0:
            break
        kept.append(line)
    whole = "\n".join(reversed(kept)).strip("\n")
    if whole or not text.strip("\n"):
        return whole or None
    return _end_of(text.rstrip("\n").rpartition("\n")[2], most_bytes, size)


def _end_of(line: str, most_bytes: int, size: Callable[[str], int]) -> str | None:
    end = len(line)
    while end > 0 and most_bytes >= size(line[end - 1]):
        most_bytes -= size(line[end - 1])
        end -= 1
    return line[end:] or None


def _reason(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeEncodeError():
            return "a text in it holds half a character"
        case _:
            return str(error)
