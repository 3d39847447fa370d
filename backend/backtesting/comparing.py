"""Records of runs side by side: what `compared` needs of each, and the document with what they are called."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from backend.backtesting.comparison import Compared, compared
from backend.backtesting.record import Record
from backend.domain.bars import start_microseconds
from backend.domain.errors import InputError, InvalidInput
from backend.domain.trading.daily import DailyEquity

FEWEST, MOST = 2, 20
_TRADES: Final = ["symbol", "side", "entry_time", "pnl"]


def comparison(records: Sequence[Record], *, seed: int = 0) -> dict[str, Any]:
    """A JSON document. Raises InvalidInput for too few or too many runs."""
    if not FEWEST <= len(records) <= MOST:
        detail = f"From {FEWEST} to {MOST} runs can be compared, not {len(records):,}."
        raise InvalidInput([InputError(pointer="/ids", detail=detail)], detail)
    named = [{"id": each.id, "title": each.title, "currency": each.currency} for each in records]
    return {"runs": named, **compared([_compared(each) for each in records], seed=seed)}


def _compared(record: Record) -> Compared:
    timeframe = record.config.series[0].timeframe
    closes = start_microseconds(record.equity) + timeframe.seconds * 1_000_000
    equity = record.equity["equity"].to_numpy(np.float64)
    return Compared(
        id=str(record.id),
        statistics=record.statistics.values,
        missing=record.statistics.missing,
        # With the parameters that nobody gave, and the bars by their content.
        config={
            **record.config.model_dump(mode="json"),
            "parameters": dict(record.manifest["parameters"]),
            "content": {each["symbol"]: each["content_hash"][:12] for each in record.manifest["data"]},
        },
        times=closes,
        equity=equity,
        daily=DailyEquity.of(
            closes,
            equity,
            start=record.config.trading.cash,
            calendar=record.manifest["data"][0]["instrument"]["calendar"],
            timeframe=timeframe,
        ),
        trades=record.trades[_TRADES],
    )
