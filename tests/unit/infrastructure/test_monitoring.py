"""Logs hold no secret and one event a line; metrics count."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from backend.domain.job_ports import MachineGauges
from backend.domain.jobs import Demand
from backend.domain.market_ports import DiskRoom
from backend.infrastructure import monitoring
from backend.infrastructure.monitoring import Monitor, configure_logging
from backend.infrastructure.redaction import PATTERNS, is_suspicious, redact, redacted

MARKS = ["/share/", "/shared/", "://", "password", "Api-Key", "token", "=>", "-----BEGIN PRIVATE KEY-----"]
JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(stream=stream)
    yield stream
    logger.remove()
    logger.add(sys.stderr)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {JWT}",
        f"authorization=Bearer {JWT}",
        f"token {JWT} in the middle",
        "GET /auth/v1/verify?token=SECRET&type=recovery",
        "GET /x?access_token=SECRET",
        '{"password": "SECRET"}',
        '{"password":"SE\\"CRET"}',
        '{\\"refresh_token\\": \\"SECRET\\"}',
        "{'new_password': 'SECRET'}",
        "headers: [(b'apikey', b'SECRET'), (b'accept', b'*/*')]",
        "headers: {'Authorization': 'Basic SECRET'}",
        "postgresql://app_api:SECRET@127.0.0.1:5432/postgres",
        "smtp://user:SECRET@mail.example:587?from=a@b",
        "SUPABASE_JWT_SECRET=SECRET",
        "TIDEMARK_METRICS_TOKEN: SECRET",
        "keys sb_secret_SECRET and sb_publishable_SECRET",
        "-----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nSECRET cut off",
        "email_otp=SECRET",
        "code_verifier=SECRET",
        "Cookie: session=SECRET",
    ],
)
def test_secret_is_hidden(text: str) -> None:
    hidden = redact(text)
    assert "SECRET" not in hidden.replace("SUPABASE_JWT_SECRET", "")
    assert JWT not in hidden
    assert JWT.split(".")[1] not in hidden
    assert "[hidden]" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "The access token was refused: it has expired.",
        "Applied 4 migrations, the last one 20261120100300_idempotency_keys.sql.",
        "GET /api/me 200",
        "Listening at http://127.0.0.1:8000 for everyone",
        "postgresql://127.0.0.1:5432/postgres",
        "key=value tokens=3",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_facts_are_hidden_by_their_names() -> None:
    facts = {"password": "x", "nested": {"api_key": ["x"], "fine": "y"}, "count": 3, "token": None}
    assert redacted("facts", facts) == {
        "password": "[hidden]",
        "nested": {"api_key": "[hidden]", "fine": "y"},
        "count": 3,
        "token": "[hidden]",
    }


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(redact(text), str)


@given(
    st.lists(
        st.sampled_from(
            [
                *"aZ09 ./-_:=\"',@\\",
                "bearer",
                "BASIC",
                "ba\u017fic",
                "eyJhbGciOi",
                "sb_secret_",
                "tdm_",
                "x" * 43,
                *MARKS,
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_what_needs_no_search_holds_nothing_to_hide(text: str) -> None:
    assert is_suspicious(text) or not any(pattern.search(text) for pattern, _ in PATTERNS)


def test_long_text_is_redacted_quickly() -> None:
    for hostile in (
        "password" * 20_000,
        "'" * 100_000,
        "a://" * 50_000,
        "eyJ" * 50_000,
        "token_" * 30_000,
        "\\" * 100_000,
    ):
        redact(hostile)


def test_one_json_line_per_event(log: io.StringIO) -> None:
    with logger.contextualize(facts={"request_id": "r-1", "user_id": "u-1"}):
        logger.bind(status=200).info("first\nsecond {} {braces}", 1, braces="x")
    [line] = lines(log)
    assert line["message"] == "first\nsecond 1 x"
    assert (line["level"], line["request_id"], line["user_id"], line["status"]) == ("info", "r-1", "u-1", 200)
    assert line["time"].endswith("+00:00")


def test_other_loggers_are_routed_through(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("100%% of {%s}, password=hunter2", "braces")
    logging.getLogger("httpx").info("HTTP Request: GET https://x")
    [line] = lines(log)
    assert (line["logger"], line["level"]) == ("uvicorn.error", "warning")
    assert line["message"] == "100% of {braces}, password=[hidden]"


def test_traceback_is_written_without_values(log: io.StringIO) -> None:
    held = "held-in-a-variable"
    try:
        raise ValueError(f"could not connect to postgresql://app:hunter2@h/db with {len(held)}")
    except ValueError:
        logger.exception("It failed")
    [line] = lines(log)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in log.getvalue()
    assert held not in line["exception"].replace('held = "held-in-a-variable"', "")


def test_text_for_terminals_keeps_one_event_on_one_line(log: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging(as_text=True, stream=stream)
    logger.bind(path="/x\n12:00 forged").info("hello\x1b[31m")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_level_is_obeyed(log: io.StringIO) -> None:
    configure_logging(level="warning", stream=log)
    logger.info("no")
    logging.getLogger("any").info("no")
    logger.warning("yes")
    assert [line["message"] for line in lines(log)] == ["yes"]


async def test_monitor_counts_and_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "LAG_PROBE_SECONDS", 0.01)
    monitor = Monitor()
    monitor.request_finished(method="GET", route="/api/me", status=200, seconds=0.02)
    monitor.rate_limited("user_reads")
    monitor.problem("not_found")
    monitor.token_checked("rejected")
    monitor.pool_waited(0.001)
    monitor.watch_pool(lambda: 4, lambda: 3)
    watching = asyncio.create_task(monitor.watch_event_loop())
    with monitor.request_in_flight():
        await asyncio.sleep(0.05)
        content, media_type = monitor.exposition()
    watching.cancel()
    text = content.decode()
    assert media_type.startswith("text/plain")
    for line in (
        'tidemark_http_requests_total{method="GET",route="/api/me",status="200"} 1.0',
        'tidemark_http_request_duration_seconds_bucket{le="0.025",method="GET",route="/api/me"} 1.0',
        "tidemark_http_requests_in_flight 1.0",
        'tidemark_rate_limited_total{limit="user_reads"} 1.0',
        'tidemark_token_checks_total{outcome="rejected"} 1.0',
        "tidemark_database_pool_connections 4.0",
        "tidemark_database_pool_idle_connections 3.0",
        "tidemark_database_pool_wait_seconds_count 1.0",
    ):
        assert line in text
    assert "tidemark_event_loop_lag_seconds_count 0.0" not in text


def test_monitor_tells_of_the_machine_the_workers_and_what_is_ready() -> None:
    looks: list[int] = []

    def gauges() -> MachineGauges:
        looks.append(1)
        return MachineGauges(
            cpu_percent=12.5,
            memory_total_bytes=8000,
            memory_available_bytes=5000,
            capacity=Demand(cores=4, memory_bytes=6000),
            room=Demand(cores=1, memory_bytes=3000),
        )

    monitor = Monitor()
    monitor.watch_machine(gauges)
    monitor.watch_workers(lambda: 4, lambda: 3)
    monitor.watch_bus(lambda: False)
    monitor.readiness_checked({"database": True, "workers": False})
    monitor.leases_expired(2)
    monitor.vendor_asked("crypto:kraken", "busy", 120)
    monitor.vendor_asked("crypto:kraken", "ok", 380)
    monitor.bars_read("remembered")
    monitor.watch_bars_disk(lambda: DiskRoom(total_bytes=900, free_bytes=100))
    told = monitor.exposition()[0].decode().splitlines()
    assert len(looks) == 1
    for line in (
        "tidemark_machine_cpu_usage_ratio 0.125",
        "tidemark_machine_memory_available_bytes 5000.0",
        "tidemark_jobs_capacity_cores 4.0",
        "tidemark_jobs_room_memory_bytes 3000.0",
        "tidemark_workers 4.0",
        "tidemark_workers_ready 3.0",
        "tidemark_event_bus_connected 0.0",
        'tidemark_ready{check="database"} 1.0',
        'tidemark_ready{check="workers"} 0.0',
        "tidemark_job_leases_expired_total 2.0",
        'tidemark_vendor_requests_total{outcome="busy",provider="crypto:kraken"} 1.0',
        'tidemark_vendor_received_bytes_total{provider="crypto:kraken"} 500.0',
        'tidemark_bar_reads_total{outcome="remembered"} 1.0',
        "tidemark_bars_disk_free_bytes 100.0",
    ):
        assert line in told
