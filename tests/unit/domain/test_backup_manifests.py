"""A manifest that a stranger made up is refused in words, whatever is in it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.domain.backup_manifests import read_manifest
from backend.domain.backups import (
    BackupDamaged,
    BackupManifest,
    BackupRefused,
    Counter,
    DatabaseCopy,
    DatabaseFacts,
    FileCopy,
    TableCopy,
    TableShape,
    is_sound,
)

HASH = "a" * 64
NOTES = TableShape(schema="public", name="notes", columns=("id",), order=("id",))
TASKS = TableShape(schema="public", name="tasks", columns=("id",), order=("id",))
FACTS = DatabaseFacts(
    postgres="17",
    migrations=("1",),
    tables=(NOTES,),
    counters=(Counter(schema="public", name="ids", last=7),),
    strangers=(),
    masters=(),
    exchange_keys=0,
    named_files=(),
)
ROWS = TableCopy(shape=NOTES, rows=1, size_bytes=2, sha256=HASH)
MANIFEST = BackupManifest(
    tidemark="0.1.0",
    made_at=datetime(2026, 11, 27, tzinfo=UTC),
    database=DatabaseCopy(facts=FACTS, tables=(ROWS,)),
    files=(
        FileCopy(path="cache/models/a.model", size_bytes=1, sha256=HASH),
        FileCopy(path=NOTES.rows_path, size_bytes=1, sha256=HASH),
        FileCopy(path="operator.conf", size_bytes=1, sha256=HASH),
    ),
)
TEXT = MANIFEST.to_text()


def test_what_was_written_is_read() -> None:
    assert read_manifest(TEXT) == MANIFEST
    alone = replace(MANIFEST, database=None, files=MANIFEST.files[:1])
    assert read_manifest(alone.to_text()) == alone


MADE_UP = [
    "",
    "null",
    "[]",
    "7",
    "[" * 100_000,
    '{"a":' * 100_000,
    TEXT[:-20],
    TEXT.replace('"rows": 1', '"rows": Infinity'),
    TEXT.replace('"rows": 1', '"rows": NaN'),
    TEXT.replace('"rows": 1', '"rows": ' + "9" * 5000),
    TEXT.replace('"rows": 1', '"rows": "1"'),
    TEXT.replace('"rows": 1', '"rows": 1.0'),
    TEXT.replace('"rows": 1', '"rows": 2'),
    TEXT.replace('"rows": 1', '"rows": 1, "more": 1'),
    TEXT.replace('"rows": 1', '"rows": 1, "rows": 1'),
    TEXT.replace('"rows": 1,', ""),
    TEXT.replace("a.model", "\\ud800"),
    TEXT.replace("a.model", "\ud800"),
    TEXT.replace("2026-11-27", "2026-13-27"),
    TEXT.replace('"format": 2', '"format": true'),
    f"{TEXT} ",
]


@pytest.mark.parametrize("number", range(len(MADE_UP)))
def test_a_manifest_that_tidemark_did_not_write_is_refused(number: int) -> None:
    with pytest.raises(BackupDamaged, match=r"cannot be read|was changed since it was written"):
        read_manifest(MADE_UP[number])


@pytest.mark.parametrize(("kind", "next_step"), [(1, "Use that version."), (3, "Use that version or a newer one.")])
def test_a_manifest_of_another_format_names_who_reads_it(kind: int, next_step: str) -> None:
    with pytest.raises(BackupRefused, match=f"in format {kind}; this version reads 2") as refused:
        read_manifest(json.dumps({"format": kind, "tidemark": "0.0.9", "members": "of its own"}))
    assert refused.value.detail.endswith(next_step)


PATHS = [
    "../x",
    "cache/../x",
    "/etc/passwd",
    "cache//tmp/x",
    "cache/./x",
    "cache/x/",
    "cache/",
    "cache",
    "",
    ".",
    "//x",
]
UNSHOWABLE = ["cache/\0", "cache/a\nb", "cache/\x1b[2J", "cache/\x9b2J", "cache/\x7f"]


@pytest.mark.parametrize("path", [*PATHS, *UNSHOWABLE, "secrets/auth.json", "manifest.json", "operator.conf/x"])
def test_a_manifest_names_nothing_outside_of_the_backup(path: str) -> None:
    with pytest.raises(BackupDamaged, match=r"is none below its folder|is no part of a backup"):
        read_manifest(with_files(FileCopy(path=path, size_bytes=1, sha256=HASH)))


@pytest.mark.parametrize("path", ["cache/x", "cache/..x/.y", "cache/Ünïcode %20", "a"])
def test_ordinary_names_are_sound(path: str) -> None:
    assert is_sound(path)
    assert not is_sound(f"{path}/\udcff")
    assert not is_sound(f"/{path}")


def with_files(*files: FileCopy) -> str:
    return replace(MANIFEST, files=(*MANIFEST.files, *files)).to_text()


@pytest.mark.parametrize(
    "member", [{"size_bytes": -1}, {"size_bytes": 10**4000}, {"sha256": "b"}, {"sha256": "A" * 64}]
)
def test_a_file_has_a_size_and_a_hash(member: dict[str, Any]) -> None:
    with pytest.raises(BackupDamaged, match="has no size and hash"):
        read_manifest(with_files(replace(MANIFEST.files[0], path="cache/x", **member)))


def with_database(copy: Callable[[DatabaseCopy], DatabaseCopy]) -> str:
    assert MANIFEST.database is not None
    return replace(MANIFEST, database=copy(MANIFEST.database)).to_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_files(MANIFEST.files[0]), "a.model is named twice"),
        (with_files(FileCopy(path=TASKS.rows_path, size_bytes=1, sha256=HASH)), "not those that it has files of"),
        (replace(MANIFEST, database=None).to_text(), "not those that it has files of"),
        (replace(MANIFEST, files=()).to_text(), "not those that it has files of"),
        (replace(MANIFEST, made_at=datetime(2026, 1, 1)).to_text(), "is not in UTC"),  # noqa: DTZ001 - that is the fault
        (with_database(lambda copy: replace(copy, tables=())), "not those that"),
        (with_database(lambda copy: replace(copy, facts=replace(FACTS, tables=()))), "not those that the database had"),
        (
            with_database(lambda _: DatabaseCopy(facts=replace(FACTS, tables=(NOTES, NOTES)), tables=(ROWS, ROWS))),
            "the table database/public.notes.copy.gz is named twice",
        ),
        (with_database(lambda copy: replace(copy, tables=(replace(ROWS, size_bytes=-1),))), "notes has no size"),
        (
            with_database(
                lambda copy: replace(copy, facts=replace(FACTS, counters=(Counter(schema="a", name="b", last=2**63),)))
            ),
            "the counter a.b is out of bounds",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_not_believed(text: str, said: str) -> None:
    with pytest.raises(BackupDamaged, match=said):
        read_manifest(text)


def test_names_with_dots_have_files_of_their_own() -> None:
    shapes = [replace(NOTES, schema="a.b", name="c"), replace(NOTES, schema="a", name="b.c")]
    assert len({shape.rows_path for shape in shapes}) == 2
