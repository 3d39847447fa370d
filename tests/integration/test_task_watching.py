"""`tidemark tasks watch`: events as they come, as a live view, lines or JSON, over a server that was killed."""

import json
import signal
from collections.abc import Iterator
from typing import IO, Any

import httpx
import pytest

from tests.integration.trader import BROKEN, ECHO, SETTINGS, Trader, long, until
from tests.serving import ROOT, TIDEMARK, WITH_WORKS, Running, data_folder, environment, serving, start
from tests.terminal import at_terminal


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder, command=WITH_WORKS, **SETTINGS) as running:
        yield running


@pytest.fixture
def trader(running: Running) -> Trader:
    return Trader(running)


def test_watching_one_task_ends_with_it_and_tells_how(trader: Trader) -> None:
    good, bad = trader.has(long(8), BROKEN)
    watched = trader.types("watch", good)
    assert watched.returncode == 0
    lines = watched.stdout.splitlines()
    assert all(line.split()[1:3] == [good[:8], "backtest"] for line in lines)
    assert any("%, " in line and "counting" in line for line in lines)
    assert lines[-1].split()[3:5] == ["completed", "in"]
    failed = trader.types("watch", bad[:8])
    assert failed.returncode == 1
    assert failed.stdout.endswith("failed  The job failed: ZeroDivisionError: division by zero\n")


def test_events_for_programs_are_one_object_a_line(trader: Trader) -> None:
    [counting] = trader.has(long(50))
    told: list[Any] = []
    with trader.watching(counting, "--json") as watch:
        assert watch.stdout is not None
        for line in watch.stdout:
            told.append(json.loads(line))
            if told[-1]["type"] == "task_progress":
                break
        trader.types("cancel", counting)
        told += [json.loads(line) for line in watch.stdout]
        assert watch.wait(10) == 1
    assert all(set(each) == {"id", "type", "task"} for each in told)
    assert (told[-1]["type"], told[-1]["task"]["state"]) == ("task_cancelled", "cancelled")
    [percent, *_] = [each["task"]["percent"] for each in told if each["type"] == "task_progress"]
    assert 0 <= percent < 100
    ended = [json.loads(line) for line in trader.types("watch", counting, "--json").stdout.splitlines()]
    assert [each["type"] for each in ended] == ["task_cancelled"]


def test_watching_all_shows_what_is_there_and_what_comes_until_it_is_interrupted(trader: Trader) -> None:
    [there] = trader.has(long(60))
    trader.waits_for(there, "running")
    with trader.watching("--json") as watch:
        assert watch.stdout is not None
        first = json.loads(watch.stdout.readline())
        assert (first["type"], first["task"]["id"]) == ("task_running", there)
        [comes] = trader.has(ECHO)
        types = []
        while "task_completed" not in types:
            told = json.loads(watch.stdout.readline())
            types += [told["type"]] if told["task"]["id"] == comes else []
        assert types == ["task_queued", "task_running", "task_completed"]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 130
        assert watch.stderr is not None
        assert "Traceback" not in watch.stderr.read()
    trader.types("cancel", there)


@pytest.mark.parametrize("columns", [72, 120])
def test_a_live_view_moves_at_a_terminal_and_leaves_how_it_ended(trader: Trader, columns: int) -> None:
    [counting] = trader.has(long(50))
    with at_terminal(
        [TIDEMARK, "tasks", "watch", counting],
        folder=ROOT,
        environment=environment(**trader.settings),
        columns=columns,
    ) as terminal:
        terminal.wait_for("to go")
        terminal.wait_for("━")
        trader.types("cancel", counting)
        assert terminal.wait() == 1
    assert f"{counting[:8]}  backtest  cancelled  in " in terminal.shown
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_live_view_that_is_ended_gives_the_cursor_back(trader: Trader, number: signal.Signals, code: int) -> None:
    with at_terminal([TIDEMARK, "tasks", "watch"], folder=ROOT, environment=environment(**trader.settings)) as terminal:
        terminal.wait_for("Nothing waits or runs.")
        terminal.process.send_signal(number)
        assert terminal.wait() == code
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l")
    assert "Traceback" not in terminal.shown


def test_the_stream_goes_on_over_a_server_that_was_killed_and_loses_nothing() -> None:
    with data_folder() as folder:
        killed = start(folder, command=WITH_WORKS, **SETTINGS)
        port = killed.url.rpartition(":")[2]
        trader = Trader(killed)
        with trader.watching("--json") as watch:
            assert watch.stdout is not None
            until(lambda: "tidemark_streams 1.0" in httpx.get(f"{killed.url}/metrics").text)
            [first] = trader.has(ECHO)
            told = events(watch.stdout, 3)
            killed.stop(signal.SIGKILL)
            with serving(folder, "--port", port, command=WITH_WORKS, **SETTINGS):
                # Before the watcher is back, so that it has something to catch up on.
                [second] = trader.has(ECHO)
                told += events(watch.stdout, 3)
            watch.kill()
            assert watch.stderr is not None
            notes = watch.stderr.read()
    assert [each["id"] for each in told] == [1, 2, 3, 4, 5, 6]
    assert [each["task"]["id"] for each in told] == [first] * 3 + [second] * 3
    assert "The stream broke off" in notes
    assert "Connected again." in notes


def events(lines: IO[str], count: int) -> list[Any]:
    """The next events of the record; what was read at the beginning, and progress, has no id."""
    told: list[Any] = []
    while len(told) < count:
        each = json.loads(lines.readline())
        told += [each] if each["id"] is not None else []
    return told
