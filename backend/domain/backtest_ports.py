"""The plugs of the feature backtests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from backend.domain.backtests import (
    Backtest,
    BacktestChange,
    BacktestFilter,
    BacktestOrder,
    BacktestPage,
    BacktestPlace,
    NewBacktest,
    Part,
    Preset,
    Rows,
    Tried,
)
from backend.domain.market import Series
from backend.domain.market_ports import Loaded

if TYPE_CHECKING:
    import pandas as pd


class BacktestRepository(Protocol):
    """Backtests, already narrowed by the database to those of the acting user."""

    async def add(self, backtest: NewBacktest) -> None:
        """Raises QuotaReached when as many are kept as the user's plan allows."""

    async def backtest(self, backtest_id: UUID) -> Backtest | None:
        """Also one that was deleted and can be brought back."""

    async def backtests(
        self, *, limit: int, after: BacktestPlace | None, order: BacktestOrder, only: BacktestFilter
    ) -> BacktestPage: ...

    async def tried(self, config: Mapping[str, Any]) -> Tried:
        """All earlier trials of the config's strategy on its first symbol; those of the same form are the same one."""

    async def tags(self) -> Mapping[str, int]:
        """All that are in use, with the number of backtests that have each."""

    async def change(self, backtest_id: UUID, change: BacktestChange, *, version: int | None) -> bool:
        """Apply it if the backtest still has that version (any, when None); False when nothing matched.

        Raises QuotaReached where one is brought back and as many as may are kept.
        """

    async def parts(self, backtest_id: UUID, name: str, rows: Rows) -> Sequence[Part]:
        """Those pieces of a table that hold some of the wanted rows, in order."""

    async def count_rows(self, backtest_id: UUID, name: str) -> int: ...

    async def presets(self) -> Sequence[Preset]: ...

    async def keep_preset(self, name: str, form: Mapping[str, Any]) -> Preset:
        """In the place of the one of that name, if there is one. Raises QuotaReached."""

    async def forget_preset(self, preset_id: UUID) -> bool: ...


class RunBars(Protocol):
    """Bars for a run in a process without a database: stored ones, or those of a simulated market."""

    def load(self, series: Series, start: datetime | None, end: datetime | None) -> Loaded:
        """Raises NoBars, which says what is stored and what to do."""


class TablePacking(Protocol):
    """Tables as compressed pieces, and back again, bit for bit."""

    def packed(self, name: str, table: "pd.DataFrame") -> list[dict[str, Any]]:
        """As the result of a task carries them: name, part, first_row, rows, first_at, last_at, content (base64)."""

    def unpacked(self, parts: Sequence[Part], columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Some of the columns, or all. Nothing at all is a table without columns."""
