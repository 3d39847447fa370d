"""The contract of IdempotencyRepository, kept by the fake and by the table in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID, uuid4

import pytest

from backend.data.storage.idempotency import IdempotencyTable
from backend.domain.errors import IdempotencyKeyReused
from backend.domain.ports import IdempotencyRepository, KeptAnswer, RequestFingerprint
from backend.infrastructure.database import Database
from tests.cluster import FreshDatabase
from tests.contracts.test_account_repository import someone
from tests.fakes import FakeClock, FakeIdempotency

REQUEST = RequestFingerprint(method="PATCH", path="/api/me", body_hash="a" * 64)
ANSWER = KeptAnswer(
    status=200, headers={"etag": '"1"', "content-type": "application/json"}, body=b'{"a": "\xc3\xa9\x00"}'
)


class IdempotencyRepositoryContract:
    """What holds for every IdempotencyRepository: override `open`."""

    @abstractmethod
    def open(self, user_id: UUID) -> AbstractAsyncContextManager[IdempotencyRepository]:
        """The repository as this user sees it."""

    @pytest.fixture
    async def user_id(self) -> UUID:
        return uuid4()

    async def test_first_claim_is_free_to_work(self, user_id: UUID) -> None:
        async with self.open(user_id) as answers:
            assert await answers.claim(user_id, "key", REQUEST) is None

    async def test_second_claim_gets_the_answer(self, user_id: UUID) -> None:
        async with self.open(user_id) as answers:
            await answers.claim(user_id, "key", REQUEST)
            await answers.keep(user_id, "key", ANSWER)
            assert await answers.claim(user_id, "key", REQUEST) == ANSWER
            assert await answers.claim(user_id, "other key", REQUEST) is None

    @pytest.mark.parametrize(
        "other",
        [
            RequestFingerprint(method="PATCH", path="/api/me", body_hash="b" * 64),
            RequestFingerprint(method="POST", path="/api/me", body_hash="a" * 64),
            RequestFingerprint(method="PATCH", path="/api/you", body_hash="a" * 64),
        ],
    )
    async def test_other_request_under_the_key_is_refused(self, user_id: UUID, other: RequestFingerprint) -> None:
        async with self.open(user_id) as answers:
            await answers.claim(user_id, "key", REQUEST)
            await answers.keep(user_id, "key", ANSWER)
            with pytest.raises(IdempotencyKeyReused):
                await answers.claim(user_id, "key", other)


class TestFakeIdempotency(IdempotencyRepositoryContract):
    @asynccontextmanager
    async def open(self, user_id: UUID) -> AsyncIterator[IdempotencyRepository]:
        yield FakeIdempotency(user_id, FakeClock())


class TestIdempotencyTable(IdempotencyRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @pytest.fixture
    async def user_id(self, database: FreshDatabase) -> UUID:
        return await database.add_user()

    @asynccontextmanager
    async def open(self, user_id: UUID) -> AsyncIterator[IdempotencyRepository]:
        pool = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
        await pool.open()
        try:
            async with pool.acting_as(someone(user_id)) as connection:
                yield IdempotencyTable(connection)
        finally:
            await pool.close()
