"""The code of the how-to runs as it stands there."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from backend.backtesting.ledger import Family, Ledger
from tests.market_bars import walk

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "optimise-a-strategy.md"


def test_the_code_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEMARK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TIDEMARK_ENV_FILE", "")
    walk(24 * 150).to_csv("mine.csv", index=False)
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    for word in ("combinations=100", "deflated_sharpe", "overfitting", "efficiency", "slow"):
        assert word in said
    assert names["found"].judgement["trials"] == 100 - names["found"].skipped
    size = Ledger(tmp_path / "ledger").size(Family(strategy="sma_cross", symbol="MINE"))
    assert size.trials >= len(names["found"].trials) + names["walk"].trials
    assert os.listdir(tmp_path / "ledger")
