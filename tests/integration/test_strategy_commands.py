"""`tidemark strategies`: real processes, without a server and without a database."""

import json
import re
import subprocess
from pathlib import Path

from tests.serving import ROOT, tidemark

HOW_TO = (ROOT / "docs" / "how-to" / "add-a-strategy.md").read_text()


def command(*arguments: str, code: int = 0, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    own = {} if folder is None else {"TIDEMARK_STRATEGIES_DIR": str(folder)}
    done = tidemark("strategies", *arguments, data_dir=None, **own)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def written_down(folder: Path) -> None:
    """The files of the how-to."""
    (rules,) = re.findall(r"```json\n(.*?)```", HOW_TO, re.DOTALL)
    (folder / "dip.json").write_text(rules)
    (folder / "far_below.py").write_text(re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)[0])


def test_a_folder_of_ones_own_is_listed_and_what_is_broken_is_named(tmp_path: Path) -> None:
    written_down(tmp_path)
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")
    listed = command("list", folder=tmp_path)
    assert "sma_cross" in listed.stdout
    assert str(tmp_path / "far_below.py") in listed.stdout
    assert "No module named 'nothing_of_that_name'" in listed.stderr
    told = json.loads(command("list", "--json", folder=tmp_path).stdout)
    assert [each["name"] for each in told["items"]][-1] == "far_below"
    assert [each["name"] for each in told["broken"]] == ["wrong"]
    command("show", "wrong", code=1, folder=tmp_path)


def test_a_folder_that_is_not_there_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    done = command("list", code=3, folder=tmp_path / "nowhere")
    assert "TIDEMARK_STRATEGIES_DIR" in done.stderr


def test_a_strategy_is_shown_with_its_bounds_and_its_schema() -> None:
    words = command("show", "sma_cross").stdout
    assert "fast = 20 (2 to 1,000 bars): Bars of the fast average" in words
    assert "Fails in sideways markets" in words
    shown = json.loads(command("show", "sma_cross", "--json").stdout)
    assert shown["parameters"]["properties"]["fast"]["maximum"] == 1_000
    assert shown["plots"][0]["parameters"] == {"period": 20}
    assert "sma_cross" in command("show", "smacross", code=2).stderr


def test_rules_and_plugins_are_validated(tmp_path: Path) -> None:
    written_down(tmp_path)
    assert "Enter long: the close price > SMA (50) and" in command("validate", str(tmp_path / "dip.json")).stdout
    assert command("validate", str(tmp_path / "far_below.py")).stdout == "Good: far_below.\n"
    (tmp_path / "dip.json").write_text('{"long": {"enter": {"op": ">", "left": {"price": "clsoe"}, "right": 1}}}')
    refused = command("validate", str(tmp_path / "dip.json"), code=1).stderr
    assert "/long/enter/left/price: There is no price 'clsoe'. Did you mean 'close'?" in refused
    told = json.loads(command("validate", str(tmp_path / "dip.json"), "--json", code=1).stdout)
    assert told["valid"] is False
    assert told["errors"][0]["pointer"] == "/long/enter/left/price"
    (tmp_path / "far_below.py").write_text("x = 1\n")
    command("validate", str(tmp_path / "far_below.py"), code=1)
    command("validate", code=2)
    (tmp_path / "bars.csv").write_text("ts,close\n")
    told = " ".join(command("validate", str(tmp_path / "bars.csv"), code=2).stderr.split())
    assert "A strategy is a .py file, or rules in a .json file;" in told
    assert "$defs" in json.loads(command("validate", "--schema").stdout)
