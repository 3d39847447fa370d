"""A fetch goes on where a provider failed it, waits as it is told, and gives up in the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.jobs import Progress
from backend.domain.market import ALWAYS, Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import VendorBusy, VendorError, VendorRefused, VendorUnavailable
from backend.domain.market_ports import FetchedPage
from backend.services.markets import Markets
from backend.worker.fetching import Fetch, Pauses
from tests.bar_pages import page
from tests.fake_bar_store import FakeBarStore
from tests.fakes import FakeClock

BTC = Series(provider="moody", symbol="BTC/USDT", timeframe=Timeframe.H1)
START = datetime(2026, 1, 5, tzinfo=UTC)
WANTED = Span(start=START, end=START + timedelta(hours=40))
SHORT = Pauses(first_seconds=0.001, longest_seconds=0.01, most=2)


class Moody:
    """A BarFetcher that fails in turn as it is told, None being a page of ten hours."""

    provider = "moody"
    timeframes = tuple(Timeframe)
    adjustments = (Adjustment.RAW,)
    bars_a_second = 1.0

    def __init__(self, *moods: VendorError | None) -> None:
        self._moods = list(moods)
        self.asked: list[Span] = []

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        return len(missing)

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        return [await self.instrument("BTC/USDT")]

    async def instrument(self, symbol: str) -> Instrument:
        return Instrument(provider="moody", symbol=symbol, name=symbol, calendar=ALWAYS, currency="USDT")

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        self.asked.append(wanted)
        start = wanted.start
        while start < wanted.end:
            mood = self._moods.pop(0) if self._moods else None
            if mood is not None:
                raise mood
            yield page(10, start)
            start += timedelta(hours=10)

    async def close(self) -> None:
        """There is nothing to close."""


def run(
    fetcher: Moody,
    *,
    told: list[Progress] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    again: bool = False,
    pauses: Pauses = SHORT,
) -> dict[str, float]:
    fetch = Fetch(Markets({"moody": fetcher}, ()), FakeBarStore(FakeClock()), pauses)
    heard = [] if told is None else told
    return asyncio.run(fetch.fetch(BTC, [WANTED], heard.append, is_cancelled, again=again))


def down() -> VendorUnavailable:
    return VendorUnavailable("It does not answer.")


@pytest.mark.parametrize("again", [False, True])
def test_what_came_is_not_asked_for_again(again: bool) -> None:
    told: list[Progress] = []
    fetcher = Moody(None, down(), None, VendorBusy("moody", 0.005))
    assert run(fetcher, told=told, again=again) == {"bars": 40, "percent": 100.0}
    assert [span.start - START for span in fetcher.asked] == [timedelta(hours=hours) for hours in (0, 10, 20)]
    waits = [one for one in told if one.stage == "waiting"]
    assert [one.percent for one in waits] == [25.0, 50.0]
    assert "does not answer. Trying again in 0 s" in (waits[0].message or "")


def test_it_gives_up_when_nothing_comes_between_failures() -> None:
    fetcher = Moody(None, *(down() for _ in range(9)))
    with pytest.raises(VendorUnavailable):
        run(fetcher)
    assert len(fetcher.asked) == 1 + SHORT.most


def test_a_page_in_between_gives_new_patience() -> None:
    fetcher = Moody(down(), down(), None, down(), down(), None, down(), down())
    assert run(fetcher)["bars"] == 40


@pytest.mark.parametrize("error", [VendorBusy("moody", 3600), VendorRefused("No such key.")])
def test_what_waiting_does_not_help_fails_at_once(error: VendorError) -> None:
    fetcher = Moody(error)
    with pytest.raises(type(error)):
        run(fetcher)
    assert len(fetcher.asked) == 1


def test_a_cancel_ends_the_waiting_and_keeps_what_came() -> None:
    told: list[Progress] = []
    done = run(
        Moody(None, down()),
        told=told,
        is_cancelled=lambda: told[-1].stage == "waiting",
        pauses=Pauses(first_seconds=3600, longest_seconds=3600),
    )
    assert done == {"bars": 10, "percent": 25.0}


def test_waits_double_up_to_the_longest() -> None:
    assert [Pauses().after(down(), failures) for failures in range(1, 6)] == [10, 20, 40, 80, None]
    assert Pauses().after(VendorBusy("moody", 90), 1) == 90
    assert Pauses().after(VendorBusy("moody"), 1) == 10


def test_a_bar_that_ends_after_the_wanted_time_waits_for_another_fetch() -> None:
    class UntilHalfPast(Moody):
        async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
            half_past = START + timedelta(hours=9, minutes=30)
            yield FetchedPage(bars=page(10, START).bars, covered=Span(start=START, end=half_past))

    store = FakeBarStore(FakeClock())
    fetch = Fetch(Markets({"moody": UntilHalfPast()}, ()), store, SHORT)
    wanted = [Span(start=START, end=START + timedelta(hours=9, minutes=30))]
    assert asyncio.run(fetch.fetch(BTC, wanted, lambda progress: None, lambda: False))["bars"] == 9
    manifest = store.manifest(BTC)
    assert manifest is not None
    assert manifest.covered == (Span(start=START, end=START + timedelta(hours=9)),)
