"""What a user can do inside one transaction: the services, and the tables below them on its connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from backend.data.storage.accounts import AccountTables
from backend.data.storage.backtests import BacktestTable
from backend.data.storage.exchange_keys import KeyTable
from backend.data.storage.idempotency import IdempotencyTable
from backend.data.storage.jobs import JobTable
from backend.data.storage.models import ModelTable
from backend.data.storage.own_data import OwnDataTables
from backend.data.storage.predictions import PredictionTable
from backend.data.storage.series import SeriesTable
from backend.data.storage.shares import ShareTable
from backend.data.storage.strategies import StrategyTables
from backend.data.storage.tickets import TicketTable
from backend.data.storage.tokens import TokenTable
from backend.domain.accounts import Identity
from backend.domain.own_data_ports import OwnDataRepository
from backend.domain.ports import IdempotencyRepository, StreamTickets
from backend.services.accounts import Accounts
from backend.services.backtests import Backtests
from backend.services.events import Events
from backend.services.exchange_keys import ExchangeKeys
from backend.services.jobs import Jobs
from backend.services.market_data import MarketData
from backend.services.models import Models
from backend.services.shares import Shares
from backend.services.strategies import Strategies
from backend.services.tokens import Tokens

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the acting user can do, inside one transaction."""

    accounts: Accounts
    backtests: Backtests
    events: Events
    exchange_keys: ExchangeKeys
    idempotency: IdempotencyRepository
    jobs: Jobs
    market_data: MarketData
    models: Models
    own_data: OwnDataRepository
    shares: Shares
    strategies: Strategies
    tickets: StreamTickets
    tokens: Tokens


def services_on(
    connection: "asyncpg.Connection[asyncpg.Record]",
    identity: Identity,
    jobs_on: Callable[[JobTable], Jobs],
    *,
    queued: list[UUID],
    on_revoked: Callable[[UUID], None],
) -> Services:
    """What is submitted is added to `queued`, and tokens that are revoked are told, for when it is committed."""
    accounts = Accounts(identity, AccountTables(connection))
    table = JobTable(connection, queued)
    jobs = jobs_on(table)
    backtests = Backtests(identity, BacktestTable(connection, identity.user_id), jobs)
    return Services(
        accounts=accounts,
        backtests=backtests,
        events=Events(table),
        exchange_keys=ExchangeKeys(identity, KeyTable(connection)),
        idempotency=IdempotencyTable(connection),
        jobs=jobs,
        market_data=MarketData(identity, SeriesTable(connection), jobs),
        models=Models(ModelTable(connection, identity.user_id), PredictionTable(connection), jobs),
        own_data=OwnDataTables(connection),
        shares=Shares(backtests, ShareTable(connection)),
        strategies=Strategies(StrategyTables(connection)),
        tickets=TicketTable(connection),
        tokens=Tokens(accounts, TokenTable(connection), on_revoked),
    )
