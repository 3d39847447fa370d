"""Tasks in words: what a person reads at a terminal, and what can do no harm there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from backend.api.routers.jobs import QUEUED, RUNNING, TASK, TASK_IN_FULL
from backend.cli import task_words
from backend.cli.task_events import Told, events_of
from backend.cli.task_ids import is_whole, prefix_of
from backend.cli.terminal import clean

NOW = datetime(2026, 11, 20, 9, 42, tzinfo=UTC)


def document(example: Any, **changes: Any) -> dict[str, Any]:
    return {**example.model_dump(mode="json"), **changes}


@pytest.mark.parametrize(
    ("task", "detail"),
    [
        (document(QUEUED, waits_for="Waits for a core.", waits_seconds=45.0), "Waits for a core (about 45 s to wait)"),
        (document(QUEUED, waits_for="Waits for a core.", waits_seconds=None), "Waits for a core."),
        (document(QUEUED, waits_for=None, waits_seconds=None), ""),
        (document(QUEUED, waits_for=None, waits_seconds=0.4), "about 400 ms to wait"),
        (document(RUNNING), "40%, 22 s to go, Sweeping: 4,000 of 10,000"),
        (document(RUNNING, progress=None), ""),
        (document(TASK), "The task needed more memory than it was given"),
        (document(TASK, state="cancelled", failure=None, is_partial=True), "partial result"),
        (document(TASK, state="completed", failure=None), ""),
    ],
)
def test_the_one_thing_to_know_about_a_task(task: dict[str, Any], detail: str) -> None:
    assert task_words.detail(task) == detail


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({"stage": "reading", "percent": None, "message": "", "eta_seconds": None}, "reading"),
        ({"stage": "", "percent": 99.96, "message": None, "eta_seconds": 0.04}, "100%, 0 s to go"),
        (
            {"stage": "fold 3", "percent": 0.0, "message": "of 8", "eta_seconds": 4000},
            "0%, 1 h 6 min to go, fold 3: of 8",
        ),
    ],
)
def test_progress_in_words(progress: dict[str, Any], words: str) -> None:
    assert task_words.progress(progress) == words


def test_a_row_is_short_for_a_person_and_whole_for_a_program() -> None:
    began = NOW - timedelta(minutes=12)
    task = document(RUNNING, started_at=(began + timedelta(minutes=2)).isoformat(), created_at=began.isoformat())
    assert task_words.row(task, NOW, is_plain=False)[:5] == ("0f9d2a7b", "backtest", "running", "12 min ago", "10 min")
    assert task_words.row(task, NOW, is_plain=True)[0] == task["id"]
    assert task_words.row(task, NOW, is_plain=True)[3] == "2026-11-20T09:30:00Z"


def test_a_running_task_that_was_asked_to_stop_is_stopping() -> None:
    assert task_words.state(document(RUNNING, cancel_requested_at="2026-11-20T09:31:00Z")) == "stopping"
    assert task_words.state(document(TASK, cancel_requested_at="2026-11-20T09:31:00Z")) == "failed"


def test_what_waits_has_taken_no_time_yet() -> None:
    assert task_words.took(document(QUEUED, started_at="2026-11-20T09:31:00Z"), NOW) == "—"


def test_the_page_of_a_failed_task_has_cause_numbers_remedy_and_log() -> None:
    page = "\n".join(text for _, text in task_words.page(document(TASK_IN_FULL), NOW))
    for part in ("(code: out_of_memory)", "402 MiB of 384 MiB", "Choose a shorter range", "  reading 525,600 bars"):
        assert page.count(part) == 1
    assert "tidemark tasks retry 0f9d2a7b" in page
    assert '"strategy": "sma_cross"' in page


def test_a_partial_result_is_called_one() -> None:
    task = document(TASK_IN_FULL, state="cancelled", failure=None, is_partial=True, result={"counted": 3})
    assert ("heading", "Result (partial)") in list(task_words.page(task, NOW))


def test_an_event_is_one_line() -> None:
    failure = {"code": "x", "title": "It broke", "detail": "In two\nlines.\x1b[31m", "remedy": None}
    line = task_words.event_line("task_failed", document(TASK, failure=failure), NOW)
    assert line == "2026-11-20T09:42:00Z  0f9d2a7b  backtest  failed  It broke: In two lines.\\x1b[31m"


def test_nothing_that_a_task_wrote_commands_the_terminal() -> None:
    assert clean("\x1b]0;title\x07 \x9b31m \r\u202e\n\t€\n") == "\\x1b]0;title\\x07 \\x9b31m \\r\\u202e\n    €\n"


@pytest.mark.parametrize("given", ["0f9d2a7b", "0F9D2A7B-6c1", "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6"])
def test_a_beginning_of_an_id_is_taken(given: str) -> None:
    assert not is_whole(given)
    assert prefix_of(given) == given.lower()


@pytest.mark.parametrize(
    "given", ["", "0f9d2a7", "0f9d2a7b6c1e", "0f9d2a7g", "..", "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a0"]
)
def test_what_is_no_beginning_of_an_id_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="8 characters"):
        prefix_of(given)


def test_events_are_read_whatever_the_pieces_they_come_in() -> None:
    stream = (
        b"retry: 1000\nid: 16\n\n: \n\nevent: task_running\r\nid: 17\r\n"
        b'data: {"type":"task_running","task":{"id":"a","message":"\xe2\x80\xa8"}}\r\n\r\n'
        b'event: task_progress\ndata: {"task":{"percent":40}}\n\nevent: task_failed\ndata: no json\n\ndata: lost'
    )
    told = [
        Told(type="begun", id=16),
        Told(type="task_running", id=17, task={"id": "a", "message": "\u2028"}),
        Told(type="task_progress", task={"percent": 40}),
        Told(type="task_failed"),
    ]
    for size in (1, 7, len(stream)):
        assert list(events_of(stream[at : at + size] for at in range(0, len(stream), size))) == told
