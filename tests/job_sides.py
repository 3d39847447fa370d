"""Both ends that the contracts of jobs and events are held against: the fakes, and the tables of a real Postgres."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest

from tests.cluster import FreshDatabase
from tests.fake_jobs import FakeEventFeed, FakeJobQueue, FakeJobs, FakeTasks
from tests.job_tables import Sides, open_tables


class OpensSides(ABC):
    """What a contract over a queue needs: its sides, opened for each test."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Sides]: ...

    @pytest.fixture
    async def sides(self) -> AsyncIterator[Sides]:
        async with self.open() as sides:
            yield sides


class OnFakes(OpensSides):
    """In memory."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        tasks = FakeTasks()
        yield Sides(
            mine=FakeJobs(uuid4(), tasks),
            others=FakeJobs(uuid4(), tasks),
            queue=FakeJobQueue(tasks),
            feed=FakeEventFeed(tasks),
        )


class OnTables(OpensSides):
    """In Postgres."""

    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        async with open_tables(self.fresh) as tables:
            yield await tables.sides()
