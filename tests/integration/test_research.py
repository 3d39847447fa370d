"""`backend.research` as a notebook uses it: the page about it and the examples of its docstrings run as they stand."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from backend import research
from backend.domain.errors import InvalidInput
from backend.domain.market_errors import NoBars
from backend.domain.strategy_errors import MissingValues
from backend.research import backtest, bars, load_bars, models, named, open_backtest, replay, running, saved, studying
from tests.serving import ROOT, environment

PAGE = ROOT / "docs" / "how-to" / "research-from-a-notebook.md"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TIDEMARK_ENV_FILE", "")


def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(snippets) == 6
    for snippet in snippets:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", snippet],
            cwd=tmp_path,
            env=environment(TIDEMARK_CACHE_DIR=str(tmp_path / "cache"), PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, snippet + done.stderr
    assert (tmp_path / "report.html").exists()


def test_the_examples_of_the_docstrings_hold() -> None:
    tried = [
        doctest.testmod(each, extraglobs=vars(research)) for each in (research, bars, models, named, running, studying)
    ]
    assert sum(each.attempted for each in tried) >= 10
    assert not any(each.failed for each in tried)


def test_importing_it_costs_next_to_nothing() -> None:
    listing = "import sys, backend.research; print([n for n in ('pandas', 'numba', 'pydantic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_run_over_a_file_imports_no_more_than_it_uses(tmp_path: Path) -> None:
    load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-02").frame.to_parquet(tmp_path / "bars.parquet")
    program = (
        "import sys; from backend.research import backtest, load_bars;"
        f" r = backtest('sma_cross', load_bars({str(tmp_path / 'bars.parquet')!r}, timeframe='1h'));"
        " heavy = ('talib', 'ccxt', 'fastapi', 'pydantic_settings', 'exchange_calendars', 'yfinance', 'rich');"
        " print(r.statistics['trades'], [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" []\n"), done.stdout


def test_it_shows_itself() -> None:
    result = backtest("sma_cross", load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-04"))
    assert "Deepest drawdown" in repr(result)
    assert "<svg" in result._repr_html_()
    assert "<svg" in result.plot("trades")._repr_html_()
    assert "<table" in result.plot("months")._repr_html_()
    table = result.to_frame()
    assert table.loc["trades", "value"] == result.statistics["trades"]
    assert (table.loc[list(result.missing), "missing"] != "").all()


def test_a_stored_run_is_the_run() -> None:
    result = backtest("sma_cross", load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-04"), fee_bps=3)
    run_id = result.save()
    again = open_backtest(run_id)
    assert again.statistics == result.statistics
    pd.testing.assert_frame_equal(again.trades, result.trades, check_dtype=False)
    pd.testing.assert_frame_equal(again.equity, result.equity)
    assert again.report_html() == result.report_html()
    assert list(saved()["id"]) == [run_id]
    assert replay(run_id).same


def test_a_report_is_a_page_and_a_file(tmp_path: Path) -> None:
    result = backtest("sma_cross", load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-03"))
    written = result.report(tmp_path / "report.html")
    assert result.report_html(tmp_path / "again.html") == result.report_html() == written.read_text("utf-8")
    assert (tmp_path / "again.html").read_bytes() == written.read_bytes()


def test_a_frame_is_enough() -> None:
    frame = load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-03").frame
    assert len(backtest("sma_cross", frame).trades) == len(backtest("sma_cross", frame.set_index("ts")).trades) > 0
    holes = frame.copy()
    holes.loc[7, "low"] = None
    with pytest.raises(MissingValues, match="The column 'low' of the frame"):
        backtest("sma_cross", holes)
    with pytest.raises(NoBars):
        backtest("sma_cross", frame.iloc[:0])


def test_names_that_mean_two_things_are_asked_about() -> None:
    bars = load_bars("demo", "BTC/USDT", "1h", "2024-01", "2024-03")
    rules = {"long": {"enter": {"op": ">", "left": {"price": "close"}, "right": 1}}, "stop_percent": 3}
    assert len(backtest("rules", bars, {"rules": rules}, stop_percent=5).trades) > 0
    with pytest.raises(InvalidInput, match="is no time such as"):
        load_bars("demo", "BTC/USDT", "1h", "yesterday")
