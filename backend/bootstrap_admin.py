"""The composition root of administration: one transaction in the hands of an administrator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.domain.accounts import Identity
    from backend.domain.admin_ports import AuditFile
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
        await Accounts(identity, AccountTables(connection)).require_admin()
        yield Administration(identity, AdminTables(connection, address), quotas)


def audit_file(file_format: str) -> "AuditFile":
    """An empty one, as `csv`, `json` or `parquet`."""
    from backend.data.audit_files import file_of

    return file_of(file_format)
