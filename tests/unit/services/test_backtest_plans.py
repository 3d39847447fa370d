"""Whether a run can be made is found out before it is queued, and each refusal points at the field that is wrong."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.domain.backtest_errors import BarsMissing
from backend.domain.config import RunConfig
from backend.domain.errors import InvalidInput
from backend.domain.forecast import CompletedRun, Forecasts
from backend.domain.jobs import KINDS, JobKind
from backend.domain.market import Adjustment, Instrument, Series, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.backtest_plans import BacktestPlanner
from backend.services.bar_library import BarLibrary
from backend.services.markets import Markets, ProviderFacts
from backend.services.study_plans import plan_study
from tests.fake_bar_store import FakeBarStore
from tests.fake_calendars import FakeCalendars
from tests.fakes import FakeClock
from tests.market_bars import instrument_of, walk

NOW = datetime(2026, 2, 1, 12, 34, 56, tzinfo=UTC)
OWNER = UUID(int=7)
STRATEGIES = StrategyRegistry()


class SomeFetcher:
    """A provider that knows its instruments; none of its bars are asked for."""

    def __init__(self, provider: str, currency: str = "USDT") -> None:
        self._provider, self._currency = provider, currency

    async def instruments(self, search: str, *, limit: int) -> list[Instrument]:
        return [self._instrument(search)]

    def _instrument(self, symbol: str) -> Instrument:
        return Instrument(
            provider=self._provider,
            symbol=symbol,
            name=symbol,
            calendar="24/7",
            currency="EUR" if symbol.endswith("/EUR") else self._currency,
            is_simulated=self._provider == "demo",
        )

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a plan asked a provider for {name}")


class Desk:
    """A planner, and what lies around it."""

    def __init__(self) -> None:
        clock = FakeClock(NOW)
        self.store = FakeBarStore(clock)
        self.forecasts = Forecasts()
        facts = [
            ProviderFacts(
                name=name,
                title=name,
                about="",
                timeframes=tuple(Timeframe),
                adjustments=(Adjustment.RAW,),
                is_simulated=name == "demo",
            )
            for name in ("demo", "vendor")
        ]
        self.markets = Markets({"demo": SomeFetcher("demo"), "vendor": SomeFetcher("vendor")}, facts)  # type: ignore[dict-item]  # all that is asked of it
        self.planner = BacktestPlanner(
            strategies=STRATEGIES,
            markets=self.markets,
            store=self.store,
            library=BarLibrary(self.store, FakeCalendars(), clock),
            forecasts=self.forecasts,
            clock=clock,
            pace=lambda: 2.0,
        )


def config(**changes: Any) -> RunConfig:
    form = {
        "strategy": "sma_cross",
        "series": [{"provider": "import", "symbol": "BTC/USDT", "timeframe": "1h"}],
        "start": "2026-01-05T00:00:00Z",
        "end": "2026-01-15T00:00:00Z",
    }
    return RunConfig.model_validate({**form, **changes})


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    series = Series(provider="import", symbol="BTC/USDT", timeframe=Timeframe.H1, owner=OWNER)
    desk.store.write(instrument_of(), series, FetchedPage.of(series, walk(600)), source="test")
    return desk


async def refusal(desk: Desk, wanted: RunConfig, owner: UUID = OWNER) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as refused:
        await desk.planner.plan(wanted, owner)
    return refused.value.errors[0].pointer, refused.value.errors[0].detail


async def test_a_plan_counts_bars_and_says_what_they_take(desk: Desk) -> None:
    plan = await desk.planner.plan(config(), OWNER)
    assert (plan.bars, plan.trials) == (240, 1)
    assert plan.demand.memory_bytes > KINDS[JobKind.BACKTEST].demand.memory_bytes
    assert plan.seconds == pytest.approx(2.0 * (0.1 + 240 * 1.2e-6))
