"""`tidemark backtest`: real processes on a folder of their own, without a server and without a database."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.serving import tidemark

DEMO = (
    "--provider",
    "demo",
    "--symbol",
    "BTC/USDT",
    "--timeframe",
    "1h",
    "--start",
    "2024-01-01",
    "--end",
    "2024-04-01",
)
RUN = ("backtest", "run", "--strategy", "sma_cross")

STRATEGY = '''
import numpy as np

from backend.domain.signals import Signals
from backend.domain.strategies.base import StrategyParameters, TradingStrategy, parameter


class Mine(TradingStrategy):
    """Does what the test wants."""

    name = "mine"

    class Parameters(StrategyParameters):
        period: int = parameter(10, title="Period", description="Bars", ge=1, le=100)

    def generate_signals(self, market):
        BODY
'''
IN_AND_OUT = "return Signals.of(np.arange(len(market)) // self.parameters.period % 2, bars=len(market))"


def command(cache: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tidemark(*arguments, TIDEMARK_CACHE_DIR=str(cache))
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def told(cache: Path, *arguments: str) -> Any:
    return json.loads(command(cache, *arguments, "--json").stdout)


def plugin(folder: Path, body: str = IN_AND_OUT) -> Path:
    path = folder / "mine.py"
    path.write_text(STRATEGY.replace("BODY", body))
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "bars.csv"
    command(tmp_path, "data", "fetch", *DEMO)
    command(tmp_path, "data", "export", "--symbol", "BTC/USDT", "--timeframe", "1h", "-o", str(file))
    return file


def test_a_run_is_kept_shown_replayed_exported_and_reported(tmp_path: Path) -> None:
    done = told(tmp_path, *RUN, "-p", "fast=10", *DEMO, "--fee-bps", "5", "--cash", "10000", "--save")
    run_id, statistics = done["id"], done["statistics"]
    assert statistics["trades"] > 3
    assert done["config"]["parameters"] == {"fast": 10}
    assert done["manifest"]["parameters"] == {"fast": 10, "slow": 50, "at_once": False}
    assert "simulated" in {note["code"] for note in done["notes"]}
    assert {check["verdict"] for check in done["trust"]["checks"]} <= {"good", "doubtful", "bad", "unknown"}

    (listed,) = told(tmp_path, "backtest", "list")["items"]
    assert (listed["id"], listed["trades"]) == (run_id, statistics["trades"])
    assert told(tmp_path, "backtest", "show", run_id[:18]) == done
    assert "Deepest drawdown" in command(tmp_path, "backtest", "show", run_id).stdout
    assert told(tmp_path, "backtest", "replay", run_id) == {"id": run_id, "same": True, "changes": []}

    page = tmp_path / "out.html"
    command(tmp_path, "backtest", "report", run_id, "-o", str(page))
    assert run_id in page.read_text()
    assert page.stat().st_size < 1_500_000
    assert "How far to trust it" in page.read_text()


def test_exports_give_the_same_numbers_again(tmp_path: Path) -> None:
    run_id = told(tmp_path, *RUN, *DEMO, "--slippage-bps", "3.3", "--save")["id"]
    for kind in ("json", "csv", "parquet"):
        files = told(tmp_path, "backtest", "export", run_id, "--format", kind, "-o", str(tmp_path / kind))["files"]
        assert len(files) == (1 if kind == "json" else 3)
    document = json.loads((tmp_path / "json" / f"{run_id}.json").read_text())
    for name in ("trades", "equity"):
        exact = pd.read_parquet(tmp_path / "parquet" / f"{run_id}-{name}.parquet")
        text = pd.read_csv(tmp_path / "csv" / f"{run_id}-{name}.csv")
        in_json = pd.DataFrame(document[name])
        for column in exact.select_dtypes("float64").columns:
            assert exact[column].tolist() == text[column].tolist() == in_json[column].tolist()
        for column in exact.select_dtypes("datetimetz").columns:
            assert exact[column].tolist() == pd.to_datetime(text[column], utc=True).tolist()
    equity = pd.read_parquet(tmp_path / "parquet" / f"{run_id}-equity.parquet")
    assert equity["equity"].iloc[-1] == document["statistics"]["end_equity"]


def test_replay_names_what_changed(tmp_path: Path, csv: Path) -> None:
    strategy = plugin(tmp_path)
    run = ("backtest", "run", "-s", str(strategy), "--file", str(csv), "--save")
    run_id = told(tmp_path, *run)["id"]
    assert "same" in command(tmp_path, "backtest", "replay", run_id).stdout

    plugin(tmp_path, IN_AND_OUT + "  # the same, in other words")
    changed = told(tmp_path, "backtest", "replay", run_id)
    assert changed["same"]
    assert "The source of the strategy mine changed" in changed["changes"][0]

    strategy.write_text(strategy.read_text().replace("parameter(10", "parameter(12"))
    words = command(tmp_path, "backtest", "replay", run_id, code=1).stdout
    assert "The parameter period changed: 10 then, 12 now." in words
    assert "The first difference is in trade 1: entry_time was" in words

    plugin(tmp_path)
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join(lines[:-5]) + "\n")
    words = command(tmp_path, "backtest", "replay", run_id, code=1).stdout
    assert "The bars of bars changed: 2,184 then" in words


def test_a_file_is_traded_like_the_bars_that_it_came_from(tmp_path: Path, csv: Path) -> None:
    from_cache = told(tmp_path, *RUN, *DEMO)
    from_file = told(tmp_path, *RUN, "--file", str(csv), "--symbol", "BTC/USDT", "--timeframe", "1h")
    (cached,), (read,) = from_cache["manifest"]["data"], from_file["manifest"]["data"]
    assert cached["content_hash"] == read["content_hash"]
    foreign = tmp_path / "foreign.csv"
    frame = pd.read_csv(csv)
    frame.columns = ["Date", "Open", "High", "Low", "Close", "Volume"]
    frame.to_csv(foreign, index=False, sep=";")
    again = told(tmp_path, *RUN, "--file", str(foreign))["manifest"]["data"][0]
    assert again["content_hash"] == read["content_hash"]


def test_several_symbols_and_shorter_bars(tmp_path: Path) -> None:
    done = told(tmp_path, "backtest", "run", "-s", "momentum_rank", "--symbol", "ETH/USDT", *DEMO)
    assert [one["symbol"] for one in done["manifest"]["data"]] == ["ETH/USDT", "BTC/USDT"]
    inside = told(tmp_path, *RUN, *DEMO, "--detail", "5m", "--stop-percent", "1", "--target-percent", "1", "--save")
    assert inside["manifest"]["data"][0]["detail_hash"]
    assert told(tmp_path, "backtest", "replay", inside["id"])["same"]


def test_a_gate_ends_with_6(tmp_path: Path) -> None:
    done = command(tmp_path, *RUN, *DEMO, "--fail-under", "sharpe=99", code=6)
    assert "--fail-under wants at least 99" in done.stderr
    assert "Sharpe" in done.stdout
    command(tmp_path, *RUN, *DEMO, "--fail-under", "trades=1")


def test_a_strategy_that_never_trades_says_so(tmp_path: Path, csv: Path) -> None:
    path = plugin(tmp_path, "return Signals.of(np.zeros(len(market), np.int8), bars=len(market))")
    done = command(tmp_path, "backtest", "run", "-s", str(path), "--file", str(csv))
    assert "mine gave no entry on 2,184 bars" in done.stdout
    command(tmp_path, "backtest", "run", "-s", str(path), "--file", str(csv), "--fail-under", "trades=1", code=6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--start", "2024-03-01", "--end", "2024-02-01"), 2, "lies before the start"),
        (("--start", "2024-03-01", "--end", "2024-03-01"), 2, "the range is empty"),
        (("--start", "2999-01-01", "--end", "2999-03-01"), 4, "lies in the future"),
        (("--end", "2024-01-02"), 4, "needs 50 bars before it can say anything; there are 24"),
        (("--strategy", "sma_cros"), 2, "Did you mean 'sma_cross'?"),
        (("-p", "fsat=10"), 2, "Did you mean 'fast'?"),
        (("-p", "fast=1"), 2, "fast is 1; at least 2 is needed."),
        (("-p", "fast=ten"), 2, "fast is 'ten'; a whole number is needed."),
        (("-p", "fast"), 2, "write it as NAME=VALUE"),
        (("--fail-under", "sharp=1"), 2, "there is no figure 'sharp'. Did you mean 'sharpe'?"),
        (("--fail-under", "sharpe=nan"), 2, "write it as STATISTIC=VALUE"),
        (("--strategy", "nowhere.py"), 2, "There is no file nowhere.py."),
        (("--leverage", "0"), 2, "leverage is 0.0; it should be greater than 0."),
        (("--sizing", "risk"), 2, "--size-percent"),
        (("--start", "soon"), 2, "'soon' is no time such as"),
        (("--timeframe", "7m"), 2, "'7m' is no timeframe. There are: 1m"),
        (("--symbol", "BTCUSDT"), 4, "Did you mean 'BTC/USDT'"),
        (("--provider", "crypto:binance"), 4, "`tidemark data fetch --provider crypto:binance --symbol BTC/USDT"),
        (("--report", "/nowhere/at/all.html"), 1, "/nowhere/at/all.html: No such file or directory"),
    ],
)
def test_bad_input_is_answered_by_a_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    given = [*RUN, *DEMO]
    if arguments[0] == "--symbol":
        given[given.index("--symbol") + 1] = arguments[1]
        arguments = ()
    assert words in command(tmp_path, *given, *arguments, code=code).stderr


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 1 / 0", "mine failed on 2,184 bars: ZeroDivisionError: division by zero (mine.py, line 17)"),
        ("return Signals.of(np.ones(5, np.int8), bars=5)", "5 values in the column direction for 2,184 bars"),
        ("raise SystemExit(0)", "mine failed on 2,184 bars: SystemExit: 0 (mine.py, line 17)"),
        ("return None", "mine returned NoneType for 2,184 bars"),
    ],
)
def test_a_strategy_that_fails_is_named(tmp_path: Path, csv: Path, body: str, words: str) -> None:
    assert (
        words
        in command(tmp_path, "backtest", "run", "-s", str(plugin(tmp_path, body)), "--file", str(csv), code=1).stderr
    )


def test_bad_files_are_named(tmp_path: Path, csv: Path) -> None:
    lines = csv.read_text().splitlines()
    cells = lines[100].split(",")
    holes = tmp_path / "holes.csv"
    holes.write_text("\n".join([*lines[:100], ",".join([*cells[:4], "", cells[5]]), *lines[101:]]) + "\n")
    run = (*RUN, "--timeframe", "1h", "--file")
    said = command(tmp_path, *run, str(holes), code=1).stderr
    assert "The column 'close'" in said
    assert "has 1 of 2,184 values that are missing or not finite, the first at row 99." in said
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")
    said = command(tmp_path, *run, str(swapped), code=1).stderr
    assert "its time is before that of the row before" in said
    assert "--accept-bad-rows" in said
    assert "There is no file" in command(tmp_path, *run, str(tmp_path / "none.csv"), code=1).stderr
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert "The file is empty" in command(tmp_path, *run, str(empty), code=1).stderr
    assert "Did you mean" in command(tmp_path, *run, str(csv), "--calendar", "XNYZ", code=4).stderr
    said = command(tmp_path, *run, str(csv), "--start", "2030-01-01", code=4).stderr
    assert "2,184 bars from 2024-01-01 00:00 to 2024-03-31 23:00 UTC, none of them from 2030-01-01" in said


def test_unknown_runs_and_damaged_ones(tmp_path: Path) -> None:
    assert "tidemark backtest list" in command(tmp_path, "backtest", "show", "../../etc", code=4).stderr
    assert "--save" in command(tmp_path, "backtest", "list").stdout
    run_id = told(tmp_path, *RUN, *DEMO, "--save")["id"]
    (tmp_path / "backtests" / run_id / "manifest.json").write_text("{")
    assert "cannot be read" in command(tmp_path, "backtest", "show", run_id, code=4).stderr
    assert [path.name for path in (tmp_path / "backtests").iterdir()] == [run_id]


def test_the_trust_panel_follows_the_figures(tmp_path: Path) -> None:
    wanted = ["backtest", "run", "-s", "sma_cross", "--symbol", "BTC/USDT", "--timeframe", "1d"]
    wanted += ["--start", "2022-01-01", "--end", "2024-01-01"]
    shown = tidemark(*wanted, data_dir=None, TIDEMARK_CACHE_DIR=str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert "\nTrust\n  good      Look-ahead: No signal changed" in shown.stdout
    document = json.loads(tidemark(*wanted, "--json", data_dir=None, TIDEMARK_CACHE_DIR=str(tmp_path)).stdout)
    assert document["trust"]["checks"][0]["code"] == "look_ahead"
    without = tidemark(*wanted, "--no-trust", data_dir=None, TIDEMARK_CACHE_DIR=str(tmp_path))
    assert "Look-ahead" not in without.stdout
