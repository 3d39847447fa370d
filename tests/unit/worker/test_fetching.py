"""A fetch goes on where a provider failed it, waits as it is told, and gives up in the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.jobs import Progress
from backend.domain.market import ALWAYS, Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import NotServed, VendorBusy, VendorError, VendorRefused, VendorUnavailable
from backend.domain.market_ports import FetchedPage
from backend.services.markets import Markets
from backend.worker.fetching import Fetch, Pauses
from tests.bar_pages import instrument, page
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
    adjustments: tuple[Adjustment, ...] = (Adjustment.RAW,)
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


ADJUSTED = replace(BTC, adjustment=Adjustment.SPLITS)


class Adjusting(Moody):
    """A BarFetcher whose prices are divided by the factor that is in force, and reach back to some time."""

    adjustments = (Adjustment.RAW, Adjustment.SPLITS)

    def __init__(self) -> None:
        super().__init__()
        self.factor, self.revised, self.reaches = 1.0, 0.0, START

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        self.asked.append(wanted)
        if wanted.start < self.reaches:
            raise NotServed("It does not go back as far.")
        first = (wanted.start - START) // timedelta(hours=1)
        whole = page(first + wanted.length // timedelta(hours=1))
        bars = whole.bars.iloc[first:].reset_index(drop=True)
        prices = ["open", "high", "low", "close"]
        bars[prices] = bars[prices] / self.factor
        bars["high"] += self.revised
        yield FetchedPage(bars=bars, covered=wanted)


def hours(start: int, end: int) -> Span:
    return Span(start=START + timedelta(hours=start), end=START + timedelta(hours=end))


@pytest.mark.parametrize("series", [BTC, ADJUSTED])
def test_a_split_begins_a_new_version_of_a_series(series: Series) -> None:
    fetcher, store, told = Adjusting(), FakeBarStore(FakeClock()), list[Progress]()
    fetch = Fetch(Markets({"moody": fetcher}, ()), store, SHORT)
    asyncio.run(fetch.fetch(series, [hours(0, 20)], told.append, lambda: False))
    fetcher.factor, fetcher.asked = 2.0, []
    done = asyncio.run(fetch.fetch(series, [hours(0, 30)], told.append, lambda: False))
    close = store.read(series).bars["close"]
    if series is BTC:  # a price as traded is never another one
        assert (done["bars"], fetcher.asked) == (10, [hours(20, 30)])
        return
    assert done == {"bars": 30, "percent": 100.0}
    assert close.tolist() == (page(30).bars["close"] / 2).tolist()
    assert any("adjusted anew" in (one.message or "") for one in told)
    fetcher.asked = []
    assert asyncio.run(fetch.fetch(series, [hours(0, 40)], told.append, lambda: False))["bars"] == 10
    assert fetcher.asked == [hours(24, 30), hours(30, 40)]


def test_a_gap_is_not_filled_with_prices_of_another_version() -> None:
    fetcher, store = Adjusting(), FakeBarStore(FakeClock())
    fetch = Fetch(Markets({"moody": fetcher}, ()), store, SHORT)
    asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 20)], lambda _: None, lambda: False))
    fetcher.factor = 1.003  # a dividend
    asyncio.run(fetch.fetch(ADJUSTED, [hours(5, 7)], lambda _: None, lambda: False, again=True))
    assert store.read(ADJUSTED).bars["close"].tolist() == (page(20).bars["close"] / 1.003).tolist()


def test_a_bar_that_was_revised_begins_no_new_version() -> None:
    fetcher, store = Adjusting(), FakeBarStore(FakeClock())
    fetch = Fetch(Markets({"moody": fetcher}, ()), store, SHORT)
    asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 20)], lambda _: None, lambda: False))
    fetcher.revised = 0.5
    assert asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], lambda _: None, lambda: False))["bars"] == 10


def split_over(store: FakeBarStore) -> tuple[Adjusting, Fetch]:
    """A provider whose prices are half of what is stored of twenty hours."""
    fetcher = Adjusting()
    fetch = Fetch(Markets({"moody": fetcher}, ()), store, SHORT)
    asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 20)], lambda _: None, lambda: False))
    fetcher.factor, fetcher.asked = 2.0, []
    return fetcher, fetch


def test_a_new_version_goes_back_as_far_as_its_provider_does() -> None:
    store, told = FakeBarStore(FakeClock()), list[Progress]()
    fetcher, fetch = split_over(store)
    fetcher.reaches = START + timedelta(hours=10)
    asyncio.run(fetch.fetch(ADJUSTED, [hours(12, 30)], told.append, lambda: False))
    assert store.read(ADJUSTED).bars["close"].tolist() == (page(30).bars["close"].iloc[12:] / 2).tolist()
    assert any("does not go back as far" in (one.message or "") for one in told)


def test_a_new_version_of_what_is_still_missing_is_better_than_none() -> None:
    store = FakeBarStore(FakeClock())
    fetcher, fetch = split_over(store)
    fetcher.reaches = START + timedelta(hours=14)
    asyncio.run(fetch.fetch(ADJUSTED, [hours(12, 30)], lambda _: None, lambda: False))
    assert store.read(ADJUSTED).bars["close"].tolist() == (page(30).bars["close"].iloc[20:] / 2).tolist()


class Breaking(Adjusting):
    """Ten hours a page; at some page something comes in between."""

    def __init__(self, at_hour: int, happens: Callable[[], None]) -> None:
        super().__init__()
        self._at, self._happens = START + timedelta(hours=at_hour), happens

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        start = wanted.start
        while start < wanted.end:
            if start == self._at:
                self._happens()
            end = min(start + timedelta(hours=10), wanted.end)
            async for found in super().fetch(series, Span(start=start, end=end)):
                yield found
            start = end


def renewing(store: FakeBarStore, fetcher: Breaking) -> Fetch:
    split_over(store)
    fetcher.factor = 2.0
    return Fetch(Markets({"moody": fetcher}, ()), store, SHORT)


OLD = page(20).bars["close"].tolist()
NEW = (page(30).bars["close"] / 2).tolist()


def test_a_new_version_that_fails_leaves_the_old_one() -> None:
    def fail() -> None:
        raise VendorRefused("No such key.")

    store = FakeBarStore(FakeClock())
    fetch = renewing(store, Breaking(20, fail))
    with pytest.raises(VendorRefused):
        asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], lambda _: None, lambda: False))
    assert store.read(ADJUSTED).bars["close"].tolist() == OLD


def test_a_new_version_is_read_only_when_it_is_whole() -> None:
    store, seen = FakeBarStore(FakeClock()), list[list[float]]()
    fetch = renewing(store, Breaking(20, lambda: seen.append(store.read(ADJUSTED).bars["close"].tolist())))
    done = asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], lambda _: None, lambda: False))
    assert seen == [OLD]
    assert done == {"bars": 30, "percent": 100.0}
    assert store.read(ADJUSTED).bars["close"].tolist() == NEW


def test_a_new_version_goes_on_after_a_failure() -> None:
    moods: list[VendorError] = [down(), down()]

    def fail_twice() -> None:
        if moods:
            raise moods.pop()

    store, told = FakeBarStore(FakeClock()), list[Progress]()
    fetch = renewing(store, Breaking(20, fail_twice))
    assert asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], told.append, lambda: False))["bars"] == 30
    assert [round(one.percent or 0) for one in told if one.stage == "waiting"] == [67, 67]
    assert store.read(ADJUSTED).bars["close"].tolist() == NEW


def test_a_new_version_that_is_cancelled_leaves_the_old_one() -> None:
    store, told = FakeBarStore(FakeClock()), list[Progress]()
    fetch = renewing(store, Breaking(-1, lambda: None))
    done = asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], told.append, lambda: told[-1].percent is not None))
    assert done == {"bars": 0, "percent": 0.0}
    assert store.read(ADJUSTED).bars["close"].tolist() == OLD


def test_a_new_version_that_somebody_else_stored_first_is_kept() -> None:
    store = FakeBarStore(FakeClock())

    def come_first() -> None:
        if not others:
            others.append(1)
            found = page(40).bars
            prices = ["open", "high", "low", "close"]
            found[prices] = found[prices] / 2
            store.delete(ADJUSTED)
            store.write(instrument(ADJUSTED), ADJUSTED, FetchedPage(bars=found, covered=hours(0, 40)), source="moody")

    others: list[int] = []
    fetch = renewing(store, Breaking(20, come_first))
    assert asyncio.run(fetch.fetch(ADJUSTED, [hours(0, 30)], lambda _: None, lambda: False))["bars"] == 0
    assert store.read(ADJUSTED).bars["close"].tolist() == (page(40).bars["close"] / 2).tolist()
