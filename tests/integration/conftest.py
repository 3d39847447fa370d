"""Integration tests stand on a real Postgres: `cluster` for the run, `database` fresh for each module."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.infrastructure.supabase.postgres import leftovers
from tests.cluster import cluster, database
from tests.integration.runner_house import house
from tests.integration.writers import Writer

__all__ = ["cluster", "data_dir", "database", "house"]

# Those that wait for leases and restarts, or start many servers. They begin first, so that none is alone at the end.
LONGEST = frozenset(
    {
        "test_market_jobs",
        "test_two_servers",
        "test_serve",
        "test_killed_postgres",
        "test_killed_runner",
        "test_runner",
        "test_runner_claims",
    }
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not under pytest's own folder: that one is closed to everybody but us."""
    with tempfile.TemporaryDirectory(prefix="tidemark-embedded-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        for writer in Writer.of(Path(folder)):
            writer.kill()
        with contextlib.suppress(FileNotFoundError):
            leftovers.end_leftovers(Path(folder) / "postgres" / "17")
