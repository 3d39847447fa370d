"""A signal may come at any moment: in the middle of a line of the log, twice, or before there is anything to end."""

import io
import json
import os
import signal
from collections.abc import Iterator

import pytest
import uvicorn
from loguru import logger

from backend.cli.serve import ServerStop
from backend.cli.stopping import Stop, said_at_once, stopped_by_signals
from backend.infrastructure.monitoring import configure_logging


class Interrupted(io.StringIO):
    """A log whose writer is interrupted in the middle of its first line."""

    def write(self, text: str) -> int:
        if not self.getvalue():
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = Interrupted()
    configure_logging(stream=out)
    yield out
    configure_logging()


def test_signal_in_the_middle_of_a_line_of_the_log(log: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    stop = Stop()
    with said_at_once(stop, logger.info), stopped_by_signals(stop):
        logger.info("A request")
        stop.wait()
    assert [json.loads(line)["message"] for line in log.getvalue().splitlines()] == ["A request", "Stopping."]
    assert capfd.readouterr().err == ""
    assert stop.signal == signal.SIGTERM


def test_nothing_is_said_when_no_signal_came() -> None:
    said: list[str] = []
    with said_at_once(Stop(), said.append):
        pass
    assert said == []


def test_handlers_of_before_are_there_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopped_by_signals(Stop()):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("early", "late", "ends", "forced"),
    [(0, 0, False, False), (1, 0, True, False), (0, 1, True, False), (1, 1, True, True), (0, 2, True, True)],
)
def test_server_ends_however_early_it_was_asked_to(early: int, late: int, *, ends: bool, forced: bool) -> None:
    stop = ServerStop()
    server = uvicorn.Server(uvicorn.Config("nothing:at_all"))
    with stopped_by_signals(stop):
        for _ in range(early):
            os.kill(os.getpid(), signal.SIGINT)
        stop.ends(server)
        for _ in range(late):
            os.kill(os.getpid(), signal.SIGINT)
    assert (server.should_exit, server.force_exit) == (ends, forced)
