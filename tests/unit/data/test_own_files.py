"""What one person has on the disk goes as a whole, and nobody else's with it."""

import base64
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

from backend.data.bar_files import TableFiles
from backend.data.model_files import FolderModelFiles
from backend.data.own_files import FolderOwnFiles
from backend.data.run_tables import ParquetTables
from backend.data.storage.bars import ParquetBarStore
from backend.domain.own_data import TablePiece
from tests.fake_model_files import FakeModelFiles
from tests.fakes import FakeClock

ADA, EVE = uuid4(), uuid4()


@pytest.fixture
def files(tmp_path: Path) -> FolderOwnFiles:
    clock = FakeClock()
    return FolderOwnFiles(
        tmp_path, ParquetBarStore(tmp_path, clock), TableFiles(tmp_path), FolderModelFiles(tmp_path, clock)
    )


@pytest.mark.parametrize("place", ["bars/private", "quarantine/private", "uploads", "models", "something-new"])
def test_it_goes_from_every_kind_of_folder(tmp_path: Path, files: FolderOwnFiles, place: str) -> None:
    for who in (ADA, EVE):
        (tmp_path / place / str(who) / "deep").mkdir(parents=True)
        (tmp_path / place / str(who) / "deep" / "data").write_bytes(b"12345")
    assert files.used_bytes(ADA) == 5
    files.remove(ADA)
    assert files.used_bytes(ADA) == 0
    assert [path.name for path in (tmp_path / place).iterdir()] == [str(EVE)]
    files.remove(ADA)


def test_models_go_from_wherever_they_are_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    elsewhere = FakeModelFiles(clock)
    mine, other = elsewhere.keep(ADA, b"trees"), elsewhere.keep(EVE, b"trees")
    files = FolderOwnFiles(tmp_path, ParquetBarStore(tmp_path, clock), TableFiles(tmp_path), elsewhere)
    assert files.model(ADA, mine) == b"trees"
    files.remove(ADA)
    assert files.model(ADA, mine) is None
    assert files.model(EVE, other) == b"trees"


def test_a_link_is_removed_and_what_it_leads_to_stays(tmp_path: Path, files: FolderOwnFiles) -> None:
    other = tmp_path / "models" / str(EVE)
    other.mkdir(parents=True)
    (other / "data").write_bytes(b"12345")
    (tmp_path / "models" / str(ADA)).symlink_to(other)
    files.remove(ADA)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [str(EVE)]
    assert (other / "data").read_bytes() == b"12345"


def test_a_table_becomes_rows_that_no_spreadsheet_runs(files: FolderOwnFiles) -> None:
    rows = pd.DataFrame({"symbol": ["=1+1", "BTC"], "pnl": [0.1, -2.0]})
    (part,) = ParquetTables().packed("trials", rows)
    piece = TablePiece(backtest_id=ADA, part=0, content=base64.b64decode(part["content"]))
    assert files.csv(piece) == ('"backtest_id","symbol","pnl"\n', f'"{ADA}","\'=1+1",0.1\n"{ADA}","BTC",-2\n')
    lines = files.json_lines(piece)
    assert lines is not None
    assert lines.splitlines()[1] == f'{{"backtest_id":"{ADA}","symbol":"BTC","pnl":-2.0}}'


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100])
def test_a_damaged_piece_is_none(files: FolderOwnFiles, content: bytes) -> None:
    piece = TablePiece(backtest_id=ADA, part=0, content=content)
    assert (files.csv(piece), files.json_lines(piece)) == (None, None)
