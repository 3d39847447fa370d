"""The audit log as a file, written piece by piece: CSV, JSON and Parquet, none of which is ever whole in memory."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.data.run_files import harmless
from backend.domain.admin_ports import AuditFile
from backend.domain.administration import AuditLine

COLUMNS = tuple(field.name for field in fields(AuditLine))


def file_of(file_format: str) -> AuditFile:
    match file_format:
        case "csv":
            return CsvFile()
        case "json":
            return JsonFile()
        case _:
            return ParquetFile()


class CsvFile:
    """Times in ISO UTC, details as JSON, and no cell that a spreadsheet would run."""

    def __init__(self) -> None:
        self._has_begun = False

    def add(self, lines: Sequence[AuditLine]) -> bytes:
        text = io.StringIO()
        # All of them: a carriage return alone would end a row, and what follows it would begin a cell.
        rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if not self._has_begun:
            rows.writerow(COLUMNS)
            self._has_begun = True
        rows.writerows([harmless(value) for value in _plain(line).values()] for line in lines)
        return text.getvalue().encode()

    def end(self) -> bytes:
        return b""


class JsonFile:
    """One list of objects, a line each."""

    def __init__(self) -> None:
        self._has_begun = False

    def add(self, lines: Sequence[AuditLine]) -> bytes:
        pieces = []
        for line in lines:
            pieces.append(",\n" if self._has_begun else "[\n")
            pieces.append(json.dumps({**_plain(line), "details": dict(line.details)}))
            self._has_begun = True
        return "".join(pieces).encode()

    def end(self) -> bytes:
        return b"\n]\n" if self._has_begun else b"[]\n"


class ParquetFile:
    """A row group for each piece; every column is text, but for the time."""

    def __init__(self) -> None:
        self._schema = pa.schema(
            [(name, pa.timestamp("us", tz="UTC") if name == "at" else pa.string()) for name in COLUMNS]
        )
        self._written = _Taken()
        self._file = pq.ParquetWriter(self._written, self._schema, compression="zstd")

    def add(self, lines: Sequence[AuditLine]) -> bytes:
        rows = [{**_plain(line), "at": line.at} for line in lines]
        if rows:
            self._file.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        return self._written.take()

    def end(self) -> bytes:
        self._file.close()
        return self._written.take()


class _Taken(io.RawIOBase):
    """A file that is handed out as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._pieces.append(content)
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole


def _plain(line: AuditLine) -> dict[str, str | None]:
    return {
        **{name: None if value is None else str(value) for name, value in vars(line).items()},
        "at": f"{line.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "details": json.dumps(dict(line.details), ensure_ascii=False),
    }
