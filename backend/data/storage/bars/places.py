"""Where series lie: a folder each, under who owns it, its provider, symbol, timeframe and adjustment.

Names in paths are made from checked parts alone, can be read back, and differ also where a disk takes A for a.
"""

import contextlib
import fnmatch
import os
import re
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import UUID

from backend.domain.market import Adjustment, Series, Timeframe
from backend.domain.market_ports import DiskRoom

BARS = "bars"
QUARANTINE = "quarantine"
MANIFEST = "manifest.json"

_SHARED = "shared"
_PRIVATE = "private"
_PLAIN = re.compile(r"[A-Z0-9_-]")
# Windows opens a device under these names, whatever stands behind a dot.
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])")


@lru_cache(4096)
def series_path(series: Series) -> Path:
    """The folder of a series, from the root of all bars."""
    whose = (_SHARED,) if series.owner is None else owner_parts(series.owner)
    return Path(
        *whose,
        quote(series.provider, safe=""),
        symbol_folder(series.symbol),
        Timeframe(series.timeframe).value,
        Adjustment(series.adjustment).value,
    )


def owner_parts(owner: UUID) -> tuple[str, str]:
    return _PRIVATE, str(UUID(str(owner)))


def series_at(path: Path) -> Series:
    """The series that lies at a path from the root of all bars; ValueError where none could."""
    parts = path.parts
    owner = UUID(parts[1]) if parts[0] == _PRIVATE else None
    provider, symbol, timeframe, adjustment = parts[1 if owner is None else 2 :]
    series = Series(
        provider=unquote(provider),
        symbol=unquote(symbol),
        timeframe=Timeframe(timeframe),
        adjustment=Adjustment(adjustment),
        owner=owner,
    )
    if series_path(series) != path:
        raise ValueError(f"{path} is not how {series} is named")
    return series


def symbol_folder(symbol: str) -> str:
    """All but capitals, digits, - and _ in percent: BTC%2FUSDT. Small letters too, as AbC and ABC are two symbols."""
    name = "".join(one if _PLAIN.fullmatch(one) else "".join(f"%{byte:02X}" for byte in one.encode()) for one in symbol)
    return f"%{ord(name[0]):02X}{name[1:]}" if _DEVICES.fullmatch(name) else name


def owners(root: Path) -> Iterator[tuple[UUID | None, Path]]:
    """Who has something below the root, and where; None is what all share."""
    if (root / _SHARED).is_dir():
        yield None, root / _SHARED
    for folder in sorted((root / _PRIVATE).iterdir()) if (root / _PRIVATE).is_dir() else ():
        with contextlib.suppress(ValueError):
            yield UUID(folder.name), folder


def all_series(root: Path, manifest: str = MANIFEST) -> Iterator[Series]:
    """Those that have a manifest, of a name like this."""
    for folder in folders_with(manifest, root):
        with contextlib.suppress(ValueError, IndexError):  # somebody else's folder
            yield series_at(folder.relative_to(root))


def folders_with(name: str, root: Path) -> Iterator[Path]:
    """All folders below the root that have a file of a name like this; * stands for anything."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        if fnmatch.filter(files, name):
            yield Path(folder)


def remove_empty(root: Path) -> None:
    """Remove folders below the root in which there is nothing, not even a folder."""
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != str(root):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def bytes_in(root: Path) -> int:
    """What the files below the root take, as far as they do not go away meanwhile."""
    found = 0
    for folder, _, files in os.walk(root):
        for name in files:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(folder, name)).st_size
    return found


def disk_room(root: Path) -> DiskRoom:
    """Of the disk that the folder is on, or will be."""
    while not root.exists():
        root = root.parent
    usage = shutil.disk_usage(root)
    return DiskRoom(total_bytes=usage.total, free_bytes=usage.free)
