"""Each port's contract runs against the fake and against the adapter; adapters of the database on a real Postgres."""

from tests.cluster import cluster, database

__all__ = ["cluster", "database"]
