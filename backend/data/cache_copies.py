"""Copies of the cache folder while others write in it: each file whole, each series as one of its manifests tells it.

Whoever copies takes no lock: files never change under their name, and what replaces one is renamed into its place.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.data.storage.bars.folders import LOCK
from backend.data.storage.bars.places import BARS, MANIFEST, QUARANTINE
from backend.domain.backups import BackupRefused, is_sound
from backend.infrastructure.plain_files import (
    PART,
    NotPlain,
    make_private,
    opened,
    private_file,
    remove,
    walk,
    write_whole,
)

_DRAFTS: Final = (".new", ".draft", PART)
_PAGE: Final = "README.md"
# A series that is written all the time is read again as often; then it is taken as it is found.
_TRIES: Final = 20


def copy_cache(cache_dir: Path, into: Path) -> None:
    """What is new or changed since the last time; what is gone meanwhile stays as it was copied.

    A folder on the first level may be a link, as people put bars on another disk. Raises NotPlain for any other link,
    BackupRefused for a name that no backup can hold.
    """
    make_private(into)
    for here, names in walk(cache_dir, is_kept, first_may_link=True):
        if here.parts[:1] == (BARS,) and MANIFEST in names:
            _require_name(cache_dir, here)
            _copy_series(cache_dir / here, into / here)
            continue
        for name in names:
            _require_name(cache_dir, here / name)
            if here.parts[:1] != (BARS,):
                _copy_if_new(cache_dir / here / name, into / here / name)
            elif (cache_dir / here / name).is_symlink():
                raise NotPlain(cache_dir / here / name)


def forget_gone(cache_dir: Path, copied: Path) -> None:
    """Take out of an older copy what is not there any more."""
    for here, names in walk(copied):
        for name in names:
            if not (cache_dir / here / name).exists():
                (copied / here / name).unlink()


def is_kept(path: Path) -> bool:
    """Whether a path below the cache folder is more than a draft, a page for readers or what was set aside."""
    return not (
        path.parts[0] in (QUARANTINE, _PAGE)
        or any(part.startswith(".") for part in path.parts)
        or path.name.endswith(_DRAFTS)
    )


def copy_file(source: Path, target: Path) -> None:
    """The whole file under its name, with its time, or nothing. Raises FileNotFoundError where the source is gone."""
    part = target.with_name(target.name + PART)
    with opened(source) as content:
        stat = os.fstat(content.fileno())
        with private_file(part) as file:
            shutil.copyfileobj(content, file, 1024**2)
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    part.rename(target)


def _copy_if_new(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        stat = source.lstat()
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
            with opened(source / MANIFEST) as file:
                manifest = file.read()
        except FileNotFoundError:
            return
        make_private(target)
        names = set(_named_in(manifest))
        gone = [name for name in names if not _is_copied(source / name, target / name)]
        if not gone or attempt == _TRIES - 1:
            break
    for leftover in target.iterdir():
        if leftover.name not in names:
            remove(leftover)
    write_whole(target / MANIFEST, manifest)
    # Its time says when the series was used last.
    with contextlib.suppress(FileNotFoundError):
        copy_file(source / LOCK, target / LOCK)


def _named_in(manifest: bytes) -> Iterator[str]:
    """What a manifest that cannot be read names is not known; Tidemark sets such a series aside by itself."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, RecursionError):
        names = [str(file[0]) for file in json.loads(manifest)["manifest"]["files"]]
        yield from (name for name in names if "/" not in name and is_sound(name))


def _is_copied(source: Path, target: Path) -> bool:
    _copy_if_new(source, target)
    return target.exists()


def _require_name(cache_dir: Path, path: Path) -> None:
    if not is_sound(str(path)):
        raise BackupRefused(
            f"{cache_dir} has a file whose name cannot be saved: {str(path)!r}. Rename it, or move it away."
        )
