"""What a backup is: a folder whose manifest tells every table and file in it, and the rules by which it is used."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final
from urllib.parse import quote

from backend.domain.errors import ConfigurationError, TidemarkError

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
CACHE: Final = "cache"
DATABASE: Final = "database"
# What operators write into the cluster by hand; the rest of its settings is written at every start.
OPERATOR_CONF: Final = "operator.conf"
# Control characters, and halves of characters: a file of such a name is none of ours.
_UNSHOWABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class BackupDamaged(TidemarkError):
    """What is in the backup is not what was written."""

    code: ClassVar[str] = "backup_damaged"
    title: ClassVar[str] = "The backup is damaged"


class BackupFailed(TidemarkError):
    """The disk did not take, or did not give, what was to be copied."""

    code: ClassVar[str] = "backup_failed"
    title: ClassVar[str] = "The backup could not be copied"


class BackupRefused(ConfigurationError):
    """The backup cannot be made, or used, here; nothing was changed."""

    code: ClassVar[str] = "backup_refused"
    title: ClassVar[str] = "This cannot be done"


@dataclass(frozen=True, kw_only=True)
class FileCopy:
    """A file of the backup, by its path in it."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TableShape:
    """A table, and what to read of it in which order."""

    schema: str
    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]  # the columns of its primary key; empty where it has none

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def rows_path(self) -> str:
        """Where its rows are in a backup."""
        schema, name = (quote(part, safe="").replace(".", "%2E") for part in (self.schema, self.name))
        return f"{DATABASE}/{schema}.{name}.copy.gz"


@dataclass(frozen=True, kw_only=True)
class TableCopy:
    """All rows of a table at the moment of the backup; size and hash are those of the rows as text, in their order."""

    shape: TableShape
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A sequence: it goes on after the number that it gave last."""

    schema: str
    name: str
    last: int | None  # none was given yet


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """What the database says of itself at one moment."""

    postgres: str
    migrations: tuple[str, ...]  # versions, in order
    tables: tuple[TableShape, ...]
    counters: tuple[Counter, ...]
    # Objects that no migration of ours made: their definitions are not in the backup.
    strangers: tuple[str, ...]
    # Fingerprints of the master keys that exchange keys are sealed under.
    masters: tuple[str, ...]
    exchange_keys: int
    # Files below the cache folder that rows name and that cannot be made again without work.
    named_files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DatabaseCopy:
    """The database in the backup."""

    facts: DatabaseFacts
    tables: tuple[TableCopy, ...]

    @property
    def size_bytes(self) -> int:
        return sum(table.size_bytes for table in self.tables)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True, kw_only=True)
class BackupManifest:
    """What makes a folder a backup. It is written last."""

    tidemark: str
    made_at: datetime
    database: DatabaseCopy | None  # none: a backup of files alone
    files: tuple[FileCopy, ...]
    format: int = field(default=FORMAT)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def to_text(self) -> str:
        body = asdict(self) | {"made_at": self.made_at.isoformat()}
        return json.dumps({"sha256": _digest(body), **body}, indent=1)


def unfinished(folder: Path) -> Path:
    """Where a folder is made until all of it is there."""
    return folder.parent / f"{folder.name}.unfinished"


def is_sound(path: str) -> bool:
    """Whether it stays below where it begins, is written as no other path is, and can be shown."""
    return (
        str(PurePosixPath(path)) == path
        and not path.startswith("/")
        and not {".", ".."}.intersection(path.split("/"))
        and _UNSHOWABLE.search(path) is None
    )


def require_known(wanted: Iterable[str], known: Iterable[str]) -> None:
    """Raises BackupRefused when the database in the backup has migrations that this version does not bring."""
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise BackupRefused(
            f"The database in this backup is newer than this version of Tidemark: it has {len(missing)}"
            f" migration{'s' if len(missing) > 1 else ''} that are not known here, the last one {missing[-1]}."
            " Restore it with the version that made it, or a newer one."
        )


def differences(one: Iterable[TableCopy], other: Iterable[TableCopy]) -> list[str]:
    """A line for each table that is not the same in both, the first being what is wanted."""
    wanted, found = ({str(table.shape): table for table in tables} for tables in (one, other))
    lines = []
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name} is not there ({wanted[name].rows:,} rows in the backup)")
        elif name not in wanted:
            lines.append(f"{name} is not in the backup ({found[name].rows:,} rows)")
        elif wanted[name].rows != found[name].rows:
            lines.append(f"{name} has {found[name].rows:,} rows, and {wanted[name].rows:,} in the backup")
        elif wanted[name].sha256 != found[name].sha256:
            lines.append(f"{name} has as many rows, {found[name].rows:,}, but they are not the same")
    return lines


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
