"""`tidemark tasks list|show|cancel|retry` against a running server whose jobs do something."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from backend.api.routers.jobs import Task, TaskInFull
from tests.integration.trader import BROKEN, ECHO, SETTINGS, Trader, long, until
from tests.serving import ROOT, TIDEMARK, WITH_WORKS, Running, data_folder, environment, serving
from tests.terminal import at_terminal


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, command=WITH_WORKS, **SETTINGS) as running:
        yield running


@pytest.fixture
def trader(running: Running) -> Trader:
    return Trader(running)


def test_an_empty_list_says_so_and_is_no_failure(trader: Trader) -> None:
    answer = trader.types("list")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "There are no tasks yet." in answer.stderr
    assert trader.reads("list") == {"items": [], "next_cursor": None}


def test_a_list_in_a_pipe_is_plain_lines_with_whole_ids_and_times(trader: Trader) -> None:
    [echoed] = trader.has(ECHO)
    [broken] = trader.has(BROKEN)
    trader.waits_for(broken, "failed")
    trader.waits_for(echoed, "completed")
    lines = trader.types("list").stdout.splitlines()
    assert lines[0].split() == ["id", "kind", "state", "submitted", "took", "detail"]
    cells = [line.split(maxsplit=3) for line in lines[1:]]
    assert [cell[:3] for cell in cells] == [[broken, "export", "failed"], [echoed, "predict", "completed"]]
    assert lines[1].endswith("The job failed")
    assert datetime.fromisoformat(lines[1].split()[3]).tzinfo is not None
    assert "\x1b" not in "".join(lines)


def test_a_list_at_a_terminal_has_colours_and_short_ids_unless_they_are_not_wanted(trader: Trader) -> None:
    [broken] = trader.has(BROKEN)
    trader.waits_for(broken, "failed")
    for more, is_coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with at_terminal(
            [TIDEMARK, "tasks", "list"], folder=ROOT, environment=environment(**trader.settings, **more)
        ) as terminal:
            assert terminal.wait() == 0
        assert ("\x1b[31m" in terminal.shown) == is_coloured
        assert broken[:8] in terminal.shown
        assert (broken in terminal.shown) != is_coloured


def test_the_list_for_programs_is_what_the_api_documents(trader: Trader) -> None:
    trader.has(ECHO, BROKEN)
    items = trader.reads("list")["items"]
    assert len([Task.model_validate(item) for item in items]) == 2
    TaskInFull.model_validate(trader.reads("show", items[0]["id"]))


def test_filters_narrow_the_list_and_all_pages_can_be_had(trader: Trader) -> None:
    ids = trader.has(*[ECHO] * 5, BROKEN)
    for id_ in ids:
        trader.waits_for(id_, "failed" if id_ == ids[5] else "completed")
    assert {item["id"] for item in trader.reads("list", "--state", "failed")["items"]} == {ids[5]}
    assert len(trader.reads("list", "--kind", "predict", "--kind", "export")["items"]) == 6
    page = trader.reads("list", "--limit", "2")
    assert (len(page["items"]), page["next_cursor"] is not None) == (2, True)
    assert "--all lists the rest too" in trader.types("list", "--limit", "2").stderr
    everything = trader.reads("list", "--all")
    assert ({item["id"] for item in everything["items"]}, everything["next_cursor"]) == (set(ids), None)


def test_more_tasks_than_a_page_holds_are_all_listed_once(trader: Trader) -> None:
    trader.has(*[("walk_forward", {})] * 205)  # nothing here does these, so they end at once
    ids = [item["id"] for item in trader.reads("list", "--all")["items"]]
    assert (len(ids), len(set(ids))) == (205, 205)
    assert trader.reads("show", ids[-1][:13])["id"] == ids[-1]


def test_a_kind_that_is_none_is_refused_with_those_that_are(trader: Trader) -> None:
    answer = trader.types("list", "--kind", "backtests")
    assert (answer.returncode, "walk_forward" in answer.stderr) == (2, True)


def test_a_failed_task_is_shown_with_its_cause_its_log_and_the_way_on(trader: Trader) -> None:
    [broken] = trader.has(BROKEN)
    trader.waits_for(broken, "failed")
    page = trader.types("show", broken[:8]).stdout
    for part in (
        f"Task {broken}",
        "The job failed (code: unexpected_error)",
        "ZeroDivisionError: division by zero",
        "  about to divide",
        f"tidemark tasks retry {broken[:8]}",
        '"divisor": 0',
        "1 core, 64.0 MiB of memory, at most 1 min",
    ):
        assert part in page


def test_the_operator_reads_that_a_task_failed_and_nothing_of_what_it_worked_on(trader: Trader) -> None:
    [broken] = trader.has(("export", {"divisor": 0, "note": "canary-4711"}))
    trader.waits_for(broken, "failed")
    log = trader.running.log.read_text()
    [line] = [json.loads(line) for line in log.splitlines() if broken in line and '"code"' in line]
    assert (line["level"], line["code"], line["user_id"]) == ("warning", "unexpected_error", trader.id)
    assert "canary-4711" not in log


def test_a_running_task_is_shown_with_how_far_it_is(trader: Trader) -> None:
    [counting] = trader.has(long(30))
    trader.waits_for(counting, "running")
    until(lambda: trader.task(counting)["progress"] is not None)
    shown = trader.types("show", counting).stdout
    assert "%, " in shown
    assert ", counting: step" in shown
    trader.types("cancel", counting)


def test_a_prefix_must_be_long_enough_and_mean_one_task(trader: Trader) -> None:
    start = uuid4().hex[:8]
    twins = [f"{start}-{middle}-4b7a-8a55-1f2e3d4c5b6a" for middle in ("6c1e", "6c2e")]
    trader.has(ECHO, ECHO, ids=twins)
    assert trader.reads("show", twins[1][:12].upper())["id"] == twins[1]
    ambiguous = trader.types("show", start)
    assert ambiguous.returncode == 1
    assert all(part in ambiguous.stderr for part in (*twins, "2 tasks begin with", "task_id_ambiguous"))
    for useless in (start[:7], f"{start}x", "../../health"):
        assert trader.types("show", useless).returncode == 2


def test_a_task_that_is_not_there_or_not_mine_is_data_missing(running: Running, trader: Trader) -> None:
    [foreign] = Trader(running).has(ECHO)
    for given in (foreign, foreign[:8], str(uuid4())):
        for verb in ("show", "watch", "cancel", "retry"):
            answer = trader.types(verb, given)
            assert (answer.returncode, "(code: job_not_found)" in answer.stderr) == (4, True), answer


def test_cancelling_acknowledges_and_can_be_followed(trader: Trader) -> None:
    [counting] = trader.has(long(60))
    trader.waits_for(counting, "running")
    asked = trader.types("cancel", counting[:8])
    assert (asked.returncode, "is asked to stop" in asked.stdout) == (0, True)
    [deaf] = trader.has(("optimize", {}))
    trader.waits_for(deaf, "running")
    followed = trader.types("cancel", deaf, "--watch")
    assert followed.returncode == 0
    assert followed.stdout.splitlines()[-1].split()[3] == "cancelled"
    assert trader.reads("cancel", counting)["state"] == "cancelled"


def test_cancelling_what_has_ended_changes_nothing(trader: Trader) -> None:
    [done] = trader.has(ECHO)
    trader.waits_for(done, "completed")
    answer = trader.types("cancel", done)
    assert (answer.returncode, "has completed already" in answer.stdout) == (0, True)
    assert trader.types("cancel", done, "--watch").returncode == 1


def test_running_again_is_for_what_failed_and_can_be_followed(trader: Trader) -> None:
    bad, good = trader.has(BROKEN, ECHO)
    trader.waits_for(bad, "failed")
    trader.waits_for(good, "completed")
    assert trader.reads("retry", bad)["state"] == "queued"
    trader.waits_for(bad, "failed")
    followed = trader.types("retry", bad[:8], "--watch")
    assert (followed.returncode, "failed" in followed.stdout) == (1, True)
    assert trader.reads("show", bad)["attempts"] == 3
    refused = trader.types("retry", good)
    assert (refused.returncode, "(code: job_not_retryable)" in refused.stderr) == (1, True)


def test_a_reader_that_goes_away_is_no_disaster(trader: Trader) -> None:
    trader.has(*[("walk_forward", {})] * 100)
    with subprocess.Popen(
        [TIDEMARK, "tasks", "list", "--json", "--all"],
        cwd=ROOT,
        env=environment(**trader.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_help_names_the_commands_and_loads_nothing_that_it_does_not_need() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "backend.cli.main", "tasks", "--help"]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert {"list", "show", "watch", "cancel", "retry"} <= set(ended.stdout.split())
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert not loaded & {"httpx", "rich", "asyncpg", "fastapi", "backend.bootstrap"}


def test_the_folder_of_the_login_is_not_needed_with_a_token(trader: Trader, tmp_path: Path) -> None:
    assert trader.types("list", XDG_CONFIG_HOME=str(tmp_path / "none")).returncode == 0
    assert not (tmp_path / "none").exists()
