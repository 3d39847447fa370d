"""The alert rules load, ring when they should and only then, and lead to a page that helps."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # read for its structure only

from tests.monitoring.conftest import FOLDER, Exposed, run
from tests.monitoring.queries import unknown_labels_of, unknown_names_of
from tests.serving import ROOT

RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
UNIT_TESTS = ROOT / "tests" / "monitoring" / "alerts.test.yml"


@pytest.mark.parametrize(("kind", "file"), [("rules", "alerts.yml"), ("config", "prometheus.yml")])
def test_the_files_are_what_prometheus_reads(tool: str, kind: str, file: str) -> None:
    checked = run(tool, "check", kind, FOLDER / file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_rings_when_it_should_and_only_then(tool: str) -> None:
    checked = run(tool, "test", "rules", UNIT_TESTS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_tested_both_ways() -> None:
    cases = [
        (test, case) for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"] for case in test["alert_rule_test"]
    ]
    rings = {case["alertname"] for _, case in cases if case.get("exp_alerts")}
    # Silence is tested by a case that expects none, or by a series that looks alike beside the one that rings.
    silent = {case["alertname"] for test, case in cases if len(test["input_series"]) > len(case.get("exp_alerts", ()))}
    names = {rule["alert"] for rule in RULES}
    assert rings == names
    assert silent == names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_changing_a_limit_is_noticed(tool: str, tmp_path: Path, rule: dict[str, Any]) -> None:
    """A rule that can never ring fails its tests."""
    text = (FOLDER / "alerts.yml").read_text()
    never = re.sub(
        rf"(- alert: {rule['alert']}\n\s+expr:).*?(?=\n\s+(?:for|labels):)", r"\1 vector(1) > 2", text, flags=re.S
    )
    assert never != text
    (tmp_path / "docs" / "monitoring").mkdir(parents=True)
    (tmp_path / "docs" / "monitoring" / "alerts.yml").write_text(never)
    (tmp_path / "tests" / "monitoring").mkdir(parents=True)
    shutil.copy(UNIT_TESTS, tmp_path / "tests" / "monitoring")
    assert run(tool, "test", "rules", tmp_path / "tests" / "monitoring" / UNIT_TESTS.name).returncode == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_is_wrong_with_numbers_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert re.search(r"\d|\$value|a minute", said["description"])
    page, _, anchor = said["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_there_are(rule: dict[str, Any], exposed: Exposed) -> None:
    assert unknown_names_of(rule["expr"], exposed) == set()
    assert unknown_labels_of(rule["expr"], exposed) == set()


def anchors(page: Path) -> set[str]:
    """Of the headings, as a reader of Markdown makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
