"""The dashboard can be imported, and every panel of it shows something that there is."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.monitoring.conftest import FOLDER, Exposed, run
from tests.monitoring.queries import names_of, unknown_labels_of, unknown_names_of


def expressions(dashboard: Any) -> dict[str, str]:
    """By panel and letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }


def test_every_panel_asks_for_metrics_and_labels_that_there_are(dashboard: Any, exposed: Exposed) -> None:
    found = expressions(dashboard)
    assert len(found) > 40
    assert {where: names for where, expr in found.items() if (names := unknown_names_of(expr, exposed))} == {}
    assert {where: labels for where, expr in found.items() if (labels := unknown_labels_of(expr, exposed))} == {}


def test_what_a_server_says_of_itself_is_shown(dashboard: Any, exposed: Exposed) -> None:
    """A metric that nobody looks at is not worth its cost, or the dashboard lacks a panel."""
    looked_at = {
        re.sub(r"_(bucket|sum|count)$", "", name) for expr in expressions(dashboard).values() for name in names_of(expr)
    }
    not_looked_at = {family for family in exposed.types if family not in looked_at}
    assert not_looked_at == {"tidemark_process_virtual_memory_bytes"}


def test_prometheus_understands_every_query(dashboard: Any, tool: str, tmp_path: Path) -> None:
    rules = "".join(
        f"      - record: panel:{number}\n        expr: >-\n          {_filled_in(expr)}\n"
        for number, expr in enumerate(expressions(dashboard).values())
    )
    file = tmp_path / "queries.yml"
    file.write_text(f"groups:\n  - name: panels\n    rules:\n{rules}")
    checked = run(tool, "check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(expressions(dashboard))} rules found" in checked.stdout


def test_panels_have_a_place_of_their_own_and_say_what_they_show(dashboard: Any) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert not [(a["title"], b["title"]) for a, b in combinations(panels, 2) if _overlap(a["gridPos"], b["gridPos"])]
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["type"] == "row" or (
            panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"]
        )


def test_it_can_be_imported_anywhere(dashboard: Any) -> None:
    """No id of an installation, and a data source that the reader chooses."""
    assert "id" not in dashboard
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    sources = {
        used["datasource"]["uid"]
        for panel in dashboard["panels"]
        for used in (panel, *panel.get("targets", ()))
        if "datasource" in used
    }
    assert sources == {"${datasource}"}
    used = set(re.findall(r"\$\{?([a-z]\w*)", (FOLDER / "dashboard.json").read_text()))
    assert used == set(variables)


def _filled_in(expr: str) -> str:
    return expr.replace("$__rate_interval", "5m").replace("$instance", ".*")


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
