"""A backtest that has run, put straight into the tables: for tests of what is done with results."""

import base64
import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pandas as pd

from backend.data.run_tables import ParquetTables

FIGURES = {"statistics": {"total_return": 0.124, "sharpe": 0.81}, "missing": {}, "groups": {}, "notes": [], "bars": 3}
TRUST = {"checks": [{"code": "trades", "verdict": "good", "sentence": "3 trades."}]}
CONFIG = {
    "strategy": "sma_cross",
    "parameters": {"fast": 20},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d"}],
}


async def finished_backtest(dsn: str, user_id: UUID, *, rows: int = 3, **facts: Any) -> UUID:
    """With so many trades and bars of equity; `facts` are columns of `backtests` that shall be otherwise."""
    backtest_id = uuid4()
    row = {"name": "My private name", "notes": "My private notes", "tags": ["private-tag"], "kind": "backtest", **facts}
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(
                "insert into public.tasks (id, user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
                " wall_limit_seconds, started_at, finished_at)"
                " values ($1, $2, $3, 'completed', '{}', 1, 1, 1, 1, now(), now())",
                backtest_id,
                user_id,
                row["kind"],
            )
            await connection.execute(
                "insert into public.backtests (id, user_id, kind, config, name, notes, tags, figures, manifest, trust)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                backtest_id,
                user_id,
                row["kind"],
                json.dumps({**CONFIG, "study": {"secret": 1}}),
                row["name"],
                row["notes"],
                row["tags"],
                json.dumps(FIGURES) if row.get("figures", True) else None,
                json.dumps({"machine": "private", "data": [{"instrument": {"currency": "USDT"}}]}),
                json.dumps(TRUST),
            )
            for name, table in (("trades", _trades(rows)), ("equity", _equity(rows))):
                for part in ParquetTables().packed(name, table):
                    await connection.execute(
                        "insert into public.backtest_parts (user_id, backtest_id, name, part, first_row, rows, content)"
                        " values ($1, $2, $3, $4, $5, $6, $7)",
                        user_id,
                        backtest_id,
                        name,
                        part["part"],
                        part["first_row"],
                        part["rows"],
                        base64.b64decode(part["content"]),
                    )
    finally:
        await connection.close()
    return backtest_id


def _trades(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": ["BTC/USDT"] * rows,
            "entry_time": _days(rows),
            "exit_time": _days(rows),
            "pnl": [float(place) for place in range(rows)],
        }
    )


def _equity(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"ts": _days(rows), "equity": [10_000.0 + place for place in range(rows)]})


def _days(rows: int) -> pd.DatetimeIndex:
    return pd.date_range(datetime.fromisoformat("2024-01-01T00:00:00+00:00"), periods=rows, freq="D", unit="us")
