"""The contract of OwnDataRepository, kept by the fake and by the tables in a real Postgres."""

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.own_data import OwnDataTables
from backend.domain.errors import SessionEnded
from backend.domain.own_data import (
    MOST_EXPORTS_A_DAY,
    NOUNS,
    Key,
    LastAdmin,
    Noun,
    PasswordWrong,
    TablePiece,
    TooManyExports,
    TooManyTries,
)
from backend.domain.own_data_ports import OwnDataRepository
from backend.infrastructure.database import Database
from tests.cluster import FreshDatabase
from tests.contracts.test_account_repository import someone
from tests.fake_leaving import FakeOwnData
from tests.finished_backtests import finished_backtest

PRESETS = next(noun for noun in NOUNS if noun.name == "presets")


class OwnDataContract:
    """What holds for every OwnDataRepository: override `open`."""

    @abstractmethod
    def open(
        self,
        *,
        presets: Sequence[str] = (),
        runs: int = 0,
        password: str | None = None,
        has_session: bool = True,
        is_last_admin: bool = False,
    ) -> AbstractAsyncContextManager[OwnDataRepository]: ...

    async def test_pages_hold_each_row_once(self) -> None:
        async with self.open(presets=("a", "b", "c", "d", "e")) as own:
            assert sorted(await names(own, PRESETS)) == sorted(await names(own, replace(PRESETS, page=2)))
            assert sorted(await names(own, replace(PRESETS, page=5))) == ["a", "b", "c", "d", "e"]
            assert (await own.belongings()).counts["presets"] == 5

    async def test_what_there_is_none_of_is_one_empty_page(self) -> None:
        async with self.open() as own:
            page = await own.page(PRESETS, None)
            assert (page.rows, page.next) == ([], None)
            assert await own.pieces("equity", None) == []

    async def test_pieces_come_run_by_run_each_once(self) -> None:
        async with self.open(runs=3) as own:
            found: list[TablePiece] = []
            while some := await own.pieces("equity", place(found)):
                found += some
            assert len({one.backtest_id for one in found}) == len(found) == 3
            assert [one.part for one in found] == [0, 0, 0]
            assert await own.pieces("trials", None) == []

    async def test_an_export_is_begun_so_often_a_day(self) -> None:
        async with self.open() as own:
            for _ in range(MOST_EXPORTS_A_DAY):
                await own.begin_export("192.0.2.7")
            with pytest.raises(TooManyExports):
                await own.begin_export("192.0.2.7")

    async def test_without_a_session_nothing_is_taken_or_closed(self) -> None:
        async with self.open(has_session=False) as own:
            with pytest.raises(SessionEnded):
                await own.require_session()
            with pytest.raises(SessionEnded):
                await own.begin_export(None)
            assert isinstance(await own.close(None, None), SessionEnded)

    async def test_an_account_without_a_password_is_closed(self) -> None:
        async with self.open() as own:
            assert not (await own.belongings()).has_password
            assert await own.close(None, "192.0.2.7") is None

    async def test_a_password_is_asked_for_and_guesses_are_counted(self) -> None:
        async with self.open(password="correct horse") as own:
            assert (await own.belongings()).has_password
            assert isinstance(await own.close(None, None), PasswordWrong)
            for _ in range(5):
                assert isinstance(await own.close("guess", None), PasswordWrong)
            assert isinstance(await own.close("correct horse", None), TooManyTries)

    async def test_the_right_password_closes_it(self) -> None:
        async with self.open(password="correct horse") as own:
            assert isinstance(await own.close("guess", None), PasswordWrong)
            assert await own.close("correct horse", None) is None

    async def test_the_only_administrator_stays(self) -> None:
        async with self.open(is_last_admin=True) as own:
            assert isinstance(await own.close(None, None), LastAdmin)


class TestFakeOwnData(OwnDataContract):
    @asynccontextmanager
    async def open(self, *, runs: int = 0, **facts: Any) -> AsyncIterator[OwnDataRepository]:
        pieces = [TablePiece(backtest_id=uuid4(), part=0, content=b"PAR1") for _ in range(runs)]
        yield FakeOwnData(pieces=pieces, **facts)


class TestOwnDataTables(OwnDataContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(
        self,
        *,
        presets: Sequence[str] = (),
        runs: int = 0,
        password: str | None = None,
        has_session: bool = True,
        is_last_admin: bool = False,
    ) -> AsyncIterator[OwnDataRepository]:
        session_id = uuid4()
        user_id = await self.fresh.add_user(raw_app_meta_data=json.dumps({"role": "admin"} if is_last_admin else {}))
        await self._write(user_id, session_id if has_session else None, presets, password)
        for _ in range(runs):
            await finished_backtest(self.fresh.dsn("supabase_admin"), user_id)
        pool = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
        await pool.open()
        try:
            async with pool.acting_as(someone(user_id, session_id)) as connection:
                yield OwnDataTables(connection)
        finally:
            await pool.close()

    async def _write(
        self, user_id: UUID, session_id: UUID | None, presets: Sequence[str], password: str | None
    ) -> None:
        writer = await asyncpg.connect(self.fresh.dsn("supabase_admin"))
        try:
            if session_id is not None:
                await writer.execute(
                    "insert into auth.sessions (id, user_id, created_at) values ($1, $2, now())", session_id, user_id
                )
            if password is not None:
                await writer.execute(
                    "update auth.users set encrypted_password = extensions.crypt($2, extensions.gen_salt('bf', 4))"
                    " where id = $1",
                    user_id,
                    password,
                )
            for name in presets:
                await writer.execute(
                    "insert into public.backtest_presets (user_id, name, form) values ($1, $2, '{}')", user_id, name
                )
        finally:
            await writer.close()


async def names(own: OwnDataRepository, noun: Noun) -> list[str]:
    found: list[str] = []
    after: Key | None = None
    while True:
        page = await own.page(noun, after)
        assert len(page.rows) <= noun.page
        found += [json.loads(row)["name"] for row in page.rows]
        if page.next is None:
            return found
        after = page.next


def place(found: Sequence[TablePiece]) -> Key | None:
    return (found[-1].backtest_id, found[-1].part) if found else None
