"""The archive that somebody takes along, made over fakes."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from backend.domain.accounts import Identity
from backend.domain.own_data import Key, Noun, OwnPage, TablePiece
from backend.services.takeaway import Takeaway
from backend.services.zip_stream import ZipStream
from tests.fake_leaving import FakeOwnFiles
from tests.fakes import START, FakeClock

ADA = Identity(
    user_id=uuid4(),
    email="ada@example.com",
    is_admin=False,
    is_anonymous=False,
    session_id=uuid4(),
    expires_at=START + timedelta(hours=1),
    claims={},
)
SERIES = {"id": str(uuid4()), "provider": "import", "symbol": "A/B", "timeframe": "1d", "adjustment": "raw"}


class Shelf:
    """So many rows of each noun, one a page."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]], pieces: dict[str, list[TablePiece]]) -> None:
        self._rows, self._pieces = rows, pieces

    async def page(self, noun: Noun, after: Key | None) -> OwnPage:
        rows = self._rows.get(noun.name, [])
        place = 0 if after is None else int(str(after[0]))
        return OwnPage(
            rows=[json.dumps(row, ensure_ascii=False) for row in rows[place : place + 1]],
            next=(place + 1,) if place + 1 < len(rows) else None,
        )

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]:
        pieces = self._pieces.get(table, [])
        place = 0 if after is None else 1 + [(one.backtest_id, one.part) for one in pieces].index(after)  # type: ignore[arg-type]  # ids and numbers here
        return pieces[place : place + 1]


async def archive(shelf: Shelf) -> zipfile.ZipFile:
    whole = b"".join([piece async for piece in Takeaway(ADA, shelf, FakeOwnFiles(), FakeClock()).pieces()])
    return zipfile.ZipFile(io.BytesIO(whole))


def piece(part: int, content: bytes, backtest_id: UUID = ADA.user_id) -> TablePiece:
    return TablePiece(backtest_id=backtest_id, part=part, content=content)


async def test_rows_of_many_pages_are_one_document() -> None:
    made = await archive(Shelf({"tasks": [{"id": 1}, {"id": 2, "name": "Größe"}], "models": []}, {}))
    assert json.loads(made.read("tasks.json")) == [{"id": 1}, {"id": 2, "name": "Größe"}]
    assert json.loads(made.read("models.json")) == []
    manifest = json.loads(made.read("manifest.json"))
    assert (manifest["counts"]["tasks"], manifest["counts"]["models"]) == (2, 0)
    assert (manifest["email"], manifest["user_id"]) == ("ada@example.com", str(ADA.user_id))


async def test_pieces_of_a_table_are_one_file_with_one_header() -> None:
    made = await archive(Shelf({}, {"trades": [piece(0, b"a"), piece(1, b"b")], "trials": [piece(0, b"c")]}))
    rows = list(csv.DictReader(io.StringIO(made.read("trades.csv").decode())))
    assert [row["content"] for row in rows] == ["a", "b"]
    assert [json.loads(line) for line in made.read("trials.jsonl").splitlines()] == [{"content": "c"}]
    assert "equity.csv" not in made.namelist()
    assert json.loads(made.read("manifest.json"))["counts"]["trades"] == 2


async def test_what_is_gone_from_the_disk_is_named() -> None:
    models: list[dict[str, Any]] = [{"id": f"m{number}"} for number in (1, 2, 3)]
    for model, digest in zip(models, ("here", "gone", None), strict=True):
        model["file_sha256"] = digest
    made = await archive(Shelf({"models": models, "imported series": [SERIES]}, {}))
    folder = f"bars/A_B-1d-{SERIES['id'][:8]}"
    assert [name for name in made.namelist() if "/" in name] == ["models/m1.model", f"{folder}/2024.parquet"]
    left_out = json.loads(made.read("manifest.json"))["left_out"]
    assert [one.partition(":")[0] for one in left_out] == ["models/m2.model", f"{folder}/2025.parquet"]


def test_an_archive_without_its_end_is_none() -> None:
    made = ZipStream(START)
    made.add("a.txt", b"a" * 1000)
    broken = made.take()
    assert not zipfile.is_zipfile(io.BytesIO(broken))
    made.close()
    whole = zipfile.ZipFile(io.BytesIO(broken + made.take()))
    assert (whole.testzip(), whole.read("a.txt")) == (None, b"a" * 1000)
    assert whole.getinfo("a.txt").date_time == START.timetuple()[:6]
