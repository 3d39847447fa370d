"""The page about features is what the code has."""

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from backend.domain.ml.features import FEATURES, WARM_UP

PAGE = (Path(__file__).parents[4] / "docs" / "what-models-see.md").read_text()


def test_it_lists_every_feature_in_its_group_and_order() -> None:
    lines: list[str] = []
    for group, members in groupby(FEATURES, key=lambda feature: feature.group):
        lines += [f"### {group.capitalize()}", "", "| Feature | What it is |", "|---|---|"]
        lines += [*(f"| `{feature.name}` | {feature.about} |" for feature in members), ""]
    assert PAGE.partition("## The features\n\n")[2].strip().splitlines() == lines[:-1]


def test_its_code_runs_and_says_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "what-models-see.md", "exec"), names)
    assert capsys.readouterr().out.strip() == block.rpartition("# ")[2].strip()


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"the last {WARM_UP} bars count" in PAGE
