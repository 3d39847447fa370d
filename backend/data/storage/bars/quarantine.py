"""Where files go that are not what was written: out of the way, with the reason, for a person to look at."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from loguru import logger

from backend.data.storage.bars.folders import Folder


def set_aside(folder: Folder, damage: Mapping[str, str], place: Path, at: datetime) -> None:
    """Move these files away, each beside a note of what is wrong with it. A disk that refuses keeps nobody waiting."""
    for name, reason in damage.items():
        logger.warning("{} of {} is set aside: {}", name, folder.path, reason)
        kept_as = place / f"{at:%Y%m%dT%H%M%S.%f}-{name}"
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            folder.move(name, kept_as)
            kept_as.with_name(kept_as.name + ".txt").write_text(f"{at.isoformat()} {folder.path / name}\n{reason}\n")


def forget_older(quarantine: Path, before: datetime) -> int:
    """Remove what was set aside before then; how many bytes that were."""
    freed = 0
    for path in _files(quarantine):
        with contextlib.suppress(OSError):
            status = path.stat(follow_symlinks=False)
            if status.st_ctime < before.timestamp():
                path.unlink()
                freed += status.st_size
    return freed


def _files(root: Path) -> Iterable[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder) / name for name in names)
