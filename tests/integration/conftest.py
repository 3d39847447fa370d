"""Integration tests stand on a real Postgres: `cluster` for the run, `database` fresh for each module."""

from tests.cluster import cluster, database

__all__ = ["cluster", "database"]
