"""What the process says about itself: one line of log per event, and metrics for Prometheus."""

import asyncio
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from backend.domain.job_ports import MachineGauges
from backend.domain.jobs import Waiting
from backend.domain.market_ports import DiskRoom
from backend.infrastructure.redaction import redact, redacted
from backend.version import VERSION

if TYPE_CHECKING:
    from loguru import Message, Record

DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
JOB_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 7200)
LAG_PROBE_SECONDS = 0.5
# Facts of the request at hand live under this name and are written as fields of their own.
FACTS = "facts"
_COMPACT = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def configure_logging(*, level: str = "info", as_text: bool = False, stream: TextIO | None = None) -> None:
    """Send everything, the standard library's and uvicorn's loggers included, through one place without secrets."""
    logger.remove()
    out = stream or sys.stderr
    write = _text_line if as_text else _json_line

    def sink(message: "Message") -> None:
        out.write(write(message.record) + "\n")
        out.flush()

    logger.add(sink, level=level.upper(), format="{message}", backtrace=False, diagnose=False, catch=True)
    logging.basicConfig(handlers=[_Forward()], level=logging.getLevelName(level.upper()), force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "fastapi"):
        log = logging.getLogger(name)
        log.handlers.clear()
        log.propagate = True
    # Requests are logged by our own edge; these would say it again, with whole addresses.
    for name in ("uvicorn.access", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Forward(logging.Handler):
    """Hands a record of the standard library on, with the name of the logger that made it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        # The message goes in as an argument, so that braces in it are not read as a format.
        bound = logger.bind(logger=record.name)
        bound.opt(exception=record.exc_info, depth=6).log(level, "{}", record.getMessage())


def _json_line(record: "Record") -> str:
    line = {
        "time": record["time"].astimezone().isoformat(timespec="milliseconds"),
        "level": record["level"].name.lower(),
        **_fields(record),
        "message": redact(record["message"]),
    }
    if record["exception"] is not None:
        line["exception"] = redact(_trace(record))
    return _COMPACT.encode(line)


def _text_line(record: "Record") -> str:
    fields = _fields(record)
    name = fields.pop("logger")
    rest = "".join(f" {key}={value}" for key, value in fields.items() if value is not None)
    line = f"{record['time']:HH:mm:ss.SSS} {record['level'].name:<7} {name}: {redact(record['message'])}{rest}"
    # One event, one line: what a caller sent must not look like an event of its own.
    line = line.replace("\r", "\\r").replace("\n", "\\n").replace("\x1b", "\\x1b")
    return line if record["exception"] is None else f"{line}\n{redact(_trace(record))}"


def _fields(record: "Record") -> dict[str, Any]:
    extra = dict(record["extra"])
    facts = extra.pop(FACTS, {})
    name = extra.pop("logger", record["name"])
    fields = {**facts, **extra}
    return {"logger": name, **{key: redacted(key, value) for key, value in fields.items() if value is not None}}


def _trace(record: "Record") -> str:
    problem = record["exception"]
    if problem is None or problem.value is None:
        return ""
    return "".join(traceback.format_exception(problem.type, problem.value, problem.traceback)).rstrip()


class Monitor:
    """Every metric of the process, named tidemark_*, in base units; labels are route templates, never ids."""

    def __init__(self) -> None:
        # A second series for each counter, that nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="tidemark", registry=self.registry)
        Gauge("tidemark_build_info", "Always 1.", ("version",), registry=self.registry).labels(VERSION).set(1)
        self._ready = Gauge(
            "tidemark_ready", "1 while what requests need is there.", ("check",), registry=self.registry
        )
        self._requests = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self._durations = Histogram(
            "tidemark_http_request_duration_seconds",
            "From the request's first byte to the answer's last.",
            ("method", "route"),
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._in_flight = Gauge("tidemark_http_requests_in_flight", "Requests at work.", registry=self.registry)
        self._problems = self._counter("http_problems", "Requests refused or failed, by error code.", "code")
        self._unexpected = self._counter("unexpected_errors", "Errors that nobody expected.")
        self._rate_limited = self._counter("rate_limited", "Requests refused by a rate limit.", "limit")
        self._tokens = self._counter("token_checks", "Access tokens checked.", "outcome")
        self._loop_lag = Histogram(
            "tidemark_event_loop_lag_seconds",
            "How late the event loop runs what is due.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._pool_wait = Histogram(
            "tidemark_database_pool_wait_seconds",
            "Waiting for a database connection.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )

        self._streams = Gauge(
            "tidemark_streams", "Streams of events that are open, those of sockets included.", registry=self.registry
        )
        self._streams_closed = self._counter("streams_closed", "Streams that ended, by reason.", "why")
        self._sockets = Gauge("tidemark_sockets", "WebSockets that are open.", registry=self.registry)
        self._sockets_closed = self._counter("sockets_closed", "WebSockets that ended, by reason.", "why")
        self._stream_lag = Histogram(
            "tidemark_stream_lag_seconds",
            "From an event to its being told to the streams of its user.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )

        self._jobs_running = Gauge("tidemark_jobs_running", "Jobs at work here.", ("kind",), registry=self.registry)
        self._jobs_waiting = Gauge("tidemark_jobs_waiting", "Jobs that wait.", ("kind",), registry=self.registry)
        self._oldest_wait = Gauge(
            "tidemark_jobs_oldest_wait_seconds", "How long the oldest job waits.", ("kind",), registry=self.registry
        )
        self._job_waits = self._job_times("job_wait", "From the queue to the start.", "kind")
        self._job_durations = self._job_times("job_duration", "From the start to the end.", "kind", "outcome")
        self._eta_error = Gauge(
            "tidemark_job_eta_error_ratio",
            "By what share of their length jobs missed the time that was foreseen, as a median.",
            ("kind",),
            registry=self.registry,
        )
        self._workers_restarted = self._counter("worker_restarts", "Worker processes that were replaced.")
        self._leases_expired = self._counter("job_leases_expired", "Jobs taken back from a runner that went silent.")

        self._vendor_requests = self._counter(
            "vendor_requests", "Requests to providers of market data.", "provider", "outcome"
        )
        self._vendor_bytes = self._counter("vendor_received_bytes", "What they answered.", "provider")
        self._bar_reads = self._counter("bar_reads", "Reads of stored bars, by where they were.", "outcome")

    def _job_times(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"tidemark_{name}_seconds", meaning, labels, buckets=JOB_BUCKETS, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tidemark_{name}", meaning, labels, registry=self.registry)

    @contextmanager
    def request_in_flight(self) -> Iterator[None]:
        with self._in_flight.track_inprogress():
            yield

    def request_finished(self, *, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def problem(self, code: str) -> None:
        self._problems.labels(code).inc()

    def unexpected_error(self) -> None:
        self._unexpected.inc()

    def rate_limited(self, limit: str) -> None:
        self._rate_limited.labels(limit).inc()

    def token_checked(self, outcome: str) -> None:
        self._tokens.labels(outcome).inc()

    def stream_opened(self) -> None:
        self._streams.inc()

    def stream_closed(self, why: str) -> None:
        self._streams.dec()
        self._streams_closed.labels(why).inc()

    def socket_opened(self) -> None:
        self._sockets.inc()

    def socket_closed(self, why: str) -> None:
        self._sockets.dec()
        self._sockets_closed.labels(why).inc()

    def event_told(self, lag_seconds: float) -> None:
        self._stream_lag.observe(max(0.0, lag_seconds))

    def job_started(self, kind: str, *, waited_seconds: float) -> None:
        self._jobs_running.labels(kind).inc()
        self._job_waits.labels(kind).observe(max(0.0, waited_seconds))

    def job_ended(self, kind: str, how: str, seconds: float) -> None:
        self._jobs_running.labels(kind).dec()
        self._job_durations.labels(kind, how).observe(seconds)

    def eta_missed(self, kind: str, share: float | None) -> None:
        if share is not None:
            self._eta_error.labels(kind).set(share)

    def jobs_wait(self, waiting: Sequence[Waiting]) -> None:
        """What waits now; kinds that are not named wait no longer."""
        now = datetime.now(UTC)
        self._jobs_waiting.clear()
        self._oldest_wait.clear()
        for one in waiting:
            self._jobs_waiting.labels(one.kind).set(one.count)
            self._oldest_wait.labels(one.kind).set(max(0.0, (now - one.oldest_queued_at).total_seconds()))

    def worker_restarted(self) -> None:
        self._workers_restarted.inc()

    def leases_expired(self, count: int) -> None:
        self._leases_expired.inc(count)

    def vendor_asked(self, provider: str, outcome: str, received_bytes: int) -> None:
        self._vendor_requests.labels(provider, outcome).inc()
        self._vendor_bytes.labels(provider).inc(received_bytes)

    def bars_read(self, outcome: str) -> None:
        self._bar_reads.labels(outcome).inc()

    def readiness_checked(self, checks: Mapping[str, bool]) -> None:
        for name, is_ok in checks.items():
            self._ready.labels(name).set(is_ok)

    def pool_waited(self, seconds: float) -> None:
        self._pool_wait.observe(seconds)

    def watch_pool(self, size: Callable[[], int], idle: Callable[[], int]) -> None:
        """Report a pool's connections whenever the metrics are read."""
        self._watch("database_pool_connections", "Database connections that are open.", size)
        self._watch("database_pool_idle_connections", "Database connections that are open and free.", idle)

    def watch_bus(self, is_connected: Callable[[], bool]) -> None:
        self._watch("event_bus_connected", "1 while hints of changes arrive from the database.", is_connected)

    def watch_bars_disk(self, room: Callable[[], DiskRoom]) -> None:
        self._watch("bars_disk_bytes", "The disk that market data is on.", lambda: room().total_bytes)
        self._watch("bars_disk_free_bytes", "What of it is free.", lambda: room().free_bytes)

    def watch_workers(self, count: Callable[[], int], fit: Callable[[], int]) -> None:
        self._watch("workers", "Worker processes that there are to be.", count)
        self._watch("workers_ready", "Worker processes that answer.", fit)

    def watch_machine(self, gauges: Callable[[], MachineGauges]) -> None:
        self.registry.register(_Machine(gauges))

    def _watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        Gauge(f"tidemark_{name}", meaning, registry=self.registry).set_function(read)

    async def watch_event_loop(self) -> None:
        """Measure the event loop until cancelled."""
        while True:
            due = time.perf_counter() + LAG_PROBE_SECONDS
            await asyncio.sleep(LAG_PROBE_SECONDS)
            self._loop_lag.observe(max(0.0, time.perf_counter() - due))

    def exposition(self) -> tuple[bytes, str]:
        """The metrics as Prometheus reads them, and their content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Machine(Collector):
    """The machine's gauges, looked at once for each reading of the metrics."""

    def __init__(self, gauges: Callable[[], MachineGauges]) -> None:
        self._gauges = gauges

    def describe(self) -> Iterable[Metric]:
        return ()  # or it would be collected at once, to learn its names

    def collect(self) -> Iterable[Metric]:
        now = self._gauges()
        for name, meaning, value in (
            ("machine_cpu_usage_ratio", "How busy the processors are, 0 to 1.", now.cpu_percent / 100),
            ("machine_memory_bytes", "Memory of the machine, or of the container.", now.memory_total_bytes),
            ("machine_memory_available_bytes", "What of it nobody uses.", now.memory_available_bytes),
            ("jobs_capacity_cores", "Cores that all jobs together may take.", now.capacity.cores),
            ("jobs_capacity_memory_bytes", "Memory that all jobs together may take.", now.capacity.memory_bytes),
            ("jobs_room_cores", "Cores that are free for jobs.", now.room.cores),
            ("jobs_room_memory_bytes", "Memory that is free for jobs.", now.room.memory_bytes),
        ):
            yield GaugeMetricFamily(f"tidemark_{name}", meaning, value=value)
