"""The part of the composition root for one's own data: taking it along, and leaving."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from loguru import logger

from backend.domain.own_data import Key, Noun, OwnPage, TablePiece

if TYPE_CHECKING:
    from pathlib import Path

    from backend.domain.accounts import Identity
    from backend.domain.model_ports import ModelFiles
    from backend.domain.own_data_ports import OwnDataRepository, OwnFiles
    from backend.domain.ports import Clock
    from backend.infrastructure.places import Places
    from backend.infrastructure.service_database import ServiceDatabase
    from backend.services.leaving import Leaving
    from backend.settings import Settings

Acting = Callable[[], "AbstractAsyncContextManager[OwnDataRepository]"]


@dataclass(frozen=True, kw_only=True)
class LeavingDesk:
    """What the API and the runner need for people's own data besides a user's transaction."""

    files: "OwnFiles"
    leaving: "Leaving"
    exports: "Places"
    clock: "Clock"

    async def exported(self, acting: "Acting", identity: "Identity", address: str) -> AsyncGenerator[bytes, None]:
        """Piece by piece, as the one who reads it takes them; whatever refuses it comes before the first."""
        from backend.services.takeaway import Takeaway

        async with self.exports.of(identity.user_id):
            async with acting() as own:
                await own.begin_export(address)
            takeaway = Takeaway(identity, _Pages(acting), self.files, self.clock)
            async with contextlib.aclosing(takeaway.pieces()) as pieces:
                async for piece in pieces:
                    yield piece

    async def leave(self, acting: "Acting", user_id: UUID, password: str | None, address: str) -> None:
        """Close the account, then remove all that is its own; what cannot go now is left to the housekeeping."""
        async with acting() as own:
            refusal = await own.close(password, address)
        if refusal is not None:
            raise refusal
        # Whoever hangs up meanwhile does not stop it.
        await asyncio.shield(asyncio.create_task(self._finish(user_id)))

    async def used_bytes(self, user_id: UUID) -> int:
        return await asyncio.to_thread(self.files.used_bytes, user_id)

    async def _finish(self, user_id: UUID) -> None:
        try:
            await self.leaving.finish(user_id)
        except Exception:  # noqa: BLE001 - the account is closed, and the next housekeeping goes on with it
            logger.exception("What somebody left behind could not be removed at once")


@dataclass(frozen=True)
class _Pages:
    """Each page in a transaction of its own, which asks anew whether the account and the session are still there."""

    acting: "Acting"

    async def page(self, noun: Noun, after: Key | None) -> OwnPage:
        async with self.acting() as own:
            await own.require_session()
            return await own.page(noun, after)

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]:
        async with self.acting() as own:
            await own.require_session()
            return await own.pieces(table, after)


def open_leaving_desk(
    cache_dir: "Path", clock: "Clock", database: "ServiceDatabase", model_files: "ModelFiles"
) -> LeavingDesk:
    """The database as the service, which sees to what people leave behind, wherever their models are kept."""
    from backend.data.bar_files import TableFiles
    from backend.data.own_files import FolderOwnFiles
    from backend.data.storage.bars import ParquetBarStore
    from backend.data.storage.own_data import DepartureTables
    from backend.infrastructure.places import Places
    from backend.services.leaving import Leaving

    store = ParquetBarStore(cache_dir, clock)
    files = FolderOwnFiles(cache_dir, store, TableFiles(cache_dir), model_files)
    return LeavingDesk(
        files=files,
        leaving=Leaving(DepartureTables(database), files, clock),
        exports=Places("exports at once", of_one=1),
        clock=clock,
    )


async def delete_account(settings: "Settings", worker_dsn: str, user_id: UUID, reason: str) -> bool:
    """For the command line, beside a server that runs; False when there is no such account."""
    from backend.bootstrap_market import usable_cache_dir
    from backend.bootstrap_models import model_files_of
    from backend.infrastructure.clock import SystemClock
    from backend.infrastructure.service_database import ServiceDatabase

    database = ServiceDatabase(worker_dsn, min_size=1, max_size=1)
    await database.open()
    try:
        clock = SystemClock()
        model_files, _ = model_files_of(settings, clock)
        desk = open_leaving_desk(usable_cache_dir(settings.cache_dir), clock, database, model_files)
        return await desk.leaving.delete(user_id, reason)
    finally:
        await database.close()
