"""The audit log as a file: whole in any number of pieces, also when there is nothing in it, and harmless to open."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from backend.data.audit_files import file_of
from backend.domain.administration import AuditActor, AuditLine

AT = datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC)
COLUMNS = [field.name for field in fields(AuditLine)]


def a_line(number: int, **changes: Any) -> AuditLine:
    values: dict[str, Any] = {
        "id": UUID(int=number),
        "at": AT - timedelta(seconds=number),
        "actor": AuditActor.ADMIN,
        "actor_id": UUID(int=1),
        "actor_email": "grace@example.com",
        "action": "user.suspend",
        "subject_id": UUID(int=2),
        "subject_email": None,
        "object": None,
        "address": "192.0.2.7",
        "session_id": None,
        "details": {"hours": 24},
        "reason": "Floods the queue, again.",
    }
    return AuditLine(**{**values, **changes})


def written(file_format: str, pieces: Sequence[Sequence[AuditLine]]) -> list[dict[str, Any]]:
    """What somebody reads who opens the file."""
    file = file_of(file_format)
    content = b"".join([*(file.add(piece) for piece in pieces), file.end()])
    match file_format:
        case "csv":
            return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        case "json":
            found: list[dict[str, Any]] = json.loads(content)
            return found
        case _:
            return list(pq.read_table(io.BytesIO(content)).to_pylist())


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_every_line_is_there_with_all_its_columns_whatever_the_pieces(file_format: str) -> None:
    lines = [a_line(number) for number in range(5)]
    for pieces in ([lines], [lines[:2], lines[2:4], lines[4:]], [lines, []]):
        rows = written(file_format, pieces)
        assert [row["id"] for row in rows] == [str(line.id) for line in lines]
        assert list(rows[0]) == COLUMNS
        assert (rows[0]["actor"], rows[0]["reason"]) == ("admin", "Floods the queue, again.")
        assert rows[0]["subject_email"] in ("", None)


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_a_log_without_lines_is_a_file_without_lines(file_format: str) -> None:
    assert written(file_format, [[]]) == []


@pytest.mark.parametrize(
    ("file_format", "at", "details"),
    [
        ("csv", "2026-11-20T09:30:00.123456Z", '{"hours": 24}'),
        ("json", "2026-11-20T09:30:00.123456Z", {"hours": 24}),
        ("parquet", AT, '{"hours": 24}'),
    ],
)
def test_times_are_exact_and_details_are_json(file_format: str, at: object, details: object) -> None:
    [row] = written(file_format, [[a_line(0)]])
    assert (row["at"], row["details"]) == (at, details)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_one_that_a_spreadsheet_would_run(begins: str) -> None:
    """An address may begin like a formula too: it is whatever somebody signed up with."""
    formula = f"{begins}cmd|' /C calc'!A0"
    [row] = written("csv", [[a_line(0, reason=formula, actor_email=formula, object=f"x{formula}")]])
    shown = formula.replace("\r", "\n")  # it would begin a row
    assert [row[name] for name in ("reason", "actor_email", "object")] == [f"'{shown}", f"'{shown}", f"x{shown}"]


def test_a_piece_of_a_file_holds_no_more_than_its_lines() -> None:
    """What was handed out is not kept."""
    for file_format in ("csv", "json", "parquet"):
        file = file_of(file_format)
        sizes = [len(file.add([a_line(number) for number in range(200)])) for _ in range(4)]
        assert max(sizes[1:]) - min(sizes[1:]) < 2_000, file_format
