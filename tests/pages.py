"""What the pages of the docs tell people to type: blocks of a shell, lines of them, and commands within sentences."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.cluster import ROOT

OPERATIONS = ROOT / "docs" / "operations.md"
SECURITY = ROOT / "docs" / "security.md"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One command: what stands before it as NAME=value, and its words."""

    settings: dict[str, str]
    words: tuple[str, ...]


def blocks(page: Path, kind: str = "sh") -> list[str]:
    return [
        dedent(text) for text in re.findall(rf"^ *```{kind}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    ]


def block(page: Path, begin: str, kind: str = "sh") -> str:
    """The one that begins so."""
    [found] = [text for text in blocks(page, kind) if text.startswith(begin)]
    return found


def lines(text: str) -> Iterator[Line]:
    """The commands of a block, as a shell would take them apart."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r" && |; ", re.sub(r"\s+# .*", "", line)):
            words = shlex.split(part)
            settings: dict[str, str] = {}
            while words and re.match(r"[A-Z_]+=", words[0]):
                name, _, value = words.pop(0).partition("=")
                settings[name] = value
            if words or settings:
                yield Line(settings=settings, words=tuple(words))


def commands_in_text(page: Path, program: str) -> list[list[str]]:
    """Commands between single backticks."""
    found = re.findall(rf"`({program} [^`\n]+)`", page.read_text())
    return [shlex.split(text) for text in found]
