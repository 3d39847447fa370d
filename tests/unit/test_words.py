"""One word for one thing: no text that people read uses what the glossary does not."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
FRONTEND = ROOT / "frontend" / "src"
# Pages for who changes Tidemark speak of the code, and there a task is a job.
OF_THE_CODE = {"glossary.md", "architecture.md", "contributing.md", "operations.md", "security.md", "database.md"}
# Somebody's own program; a bar as it is drawn; the words of a protocol and of other programs.
ALLOWED = re.compile(r"Nightly data job|hollow candles|candles? up|candles? down|`[^`]*`|Bearer")
_ROWS = re.compile(r"^\| (?P<word>[^|]+) \| [^|]* \| (?P<refused>[^|]+) \|$", re.MULTILINE)
_SHOWN = re.compile(r"\b(?:label|title|description|hint|placeholder|text|detail|name)=\"([^\"]*)\"")
_LITERAL = re.compile(r"'((?:[^'\\\n]|\\.)* (?:[^'\\\n]|\\.)*)'")


def refused() -> dict[str, str]:
    """Each word that is not used, and what is said in its place."""
    rows = [row for row in _ROWS.finditer(GLOSSARY.read_text()) if row["word"] not in ("word", "---")]
    return {word.strip(): row["word"].strip() for row in rows for word in row["refused"].split(",") if word.strip()}


@functools.cache
def texts() -> tuple[tuple[str, str], ...]:
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        if page.name not in OF_THE_CODE and page.parent.name != "decisions":
            yield str(page.relative_to(ROOT)), re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for file in sorted([*FRONTEND.rglob("*.vue"), *FRONTEND.rglob("*.ts")]):
        if ".test." not in file.name and file.parent.name not in ("api", "testing", "dev"):
            yield str(file.relative_to(ROOT)), "\n".join(_read_by_people(file.read_text()))


def _read_by_people(source: str) -> Iterator[str]:
    source = re.sub(r"/\*.*?\*/|<!--.*?-->|^\s*//.*$|<style.*?</style>", "", source, flags=re.DOTALL | re.MULTILINE)
    script, _, template = source.partition("<template>")
    yield from _LITERAL.findall(re.sub(r"^import .*$", "", script, flags=re.MULTILINE))
    yield from _SHOWN.findall(template)
    yield from re.findall(r">([^<>{}]+)[<{]", re.sub(r"\{\{.*?\}\}", "{", template, flags=re.DOTALL))


@pytest.mark.parametrize(("word", "instead"), refused().items())
def test_nobody_reads_the_other_word(word: str, instead: str) -> None:
    pattern = re.compile(rf"(?<![\w/-]){re.escape(word)}s?(?![\w-])", 0 if word.isupper() else re.IGNORECASE)
    found = [f"{where}: {hit}" for where, text in texts() for hit in _hits(pattern, text)]
    assert found == [], f"Say {instead!r}, not {word!r}."


def _hits(pattern: re.Pattern[str], text: str) -> list[str]:
    lines = (ALLOWED.sub("", line) for line in text.splitlines())
    return [line.strip()[:120] for line in lines if pattern.search(line)]


def test_the_glossary_has_words_and_the_texts_are_found() -> None:
    assert len(refused()) > 25
    read = dict(texts())
    assert "Run backtest" in "".join(read.values())
    assert any("Backtest" in text for where, text in read.items() if where.endswith(".vue"))
