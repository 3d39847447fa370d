"""Each port's contract runs against the fake and against the adapter; adapters of the database on a real Postgres."""

from collections.abc import AsyncIterator

import pytest

from tests.cluster import Cluster, FreshDatabase, cluster

__all__ = ["cluster", "database"]


@pytest.fixture(scope="module")
async def database(cluster: Cluster) -> AsyncIterator[FreshDatabase]:
    """A migrated database for one test module, in which users are made quickly."""
    with cluster.fresh_database() as fresh:
        async with fresh.with_auth_tables() as database:
            yield database
