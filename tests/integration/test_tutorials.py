"""The tutorials and the page of the trust panel work as they stand there: every block is run in order, and every answer
that they show was given.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT, environment

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted(page.stem for page in TUTORIALS.glob("*.md") if page.stem != "README")
MORE = ["../trust-panel"]
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, *MORE])
def test_every_block_works_and_answers_as_shown(page: str, tmp_path: Path) -> None:
    said = ""
    for block in BLOCK.finditer((TUTORIALS / f"{page}.md").read_text()):
        kind, file, text = block["kind"], block["file"], block["text"]
        if file:
            (tmp_path / file).write_text(text)
        elif kind == "text":
            missing = [line for line in text.splitlines() if " ".join(line.split()) not in said]
            assert missing == [], said
        else:
            said = " ".join(_run(kind, text, tmp_path).split())


def test_pages_are_all_listed() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (TUTORIALS / "README.md").read_text())
    assert sorted(listed) == PAGES


def _run(kind: str, text: str, folder: Path) -> str:
    words = {"sh": ["/bin/sh", "-euc", text], "python": [sys.executable, "-c", text]}[kind]
    done = subprocess.run(
        words,
        cwd=folder,
        env={
            **environment(TIDEMARK_CACHE_DIR=str(folder / "cache"), COLUMNS="200", PYTHONPATH=str(ROOT)),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
