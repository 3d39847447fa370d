"""Copies of the cache folder while others write in it: each file whole, each series as one of its manifests tells it.

Whoever copies takes no lock: files never change under their name, and what replaces one is renamed into its place.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from backend.data.storage.bars.folders import LOCK
from backend.data.storage.bars.places import BARS, MANIFEST, QUARANTINE

PART: Final = ".part"
_DRAFTS: Final = (".new", ".draft", PART)
_PAGE: Final = "README.md"
# A series that is written all the time is read again as often; then it is taken as it is found.
_TRIES: Final = 20


def copy_cache(cache_dir: Path, into: Path) -> None:
    """What is new or changed since the last time; what is gone meanwhile stays as it was copied."""
    make_private(into)
    for folder, folders, names in os.walk(cache_dir):
        here = Path(folder).relative_to(cache_dir)
        folders[:] = sorted(name for name in folders if is_kept(here / name))
        if here.parts[:1] == (BARS,) and MANIFEST in names:
            _copy_series(cache_dir / here, into / here)
            continue
        for name in sorted(names):
            if is_kept(here / name) and here.parts[:1] != (BARS,):
                _copy_if_new(cache_dir / here / name, into / here / name)


def forget_gone(cache_dir: Path, copied: Path) -> None:
    """Take out of an older copy what is not there any more."""
    for folder, _, names in os.walk(copied):
        for name in names:
            path = Path(folder) / name
            if not (cache_dir / path.relative_to(copied)).exists():
                path.unlink()


def is_kept(path: Path) -> bool:
    """Whether a path below the cache folder is more than a draft, a page for readers or what was set aside."""
    return not (
        path.parts[0] in (QUARANTINE, _PAGE)
        or any(part.startswith(".") for part in path.parts)
        or path.name.endswith(_DRAFTS)
    )


def make_private(folder: Path) -> None:
    """The folder, and those above it that are missing, for nobody else to look into."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """For nobody else to read; what was written is on the disk when the block ends."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def copy_file(source: Path, target: Path) -> None:
    """The whole file under its name, with its time, or nothing. Raises FileNotFoundError where the source is gone."""
    part = target.with_name(target.name + PART)
    with source.open("rb") as content:
        stat = os.fstat(content.fileno())
        with private_file(part) as file:
            shutil.copyfileobj(content, file, 1024**2)
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    part.rename(target)


def _copy_if_new(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        stat = source.stat()
        if target.exists():
            there = target.stat()
            if (there.st_size, there.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return
        make_private(target.parent)
        copy_file(source, target)


def _copy_series(source: Path, target: Path) -> None:
    """The files first, the manifest last, all of the same moment. Nothing where the series was deleted meanwhile."""
    for attempt in range(_TRIES):
        try:
            manifest = (source / MANIFEST).read_bytes()
        except FileNotFoundError:
            return
        make_private(target)
        names = set(_named_in(manifest))
        gone = [name for name in names if not _is_copied(source / name, target / name)]
        if not gone or attempt == _TRIES - 1:
            break
    for leftover in target.iterdir():
        if leftover.name not in names:
            leftover.unlink()
    _write(target / MANIFEST, manifest)
    # Its time says when the series was used last.
    with contextlib.suppress(FileNotFoundError):
        copy_file(source / LOCK, target / LOCK)


def _named_in(manifest: bytes) -> Iterator[str]:
    """What a manifest that cannot be read names is not known; Tidemark sets such a series aside by itself."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        yield from (str(file[0]) for file in json.loads(manifest)["manifest"]["files"] if "/" not in file[0])


def _is_copied(source: Path, target: Path) -> bool:
    _copy_if_new(source, target)
    return target.exists()


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + PART)
    with private_file(part) as file:
        file.write(content)
    part.rename(path)
