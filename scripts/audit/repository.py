"""Reads what git keeps of this project: the files of the checkout, and every version of them that its history holds."""

from __future__ import annotations

import io
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Digests by the thousand; scripts/audit/locks.py reads them in its own way.
LOCKS = re.compile(r"(^|/)(package-lock\.json|locks/\w+\.txt)$")
# Nobody writes that much by hand; larger files are pictures, data and locks of packages.
LARGEST_TEXT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Text:
    """One file, or one version of it, by the path that it has or had."""

    path: str
    text: str


def has_history(root: Path = ROOT) -> bool:
    """Whoever unpacked an archive has files alone."""
    return (root / ".git").exists() and _git(root, "rev-parse", "HEAD") is not None


def files(root: Path = ROOT) -> Iterator[Text]:
    """What is tracked, and what would be with the next `git add`."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None:
        names = [str(path.relative_to(root)) for path in sorted(root.rglob("*")) if ".git" not in path.parts]
    else:
        names = sorted(set(listed.decode(errors="surrogateescape").split("\0")) - {""})
    for name in names:
        path = root / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_TEXT_BYTES:
            text = _text(path.read_bytes())
            if text is not None:
                yield Text(path=name, text=text)


def history(root: Path = ROOT) -> Iterator[Text]:
    """Every version of every file that the present commit descends from, each once; and the words of the commits."""
    listed = (_git(root, "rev-list", "--objects", "HEAD") or b"").decode(errors="replace").splitlines()
    wanted = [line.partition(" ") for line in listed]
    names = {id_: path for id_, _, path in wanted if not LOCKS.search(path)}
    with tempfile.TemporaryFile() as ids:
        ids.write("".join(f"{id_}\n" for id_ in _no_larger(root, list(names))).encode())
        ids.seek(0)
        reader = subprocess.Popen(("git", "cat-file", "--batch"), cwd=root, stdin=ids, stdout=subprocess.PIPE)
    with reader, reader.stdout or io.BytesIO() as out:
        while head := out.readline().split():
            content = out.read(int(head[2]) + 1)[:-1]
            text = _text(content) if head[1] in (b"blob", b"commit", b"tag") else None
            if text is not None:
                id_ = head[0].decode()
                yield Text(path=f"{names[id_] or 'commit'}@{id_[:10]}", text=text)


def commits(root: Path = ROOT) -> tuple[int, bool]:
    """How many there are, and whether that is all: a shallow clone has the last ones alone."""
    count = int(_git(root, "rev-list", "--count", "HEAD") or 0)
    return count, (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() != b"true"


def _no_larger(root: Path, ids: list[str]) -> list[str]:
    asked = "\n".join(ids).encode()
    sizes = subprocess.run(
        ("git", "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"),
        cwd=root,
        input=asked,
        capture_output=True,
        check=True,
    ).stdout.decode()
    found = (line.split() for line in sizes.splitlines())
    return [id_ for id_, kind, size in found if kind != "tree" and int(size) <= LARGEST_TEXT_BYTES]


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        ended = subprocess.run(("git", *arguments), cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return ended.stdout if ended.returncode == 0 else None


def _text(content: bytes) -> str | None:
    """None for what no editor would show."""
    return None if b"\0" in content[:8192] else content.decode(errors="replace")
