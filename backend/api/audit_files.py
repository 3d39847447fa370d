"""The audit log as a file, written piece by piece: CSV, JSON and Parquet, none of which is ever whole in memory."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Protocol

from backend.domain.administration import AuditLine

COLUMNS = tuple(field.name for field in fields(AuditLine))
MEDIA: Mapping[str, str] = MappingProxyType(
    {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
)
# What a spreadsheet would run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class FileOf(Protocol):
    """A file that grows: what each call returns is the next piece of it."""

    def add(self, lines: Sequence[AuditLine]) -> bytes: ...

    def end(self) -> bytes: ...


def writer_of(file_format: str) -> FileOf:
    return {"csv": CsvFile, "json": JsonFile, "parquet": ParquetFile}[file_format]()


class CsvFile:
    """Times in ISO UTC, details as JSON, and no cell that a spreadsheet would run."""

    def __init__(self) -> None:
        self._has_begun = False

    def add(self, lines: Sequence[AuditLine]) -> bytes:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        if not self._has_begun:
            rows.writerow(COLUMNS)
            self._has_begun = True
        rows.writerows([_harmless(value) for value in _plain(line).values()] for line in lines)
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
        import pyarrow as pa  # noqa: PLC0415 - loaded by who exports
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._arrow = pa
        self._schema = pa.schema(
            [(name, pa.timestamp("us", tz="UTC") if name == "at" else pa.string()) for name in COLUMNS]
        )
        self._written = _Taken()
        self._file = pq.ParquetWriter(self._written, self._schema, compression="zstd")

    def add(self, lines: Sequence[AuditLine]) -> bytes:
        rows = [{**_plain(line), "at": line.at} for line in lines]
        if rows:
            self._file.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))
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


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text
