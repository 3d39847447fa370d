"""A row of the list is written out by hand, for speed: it must not fall behind the model that describes it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic_core import to_json

from backend.api.routers.backtest_shapes import BacktestRow
from backend.api.routers.backtests import row_of
from backend.domain.backtests import BacktestInBrief, Summary
from backend.domain.jobs import JobFailure, JobKind, JobState

AT = datetime(2026, 11, 28, 3, 4, 5, 678901, tzinfo=UTC)
FAILURE = JobFailure(code="out_of_memory", title="Out of memory", detail="It needed 3 GB.", remedy="Ask for less.")


@pytest.mark.parametrize("failure", [None, FAILURE])
def test_row_is_what_the_model_would_write(failure: JobFailure | None) -> None:
    found = BacktestInBrief(
        id=UUID(int=7),
        kind=JobKind.SWEEP,
        state=JobState.FAILED,
        name="sma_cross",
        tags=("a", "b"),
        is_starred=True,
        has_notes=False,
        archived_at=None,
        deleted_at=AT,
        version=3,
        created_at=AT,
        started_at=AT,
        finished_at=None,
        is_partial=True,
        failure=failure,
        parent_id=UUID(int=8),
        strategy="sma_cross",
        provider="demo",
        timeframe="1h",
        symbols=("BTC/USDT",),
        summary=Summary(total_return=0.1, sharpe_ratio=None, max_drawdown=-0.25, trades=4),
    )
    written = to_json(row_of(found)).decode()
    assert (
        BacktestRow.model_validate_json(written).model_dump_json()
        == BacktestRow.model_validate(found, from_attributes=True).model_dump_json()
    )
    assert list(row_of(found)) == list(BacktestRow.model_fields)
