"""Whether a run can be made is found out before it is queued, and each refusal points at the field that is wrong."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.domain.backtest_errors import BarsMissing
from backend.domain.backtests import Plan
from backend.domain.config import RunConfig
from backend.domain.errors import InvalidInput
from backend.domain.forecast import CompletedRun, Forecasts
from backend.domain.jobs import KINDS, JobKind
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.domain.strategies.registry import StrategyRegistry
from backend.services import backtest_plans
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
HOURLY = {"provider": "import", "symbol": "BTC/USDT", "timeframe": "1h"}


class SomeFetcher:
    """A provider that knows its instruments; none of its bars are asked for."""

    def __init__(self, provider: str, currency: str = "USDT") -> None:
        self._provider, self._currency = provider, currency

    timeframes = tuple(Timeframe)
    adjustments = (Adjustment.RAW,)

    async def instrument(self, symbol: str) -> Instrument:
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
        clock = self.clock = FakeClock(NOW)
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
        self.markets = Markets({"demo": SomeFetcher("demo"), "vendor": SomeFetcher("vendor")}, facts)
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
        "series": [HOURLY],
        "start": "2026-01-05T00:00:00Z",
        "end": "2026-01-15T00:00:00Z",
    }
    return RunConfig.model_validate({**form, **changes})


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    series = Series(provider="import", symbol="BTC/USDT", timeframe=Timeframe.H1, owner=OWNER)
    covered = Span(start=datetime(2026, 1, 5, tzinfo=UTC), end=datetime(2026, 1, 30, tzinfo=UTC))
    desk.store.write(instrument_of(), series, FetchedPage(bars=walk(600), covered=covered), source="test")
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


async def test_open_ends_are_written_down_as_they_are_now(desk: Desk) -> None:
    plan = await desk.planner.plan(config(start=None, end=None), OWNER)
    assert plan.config.start == datetime(2026, 1, 5, tzinfo=UTC)
    assert plan.config.end == datetime(2026, 1, 30, tzinfo=UTC)
    assert (plan.first, plan.last, plan.bars) == (plan.config.start, plan.config.end, 600)


async def test_simulated_bars_are_made_and_that_takes_time(desk: Desk) -> None:
    made = {"series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}]}
    plan = await desk.planner.plan(config(**made), OWNER)
    assert plan.notes == ("BTC/USDT is simulated.",)
    assert plan.work_units == 240 + 240 * 60 // 8


@pytest.mark.parametrize(
    ("known", "note"),
    [
        (0, ("How long it takes is a guess: none of its kind was completed here until now.",)),
        (1, ("How long it takes is a guess: 1 of its kind was completed here until now.",)),
        (6, ()),
    ],
)
async def test_a_study_says_that_its_time_is_a_guess_until_some_were_made(
    desk: Desk, known: int, note: tuple[str, ...]
) -> None:
    runs = [
        CompletedRun(job_id=uuid4(), kind=JobKind.SWEEP, work_units=240, seconds=9.0, ended_at=NOW)
        for _ in range(known)
    ]
    desk.forecasts.learn(runs)
    assert (await desk.planner.plan(config(), OWNER, kind=JobKind.SWEEP, trials=lambda _: 12)).notes == note
    assert (await desk.planner.plan(config(), OWNER)).notes == ()


async def test_what_was_learned_takes_the_place_of_the_first_guess(desk: Desk) -> None:
    desk.forecasts.learn(
        [CompletedRun(job_id=uuid4(), kind=JobKind.BACKTEST, work_units=240, seconds=9.0, ended_at=NOW)]
    )
    assert (await desk.planner.plan(config(), OWNER)).seconds == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"strategy": "sma_cros"}, "/strategy", "Did you mean 'sma_cross'?"),
        ({"parameters": {"fast": 50, "slow": 20}}, "/parameters", "fast has to be less than slow"),
        ({"parameters": {"fastest": 1}}, "/parameters/fastest", "fast"),
        ({"series": [{"provider": "import", "symbol": "ETH/USDT", "timeframe": "1h"}]}, "/series/0", "Import a file"),
        ({"series": [{"provider": "nobody", "symbol": "A", "timeframe": "1h"}]}, "/series/0", "nobody"),
        ({"series": [HOURLY, HOURLY]}, "/series/1/symbol", "BTC/USDT is there twice. Name each symbol once."),
        (
            {"series": [HOURLY, {"provider": "demo", "symbol": "ETH/USDT", "timeframe": "1d"}]},
            "/series/1/timeframe",
            "The first has 1h, this 1d.",
        ),
        ({"start": "2026-03-01T00:00:00Z", "end": None}, "/start", "It is 2026-02-01 12:34 UTC now."),
        ({"start": "2026-01-31T00:00:00Z", "end": "2026-01-31T06:00:00Z"}, "/series/0", "are not stored"),
        ({"trading": {"execution": {"detail": "4h"}}}, "/trading/execution/detail", "do not fit into bars of 1h"),
        ({"trading": {"execution": {"detail": "1m"}}}, "/series/0", "1m: bars between 2026-01-05"),
    ],
)
async def test_a_refusal_points_at_the_field(desk: Desk, changes: dict[str, Any], pointer: str, words: str) -> None:
    found, detail = await refusal(desk, config(**changes))
    assert found == pointer
    assert words in detail


async def test_an_import_is_found_by_its_owner_alone(desk: Desk) -> None:
    assert await refusal(desk, config(), UUID(int=8)) == (
        "/series/0",
        "You have no imported series BTC/USDT 1h. Import a file first.",
    )


async def test_bars_of_a_vendor_have_to_be_downloaded_first(desk: Desk) -> None:
    vendor = {"series": [{"provider": "vendor", "symbol": "SPY", "timeframe": "1h"}]}
    with pytest.raises(BarsMissing) as missing:
        await desk.planner.plan(config(**vendor), OWNER)
    assert missing.value.errors[0].pointer == "/series/0"
    with pytest.raises(BarsMissing) as nowhere:
        await desk.planner.plan(config(**vendor, start=None), OWNER)
    assert nowhere.value.errors[0].pointer == "/start"


async def test_one_run_has_one_currency(desk: Desk) -> None:
    pair = [{"provider": "demo", "symbol": symbol, "timeframe": "1h"} for symbol in ("BTC/USDT", "BTC/EUR")]
    pointer, detail = await refusal(desk, config(series=pair))
    assert (pointer, "EUR and USDT" in detail) == ("/series", True)


async def test_a_run_has_a_largest_size(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_plans, "MOST_BARS", 239)
    assert await refusal(desk, config()) == (
        "/start",
        "That is 240 bars; one run takes at most 239. Choose a shorter range.",
    )


async def study(desk: Desk, kind: JobKind, space: dict[str, Any], **how: Any) -> Plan:
    return await plan_study(desk.planner, STRATEGIES, config(), owner=OWNER, kind=kind, space=space, how=how)


async def test_a_study_is_planned_with_its_trials(desk: Desk) -> None:
    space = {"fast": [5, 10], "slow": [20, 30, 40]}
    assert (await study(desk, JobKind.SWEEP, space)).trials == 6
    assert (await study(desk, JobKind.SWEEP, space, trials=4)).trials == 4
    assert (await study(desk, JobKind.OPTIMIZE, space)).trials == 6
    walked = await study(desk, JobKind.WALK_FORWARD, space, folds=3)
    single = await desk.planner.plan(config(), OWNER)
    assert walked.trials == 18
    assert walked.demand.memory_bytes > single.demand.memory_bytes


@pytest.mark.parametrize(
    ("space", "how", "pointer"),
    [
        ({"fastest": [1]}, {}, "/space/fastest"),
        ({"fast": [5]}, {"objective": "sharp"}, "/objective"),
        ({"fast": [5]}, {"folds": 0}, "/folds"),
        ({"fast": [5]}, {"train": 5}, "/train"),
    ],
)
async def test_a_study_is_refused_with_a_pointer(
    desk: Desk, space: dict[str, Any], how: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await study(desk, JobKind.WALK_FORWARD, space, **how)
    assert refused.value.errors[0].pointer == pointer
