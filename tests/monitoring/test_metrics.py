"""Metrics have names as Prometheus wants them, and tell of nobody."""

import re

from tests.monitoring.conftest import Exposed, run

# What may be told apart. Each has few values, however many people and jobs there are.
LABELS = {"method", "route", "status", "code", "limit", "outcome", "provider", "why", "kind", "check", "version", "le"}
BASE_UNITS = ("seconds", "bytes", "ratio", "info", "total", "cores")
OTHER_UNITS = re.compile(
    r"_(ms|milliseconds|microseconds|minutes|hours|kb|kib|mb|mib|gib|kilobytes|megabytes|percent|percentage)(_|$)"
)


def test_prometheus_finds_no_fault_with_them(exposed: Exposed, tool: str) -> None:
    checked = run(tool, "check", "metrics", stdin=exposed.text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_names_are_ours_in_base_units_and_counters_are_totals(exposed: Exposed) -> None:
    for name, type_ in exposed.types.items():
        assert name.startswith("tidemark_")
        assert not OTHER_UNITS.search(name)
        assert (type_ == "counter") == name.endswith("_total")
        if type_ == "histogram":
            assert name.endswith(BASE_UNITS)


def test_labels_are_of_few_values_and_name_nobody(exposed: Exposed) -> None:
    assert {label for labels in exposed.labels.values() for label in labels} <= LABELS
    for value in exposed.values:
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{24}|@", value), value
    assert "/api/system/tasks/{task_id}" in exposed.values


def test_what_the_platform_promises_to_tell_is_told(exposed: Exposed) -> None:
    assert {
        "tidemark_http_requests_total",
        "tidemark_http_problems_total",
        "tidemark_unexpected_errors_total",
        "tidemark_jobs_waiting",
        "tidemark_jobs_oldest_wait_seconds",
        "tidemark_jobs_running",
        "tidemark_job_wait_seconds",
        "tidemark_job_duration_seconds",
        "tidemark_job_leases_expired_total",
        "tidemark_worker_restarts_total",
        "tidemark_workers_ready",
        "tidemark_streams",
        "tidemark_stream_lag_seconds",
        "tidemark_event_bus_connected",
        "tidemark_database_pool_wait_seconds",
        "tidemark_event_loop_lag_seconds",
        "tidemark_machine_memory_available_bytes",
        "tidemark_ready",
        "tidemark_vendor_requests_total",
        "tidemark_vendor_received_bytes_total",
        "tidemark_bar_reads_total",
        "tidemark_bars_disk_free_bytes",
    } <= set(exposed.types)
