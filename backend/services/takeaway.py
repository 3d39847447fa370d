"""All data of one person as one ZIP, made while it is read: page by page, with no transaction open in between."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from backend.domain.accounts import Identity
from backend.domain.market import Adjustment, Series, Timeframe
from backend.domain.own_data import MANIFEST, NOUNS, README, TABLES, Key, Noun, OwnPage, TablePiece
from backend.domain.own_data_ports import OwnFiles
from backend.domain.ports import Clock
from backend.services.zip_stream import ZipStream


class Reading(Protocol):
    """One page in a transaction of its own; raises AccountSuspended once the account may not be here any more."""

    async def page(self, noun: Noun, after: Key | None) -> OwnPage: ...

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]: ...


class Takeaway:
    """Used once. Whoever takes its pieces slowly holds one page in memory, and nothing else."""

    def __init__(self, identity: Identity, reading: Reading, files: OwnFiles, clock: Clock) -> None:
        self._identity = identity
        self._reading = reading
        self._files = files
        self._now = clock.now()
        self._zip = ZipStream(self._now)
        self._counts: dict[str, int] = {}
        self._left_out: list[str] = []

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        self._zip.add(README, readme().encode())
        for noun in NOUNS:
            async for piece in self._noun(noun):
                yield piece
        for table in TABLES:
            async for piece in self._table(table):
                yield piece
        self._zip.add(MANIFEST, json.dumps(self._manifest(), ensure_ascii=False, indent=1).encode())
        self._zip.close()
        yield self._zip.take()

    async def _noun(self, noun: Noun) -> AsyncGenerator[bytes, None]:
        """Its file; then the files that its rows tell of, read once more, since an archive has one file open."""
        count = 0
        self._zip.begin(noun.file)
        async for rows in self._pages(noun):
            await asyncio.to_thread(self._write_rows, rows, is_first=count == 0)
            count += len(rows)
            yield self._zip.take()
        self._zip.write(b"\n]\n" if count else b"[]\n")
        self._zip.end()
        self._counts[noun.name] = count
        files_of = self._files_of(noun)
        if files_of is None:
            return
        async for rows in self._pages(noun):
            for row in rows:
                files = files_of(json.loads(row))
                while await asyncio.to_thread(self._add_next, files):
                    yield self._zip.take()

    async def _pages(self, noun: Noun) -> AsyncIterator[Sequence[str]]:
        after: Key | None = None
        while True:
            page = await self._reading.page(noun, after)
            if page.rows:
                yield page.rows
            if page.next is None:
                return
            after = page.next

    def _write_rows(self, rows: Sequence[str], *, is_first: bool) -> None:
        for number, row in enumerate(rows):
            self._zip.write((b"[\n" if is_first and number == 0 else b",\n") + row.encode())

    def _files_of(self, noun: Noun) -> "Callable[[Mapping[str, Any]], _Files] | None":
        return {"public.models": self._of_model, "public.series": self._of_series}.get(noun.source)

    def _of_model(self, row: Mapping[str, Any]) -> "_Files":
        if row["file_sha256"] is not None:
            yield f"models/{row['id']}.model", self._files.model(self._identity.user_id, row["file_sha256"]), False

    def _of_series(self, row: Mapping[str, Any]) -> "_Files":
        series = Series(
            provider=row["provider"],
            symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]),
            adjustment=Adjustment(row["adjustment"]),
            owner=self._identity.user_id,
        )
        symbol = "".join(one if one.isalnum() else "_" for one in series.symbol)
        # Two symbols may look alike once they are names of folders.
        folder = f"bars/{symbol}-{series.timeframe}-{row['id'][:8]}"
        for year, bars in self._files.bars(series):
            yield f"{folder}/{year}.parquet", bars, True

    def _add_next(self, files: "_Files") -> bool:
        found = next(files, None)
        if found is None:
            return False
        name, content, is_packed = found
        if content is None:
            self._left_out.append(f"{name}: it is gone or damaged on the disk of the server.")
        else:
            self._zip.add(name, content, is_packed=is_packed)
        return True

    async def _table(self, table: str) -> AsyncGenerator[bytes, None]:
        header, rows, number, after = "", 0, 0, None
        while pieces := await self._reading.pieces(table, after):
            for piece in pieces:
                unpacked = await asyncio.to_thread(self._text_of, table, piece)
                if unpacked is None:
                    self._left_out.append(f"{table} of the backtest {piece.backtest_id}: a piece of them is damaged.")
                    continue
                found, text = unpacked
                if not number or found != header:  # tables of another shape go into a file of their own
                    number, header = number + 1, found
                    self._zip.end()
                    self._zip.begin(_file_of(table, number))
                    self._zip.write(header.encode())
                await asyncio.to_thread(self._zip.write, text.encode())
                rows += text.count("\n")
                yield self._zip.take()
            after = (pieces[-1].backtest_id, pieces[-1].part)
        self._zip.end()
        self._counts[table] = rows

    def _text_of(self, table: str, piece: TablePiece) -> tuple[str, str] | None:
        if table != "trials":
            return self._files.csv(piece)
        lines = self._files.json_lines(piece)
        return None if lines is None else ("", lines)

    def _manifest(self) -> Mapping[str, object]:
        return {
            "format": "tidemark-export",
            "version": 1,
            "made_at": self._now.isoformat(),
            "user_id": str(self._identity.user_id),
            "email": self._identity.email,
            "counts": self._counts,
            "left_out": self._left_out,
        }


_Files = Iterator[tuple[str, bytes | None, bool]]


def _file_of(table: str, number: int) -> str:
    ending = "jsonl" if table == "trials" else "csv"
    return f"{table}.{ending}" if number == 1 else f"{table}-{number}.{ending}"


def readme() -> str:
    """In plain words, for who finds the archive in ten years."""
    rows = [(noun.file, noun.about) for noun in NOUNS] + [(_file_of(name, 1), about) for name, about in TABLES.items()]
    files = "\n".join(f"{file}\n    {about}" for file, about in rows)
    return f"""Your data from Tidemark

This archive holds what Tidemark keeps for your account, as files that other programs read: JSON, CSV and Parquet.
{MANIFEST} says when it was made and how many of each there are. It was read while you could go on working, so what
changed meanwhile may be there as it was before or after. Times are in UTC.

{files}

Not in here: passwords, the secrets of exchange keys, access tokens and links themselves, since Tidemark does not have
them or never gives them out; bars that everybody shares; files that were uploaded and not imported, which go after a
day; and what administrators did, in the audit log of the installation.
"""
