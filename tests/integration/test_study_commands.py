"""`tidemark backtest sweep|optimize|walk-forward|guard|compare`: real processes, without a server and a database."""

import json
from pathlib import Path

from backend.backtesting.study_documents import OptimisationDocument, WalkForwardDocument
from tests.integration.test_backtest_commands import RUN, command, plugin, told

BARS = ("--symbol", "BTC/USDT", "--timeframe", "4h", "--start", "2022-01-01", "--end", "2024-01-01")
TRIED = ("-s", "sma_cross", "-p", "fast=5:20:5", "-p", "slow=30,60,90", *BARS)


def test_a_sweep_is_judged_kept_and_shown(tmp_path: Path) -> None:
    done = command(tmp_path, "backtest", "sweep", *TRIED, "--save")
    assert "Probability of overfitting (PBO)" in done.stdout
    assert "Deflated Sharpe" in done.stdout
    assert "Median of all trials" in done.stdout
    assert "\nmiddle  " in done.stdout
    assert "12 of 12 trials, best" in done.stderr
    study_id = done.stderr.split("Saved as ")[1].split(".")[0]
    kept = told(tmp_path, "backtest", "show", study_id)
    assert kept["id"] == study_id
    assert kept["trials"] == kept["trials_in_family"] == 12
    shape = {name: value for name, value in kept.items() if name not in ("id", "saved_at", "config", "source")}
    OptimisationDocument.model_validate(shape)

    # What was tried counts against the next winner: a run of its own, and a search over the same ranges and more.
    single = told(tmp_path, *RUN, *BARS, "-p", "fast=7", "-p", "slow=77")
    deflated = next(each for each in single["trust"]["checks"] if each["code"] == "deflated")
    assert deflated["facts"]["trials"] == 13
    gate = ("--trials", "8", "--seed", "1", "--fail-under", "deflated_sharpe=1.1")
    searched = command(tmp_path, "backtest", "optimize", *TRIED, *gate, "--json", code=6)
    found = json.loads(searched.stdout)
    assert (found["kind"], found["trials"], found["trials_in_family"]) == ("optimize", 8, 13)
    assert "deflated_sharpe is too low" in searched.stderr


def test_a_walk_forward_has_its_folds(tmp_path: Path) -> None:
    walked = told(tmp_path, "backtest", "walk-forward", *TRIED, "--folds", "3", "--purge", "5")
    shape = {name: value for name, value in walked.items() if name not in ("id", "saved_at", "config", "source")}
    assert len(WalkForwardDocument.model_validate(shape).folds) == 3
    command(tmp_path, "backtest", "walk-forward", *TRIED, "--folds", "300", code=2)
    said = command(tmp_path, "backtest", "walk-forward", *TRIED, "--train", "9", code=2).stderr
    assert "Train and test belong together" in said


def test_nothing_to_try_is_said(tmp_path: Path) -> None:
    said = command(tmp_path, "backtest", "sweep", "-s", "sma_cross", "-p", "fast=5", *BARS, code=2).stderr
    assert "Nothing is tried" in said
    said = command(tmp_path, "backtest", "sweep", "-s", "sma_cross", "-p", "fast=9:5", *BARS, code=2).stderr
    assert "Turn it around" in said


def test_the_guard_ends_with_6_when_a_strategy_looks_ahead(tmp_path: Path) -> None:
    cheat = plugin(
        tmp_path, "return Signals.of((np.append(market.close[1:], 0) > market.close).astype(np.int8), bars=len(market))"
    )
    guarded = command(tmp_path, "backtest", "guard", "-s", str(cheat), *BARS, code=6)
    assert guarded.stdout.startswith("bad       Look-ahead")
    assert "It looks ahead." in guarded.stderr
    checks = told(tmp_path, "backtest", "guard", "-s", "sma_cross", *BARS)["checks"]
    assert [each["code"] for each in checks] == ["look_ahead", "recursive", "shuffled"]
    assert checks[0]["verdict"] == "good"


def test_saved_runs_are_compared(tmp_path: Path) -> None:
    ids = [told(tmp_path, *RUN, *BARS, "--fee-bps", fee, "--save", "--no-trust")["id"] for fee in ("1", "40")]
    words = command(tmp_path, "backtest", "compare", *ids).stdout
    assert "trading.costs.taker_bps" in words
    assert "B against A: worse." in words
    document = told(tmp_path, "backtest", "compare", *ids)
    assert [each["id"] for each in document["runs"]] == ids
    assert (
        "From 2 to 20 runs can be compared, not 1." in command(tmp_path, "backtest", "compare", ids[0], code=2).stderr
    )
