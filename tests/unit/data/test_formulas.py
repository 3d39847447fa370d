"""No cell of an export is a formula: what a spreadsheet would run is shown as the text that it is."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from backend.data.run_files import write_csv

FORMULAS = (
    "=1+1",
    "+1",
    "-cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1+1",
    "\n=1+1",
    "\u3000=1",
    "\uff1d1+1",
    '=HYPERLINK("https://evil.example","x")',
)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_shown_and_not_run(tmp_path: Path, text: str) -> None:
    write_csv(pd.DataFrame({"reason": [text], "pnl": [-1.5]}), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {"reason": f"'{text}".replace("\r", "\n"), "pnl": "-1.5"}


@pytest.mark.parametrize("text", ["BTC/USDT", "2024-01-01", "a=b", "Crossed above -2%", "one\ntwo"])
def test_other_text_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    write_csv(pd.DataFrame({"reason": [text]}), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == [text]


def test_a_carriage_return_begins_no_row(tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"reason": ["harmless\r=1+1"]}), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["harmless\n=1+1"]
