"""`tidemark model`: real processes on a folder of their own, without a server and without a database."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.integration.test_backtest_commands import command, told
from tests.market_bars import bars_at, walk

BRIEF = ("--horizon", "4", "--rounds", "12", "--patience", "6", "--folds", "2", "--threads", "1")
SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1h", "--start", "2024-01-01")
DAYS = (*SERIES, "--end", "2024-03-15")
LATER = (*SERIES, "--end", "2024-04-15")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return written(tmp_path / "walk.parquet", walk(1_800))


def written(path: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(path)
    return path


def places(cache: Path) -> Mapping[str, str]:
    return {one["id"]: one["state"] for one in told(cache, "model", "list")["items"]}


def test_a_model_is_trained_kept_asked_judged_and_promoted(tmp_path: Path) -> None:
    trained = told(tmp_path, "model", "train", *DAYS, *BRIEF)
    first, card = trained["id"], trained["card"]
    assert trained["state"] == "champion"
    assert card["question"] == "direction:4"
    assert card["file"]["bytes"] > 10_000
    assert card["made"]["threads"] == 1

    said = command(tmp_path, "model", "show", first[:17]).stdout
    assert card["verdict"]["headline"] in said
    assert said.startswith("direction:4 on BTC/USDT, 1h (simulated)")
    assert "After costs of 15 bps at the entry and again at the exit." in said
    assert "are sold short" in said
    # One sign for minus in what people read.
    assert not re.search(r"(?<![\w-])-\d", said)

    # The champion answers without being trained again; the same bars give the same answer.
    asked = command(tmp_path, "model", "predict", *DAYS, *BRIEF, "--json")
    assert "fold" not in asked.stderr
    prediction = json.loads(asked.stdout)
    assert prediction["model_id"] == first
    assert prediction["as_of"] == "2024-03-15T00:00:00+00:00"
    assert 0 < prediction["probability_up"] < 1
    assert prediction["low"] <= prediction["expected_return"] <= prediction["high"]
    assert prediction["is_trusted"] == card["verdict"]["is_trusted"]
    assert len(prediction["contributions"]) == 8
    assert told(tmp_path, "model", "predict", "--model", first, *DAYS) == prediction
    assert "Probability of up" in command(tmp_path, "model", "predict", "--model", first, *DAYS).stdout

    judged = told(tmp_path, "model", "evaluate", first, *LATER)
    assert judged["first"].startswith("2024-03-15T00:00")
    assert judged["metrics"]["rows"] == 31 * 24 - 5
    assert "bars after its lessons" in command(tmp_path, "model", "evaluate", first, *LATER).stdout

    drifted = told(tmp_path, "model", "drift", first, *LATER)
    assert drifted["level"] in {"none", "some", "strong"}
    assert drifted["freshness"]["age_bars"] == 31 * 24
    assert not drifted["freshness"]["is_fresh"]
    plain = command(tmp_path, "model", "drift", first, *LATER).stdout
    assert plain.count(drifted["text"]) == 1
    assert "It may not answer without being trained again: Its lessons ended 744 bars ago" in " ".join(plain.split())
    assert "usual rule" in plain or not drifted["worst"]
    stale = command(tmp_path, "model", "drift", first, *LATER, "--fail-if-stale", code=6)
    assert "It may not answer" in stale.stderr
    assert command(tmp_path, "model", "drift", first, *DAYS, "--fail-if-stale").stdout

    other = command(tmp_path, "model", "drift", first, "--symbol", "ETH/USDT", "--timeframe", "1h", code=2)
    assert "learned from BTC/USDT 1h; these are bars of ETH/USDT 1h" in " ".join(other.stderr.split())

    # A challenger on the same bars has nothing new to win by.
    second = told(tmp_path, "model", "train", *DAYS, *BRIEF, "--seed", "8")
    assert second["state"] == "candidate"
    assert second["card"]["contest"]["champion_id"] == first
    assert "The champion stays" in second["card"]["contest"]["why"]
    assert places(tmp_path) == {second["id"]: "candidate", first: "champion"}
    assert "is the beginning of 2 models" in command(tmp_path, "model", "show", first[:2], code=2).stderr
    assert told(tmp_path, "model", "promote", second["id"]) == {
        "id": second["id"],
        "state": "champion",
        "retired": first,
    }
    assert places(tmp_path) == {second["id"]: "champion", first: "retired"}
    assert first in command(tmp_path, "model", "promote", first).stdout


def test_the_same_bars_give_the_same_model_and_other_questions_other_champions(tmp_path: Path, bars: Path) -> None:
    one, two = (told(tmp_path, "model", "train", "--bars", str(bars), *BRIEF, "--no-save")["card"] for _ in range(2))
    assert one["file"] == two["file"]
    assert one["series"]["provider"] == "import"
    assert places(tmp_path) == {}

    barriers = told(tmp_path, "model", "train", "--bars", str(bars), *BRIEF, "--label", "triple_barrier")
    assert (barriers["state"], barriers["card"]["question"]) == ("champion", "triple_barrier:4:1")
    assert told(tmp_path, "model", "train", "--bars", str(bars), *BRIEF)["state"] == "champion"


def test_where_no_model_is_fresh_one_is_trained_first(tmp_path: Path, bars: Path) -> None:
    done = command(tmp_path, "model", "predict", "--bars", str(bars), *BRIEF)
    assert "folds: fold 1 of 2" in done.stderr
    assert "rusted." in done.stdout
    (model_id,) = places(tmp_path)
    assert model_id in done.stdout
    assert command(tmp_path, "model", "predict", "--bars", str(bars), *BRIEF).stderr == ""

    # Of a much later time it knows nothing: it is trained again, and held against the old one.
    longer = written(tmp_path / "longer.parquet", walk(3_000))
    again = command(tmp_path, "model", "predict", "--bars", str(longer), "--symbol", "walk", *BRIEF)
    assert "contest" in again.stderr
    assert sorted(places(tmp_path).values()) in (["candidate", "champion"], ["champion", "retired"])


def test_a_gate_ends_with_6(tmp_path: Path, bars: Path) -> None:
    done = command(tmp_path, "model", "train", "--bars", str(bars), *BRIEF, "--fail-under", "auc=0.9", code=6)
    assert "auc is too low" in done.stderr


def test_what_cannot_be_is_said_with_its_numbers(tmp_path: Path) -> None:
    short = written(tmp_path / "short.parquet", walk(400))
    still = written(tmp_path / "still.parquet", bars_at([100.0] * 1_800))

    def refused(*arguments: Any, code: int) -> str:
        return command(tmp_path, *map(str, arguments), code=code).stderr

    said = refused("model", "train", "--bars", short, *BRIEF, code=4)
    assert "There are 400 bars; a horizon of 4 bars with 2 folds needs at least " in said
    assert "too_few_bars" in said
    said = refused("model", "train", "--bars", short, "--horizon", "500", code=4)
    assert "shorter horizon" in said
    said = refused("model", "train", "--bars", still, *BRIEF, code=1)
    assert "The price is 100 on all 1,800 bars" in said
    assert "nothing_to_learn" in said
    said = refused("model", "train", "--symbol", "BTC/USD", "--timeframe", "1h", "--start", "2024", code=4)
    assert "Did you mean" in said
    assert "horizon is 0" in refused("model", "train", *DAYS, "--horizon", "0", code=2)
    assert "shorter than the horizon" in refused("model", "train", *DAYS, *BRIEF, "--embargo", "1", code=2)
    assert "triple_barrier" in refused("model", "train", *DAYS, "--label", "sideways", code=2)
    assert "--symbol BTC/USDT" in refused("model", "train", code=2)
    assert "tidemark model list" in refused("model", "show", "2026", code=4)
    assert "tidemark model train" in command(tmp_path, "model", "list").stdout


def test_a_damaged_file_and_one_of_another_version_are_refused_and_nothing_is_lost(tmp_path: Path, bars: Path) -> None:
    model_id = told(tmp_path, "model", "train", "--bars", str(bars), *BRIEF)["id"]
    file = tmp_path / "research-models" / model_id / "model"
    content = file.read_bytes()

    file.write_bytes(content[: len(content) // 2])
    said = command(tmp_path, "model", "predict", "--model", model_id, "--bars", str(bars), code=1).stderr
    assert "not what was written" in said
    assert "model_damaged" in said
    # Whoever asks without naming it gets a new one.
    said = command(tmp_path, "model", "predict", "--bars", str(bars), *BRIEF).stderr
    assert "not what was written" in said
    assert "folds" in said
    assert command(tmp_path, "model", "predict", "--bars", str(bars), *BRIEF).stderr == ""
    assert sorted(places(tmp_path).values()) == ["champion", "retired"]

    place = file.with_name("place.json")
    kept = place.read_bytes()
    for broken, words in ((b"{", "is not JSON"), (b"[]", "does not hold"), (b"{}", "does not hold what it should")):
        place.write_bytes(broken)
        said = " ".join(command(tmp_path, "model", "show", model_id, code=1).stderr.split())
        assert f"place.json of model {model_id} {words}" in said
        assert "from a backup, or remove its folder" in said
    place.unlink()
    assert "is not there" in command(tmp_path, "model", "show", model_id, code=1).stderr
    place.write_bytes(kept)

    file.write_bytes(content)
    assert told(tmp_path, "model", "predict", "--model", model_id, "--bars", str(bars))["model_id"] == model_id


def test_a_backtest_trades_what_models_say(tmp_path: Path) -> None:
    small = ("horizon=4", "first_training_bars=900", "retrain_every=200", "rounds=30", "threshold=0.5")
    given = [part for each in small for part in ("-p", each)]
    lively = written(tmp_path / "lively.parquet", walk(1_800, seed=3))
    run = ("backtest", "run", "-s", "ml_predictive", *given, "--bars", str(lively), "--timeframe", "1h")
    done = told(tmp_path, *run, "--sides", "both")
    checks = {check["code"]: check for check in done["trust"]["checks"]}

    assert done["statistics"]["trades"] > 3
    assert checks["look_ahead"]["verdict"] == "good"
    assert "learns from all bars" in checks["recursive"]["sentence"]
