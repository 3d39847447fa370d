"""What the how-to says of models is what is done."""

import re
from pathlib import Path
from typing import Any

import pytest

from backend.domain.ml import bootstrap, conformal, contest, controls, drift, verdict

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "judge-a-model.md"


def test_the_code_of_the_page_runs_and_finds_that_chance_is_chance(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert "No signal: it does not predict better than chance." in said
    assert "That includes 0.50" in said


def test_its_numbers_are_those_of_the_code() -> None:
    page = " ".join(PAGE.read_text().split())
    for words in (
        f"{bootstrap.LEVEL * 100:.0f} of 100 cases",
        {4: "blocks of four horizons"}[bootstrap.HORIZONS_A_BLOCK],
        f"above {controls.UNBELIEVABLE} (or below {1 - controls.UNBELIEVABLE:.2f})",
        f"fewer than {verdict.FEWEST_OUTCOMES} outcomes",
        {0.75: "fewer than three of four folds"}[verdict.FEWEST_FOLDS_SHARE],
        f"off by more than {verdict.FAR_OFF} in the mean",
        f"the {contest.CONTEST_LEVEL * 100:.0f} % interval",
        {0.9: "nine of ten earlier returns"}[conformal.INTERVAL_LEVEL],
        f"the newest {drift.DRIFT_ROWS} bars",
        f"above {drift.DRIFTED} and above",
        {0.1: "more than a tenth have"}[drift.STRONG_SHARE],
    ):
        assert words in page, words
    codes = set(re.findall(r"`([a-z_]+)`", page.split("the gravest first:")[1].split("Most models")[0]))
    assert codes == set(verdict.HEADLINES)
