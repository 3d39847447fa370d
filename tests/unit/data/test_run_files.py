"""Results taken elsewhere: the same numbers when read again, and nothing that a spreadsheet would run."""

import io
import json
import zipfile

import pandas as pd
import pytest

from backend.data.run_files import zipped

TRADES = pd.DataFrame(
    {
        "symbol": ["=HYPERLINK(A1)", "+1", "-1", "@SUM(A1)", "BTC/USDT"],
        "entry_time": pd.to_datetime(["2024-01-01T00:00:00Z"] * 5),
        "pnl": [0.1, -1 / 3, 1e-300, 123456789.123456789, -0.0],
    }
)


def read(kind: str, name: str) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(zipped(kind, {"id": "run"}, {"trades": TRADES})))
    return archive.read(name)


def test_cells_that_a_spreadsheet_would_run_are_quoted() -> None:
    cells = pd.read_csv(io.BytesIO(read("csv", "backtest-trades.csv")))["symbol"].tolist()
    assert cells == ["'=HYPERLINK(A1)", "'+1", "'-1", "'@SUM(A1)", "BTC/USDT"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_are_the_same_when_they_are_read_again(kind: str) -> None:
    content = io.BytesIO(read(kind, f"backtest-trades.{kind}"))
    again = pd.read_csv(content, dtype={"pnl": str}) if kind == "csv" else pd.read_parquet(content)
    assert [float(value) for value in again["pnl"]] == TRADES["pnl"].tolist()


def test_the_document_lies_beside_the_tables() -> None:
    assert json.loads(read("csv", "backtest.json")) == {"id": "run"}
