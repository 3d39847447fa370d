"""`backend.research` as a notebook uses it: the page about it and the examples of its docstrings run as they stand."""

import doctest
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backend import research
from backend.domain.errors import InvalidInput, TidemarkError
from backend.domain.market_errors import NoBars
from backend.domain.strategy_errors import MissingValues
from backend.research import (
    Bars,
    backtest,
    bars,
    load_bars,
    models,
    named,
    open_backtest,
    replay,
    running,
    saved,
    studying,
)
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


BARS = ("demo", "BTC/USDT", "1d", "2023", "2024")
# As a notebook has it, where nobody checks types.
clumsily: Any = research


@pytest.mark.parametrize(
    ("clumsy", "words"),
    [
        (
            lambda bars: clumsily.load_bars("demo", "BTC/USDT", 60, "2023", "2024"),
            "'60' is no timeframe. There are: 1m",
        ),
        (lambda bars: clumsily.load_bars("demo", 5, "1d", "2023", "2024"), "5 is no symbol"),
        (
            lambda bars: clumsily.load_bars("demo", "BTC/USDT", "1d", pd.NaT, "2024"),
            "'NaT' is no time such as 2024-01-01",
        ),
        (lambda bars: clumsily.load_bars("dem", "BTC/USDT", "1d"), "There is no provider 'dem'. There are: .*demo"),
        (
            lambda bars: clumsily.load_bars("yahoo", "SPY", "1d"),
            "tidemark data fetch --provider yahoo .* --start 2024-01-01`",
        ),
        (
            lambda bars: clumsily.load_bars("import", "OURS", "1d"),
            "`tidemark data import FILE --symbol OURS --timeframe 1d`",
        ),
        (lambda bars: clumsily.backtest(None, bars), "A strategy is a name, .* this is None"),
        (lambda bars: clumsily.backtest(dict, bars), "A strategy is a name, .* this is <class 'dict'>"),
        (lambda bars: clumsily.backtest("sma_cross", None), "Bars are what load_bars returns, .* of the type NoneType"),
        (lambda bars: clumsily.backtest("sma_cross", "BTC/USDT"), "of the type str"),
        (lambda bars: clumsily.backtest("sma_cross", []), "there are none here"),
        (lambda bars: clumsily.backtest("sma_cross", bars.frame["close"]), "of the type float"),
        (
            lambda bars: clumsily.backtest("sma_cross", bars.frame.rename(columns=str.upper)),
            "no column ts, open, .* it has TS,",
        ),
        (
            lambda bars: clumsily.backtest("sma_cross", bars.frame.astype({"ts": str})),
            r"Make times of it: frame\['ts'\] = ",
        ),
        (
            lambda bars: clumsily.backtest("sma_cross", bars.frame.head(1)),
            "from the times of 1 rows. At least 2 are needed",
        ),
        (lambda bars: clumsily.backtest("sma_cross", bars, ["fast"]), "parameters is of the type list"),
        (lambda bars: clumsily.backtest("sma_cross", bars, seed="x"), "seed is 'x'; it should be a valid integer"),
        (lambda bars: clumsily.backtest("sma_cross", bars, fee_bps=-5), r"^fee_bps is -5; it should be [^.]*\.$"),
        (lambda bars: clumsily.sweep("sma_cross", bars, [5, 10]), "ranges is of the type list"),
        (lambda bars: clumsily.sweep("sma_cross", bars, fast=[5, 10], seed=None), "seed is None"),
        (lambda bars: clumsily.train(None), "Bars are what load_bars returns"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(clumsy: Callable[[Bars], object], words: str) -> None:
    with pytest.raises(TidemarkError, match=words):
        clumsy(load_bars(*BARS))


def test_what_a_result_does_not_have_is_answered_with_what_it_has(tmp_path: Path) -> None:
    result = backtest("sma_cross", load_bars(*BARS))
    anything: Any = "pie"
    with pytest.raises(InvalidInput, match=r"There is no chart 'pie'. There are: equity, drawdown, months, trades"):
        result.plot(anything)
    with pytest.raises(InvalidInput, match=r"'pie' is no format of an export. There are: json, csv, parquet"):
        result.export(tmp_path / "out", anything)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InvalidInput, match=r"There is no check 'lookahead'. There are: look_ahead, "):
        result.ask(["lookahead"])
    assert [check.code for check in result.ask("costs").checks] == ["costs"]
    with pytest.raises(KeyError, match=r"There is no check 'lookahead'. There are: costs"):
        result.ask("costs")["lookahead"]


def test_a_strategy_is_found_by_a_path_too(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-strategy.md").read_text()
    [file, *_] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "far_below.py").write_text(file)
    bars = load_bars(*BARS)
    by_path = backtest(tmp_path / "far_below.py", bars)
    assert by_path.statistics == backtest(str(tmp_path / "far_below.py"), bars).statistics
