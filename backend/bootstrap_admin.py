"""The composition root of administration: one transaction in the hands of an administrator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.domain.accounts import Identity
    from backend.domain.market_ports import DiskQuotas
    from backend.infrastructure.database import Database
    from backend.services.administration import Administration


@asynccontextmanager
async def administering(
    database: "Database", quotas: "DiskQuotas", identity: "Identity", *, address: str | None
) -> "AsyncIterator[Administration]":
    """Raises AdminNeeded before anything else is looked at. `address` is where the administrator comes from."""
    from backend.data.storage.accounts import AccountTables
    from backend.data.storage.administration import AdminTables
    from backend.services.accounts import Accounts
    from backend.services.administration import Administration

    async with database.acting_as(identity) as connection:
        accounts = Accounts(identity, AccountTables(connection))
        administration = Administration(identity, AdminTables(connection, address), accounts, quotas)
        await administration.require_admin()
        yield administration
