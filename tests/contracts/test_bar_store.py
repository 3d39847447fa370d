"""The contracts of BarStore and BarHousekeeping, kept by the twins and over Parquet files on a real disk."""

from abc import abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from backend.data.storage.bars import ParquetBarHousekeeping, ParquetBarStore
from backend.domain.bars import content_hash, empty_bars
from backend.domain.grid import microseconds
from backend.domain.market import IMPORT, Adjustment, Series, Span, Timeframe
from backend.domain.market_errors import BadBars, NoBars
from backend.domain.market_ports import BarHousekeeping, BarStore, FetchedPage
from tests.bar_pages import BTC, START, bars, bars_at, hours, instrument, page
from tests.fake_bar_store import FakeBarHousekeeping, FakeBarStore
from tests.fakes import FakeClock

YEAR = Series(provider="demo", symbol="YEAR", timeframe=Timeframe.M1)


class BarStoreContract:
    """What holds for every BarStore: override `store`."""

    @pytest.fixture
    @abstractmethod
    def store(self) -> BarStore: ...

    def write(self, store: BarStore, *pages: FetchedPage, series: Series = BTC) -> None:
        store.write(instrument(series), series, *pages, source="a test")

    def closes(self, store: BarStore, span: Span | None = None, series: Series = BTC) -> list[float]:
        closes: list[float] = store.read(series, span).bars["close"].tolist()
        return closes

    def test_nothing_is_stored_at_first(self, store: BarStore) -> None:
        assert store.manifest(BTC) is None
        assert store.manifests() == []
        assert store.all_series() == []
        assert store.missing(BTC, hours(0, 6)) == (hours(0, 6),)
        assert (store.problem(BTC), store.problems()) == (None, {})
        assert store.verify(BTC) == {}
        assert not store.delete(BTC)
        with pytest.raises(NoBars, match="demo BTC/USDT 1h"):
            store.read(BTC)

    def test_bars_come_back_as_they_went_in(self, store: BarStore) -> None:
        self.write(store, page(6))
        loaded = store.read(BTC)
        pd.testing.assert_frame_equal(loaded.bars, bars(6), check_exact=True)
        assert (loaded.series, loaded.instrument) == (BTC, instrument())

    def test_manifest_says_what_is_stored(self, store: BarStore) -> None:
        written = store.write(instrument(), BTC, page(6), source="a test")
        manifest = store.manifest(BTC)
        assert manifest == written
        assert (store.problem(BTC), store.problems()) == (None, {})
        assert manifest.covered == (hours(0, 6),)
        assert (manifest.rows, manifest.first, manifest.last) == (6, START, START + timedelta(hours=5))
        assert manifest.size_bytes > 0
        assert (manifest.source, manifest.instrument, manifest.series) == ("a test", instrument(), BTC)
        assert manifest.content_hash == store.read(BTC).content_hash

    def test_pages_are_appended_and_prepended(self, store: BarStore) -> None:
        for first in (6, 12, 0):
            part = bars(18).iloc[first : first + 6].reset_index(drop=True)
            self.write(store, FetchedPage(bars=part, covered=hours(first, first + 6)))
        pd.testing.assert_frame_equal(store.read(BTC).bars, bars(18), check_exact=True)
        assert store.missing(BTC, hours(0, 18)) == ()

    def test_only_what_is_not_covered_is_missing(self, store: BarStore) -> None:
        self.write(store, page(2, START + timedelta(hours=2)), page(2, START + timedelta(hours=8)))
        assert store.missing(BTC, hours(0, 12)) == (hours(0, 2), hours(4, 8), hours(10, 12))
        assert store.missing(BTC, hours(2, 4)) == ()
        manifest = store.manifest(BTC)
        assert manifest is not None
        assert manifest.covered == (hours(2, 4), hours(8, 10))

    def test_revised_bar_replaces_the_old_one(self, store: BarStore) -> None:
        self.write(store, page(6))
        self.write(store, page(1, START + timedelta(hours=3), price=777))
        assert self.closes(store) == [100, 100.01, 100.02, 777, 100.04, 100.05]

    def test_page_takes_out_bars_that_it_does_not_have(self, store: BarStore) -> None:
        self.write(store, page(6))
        self.write(store, FetchedPage(bars=empty_bars(), covered=hours(1, 3)))
        assert self.closes(store) == [100, 100.03, 100.04, 100.05]
        assert store.missing(BTC, hours(0, 6)) == ()

    def test_time_without_bars_is_known_too(self, store: BarStore) -> None:
        self.write(store, FetchedPage(bars=empty_bars(), covered=hours(0, 6)))
        assert store.missing(BTC, hours(0, 8)) == (hours(6, 8),)
        with pytest.raises(NoBars):
            store.read(BTC)
        manifest = store.manifest(BTC)
        assert manifest is not None
        assert (manifest.rows, manifest.first, manifest.last) == (0, None, None)

    def test_several_pages_count_together_and_the_later_replaces(self, store: BarStore) -> None:
        self.write(store, page(6), page(2, START + timedelta(hours=4), price=500), page(1, price=300))
        assert self.closes(store) == [300, 100.01, 100.02, 100.03, 500, 500.01]

    @pytest.mark.parametrize(
        ("frame", "covered", "reason"),
        [
            (bars(3), hours(0, 2.5), "row 2"),
            (bars(3), hours(1, 3), "row 0"),
            (bars(3).iloc[::-1].reset_index(drop=True), hours(0, 3), "row 1"),
            (pd.concat([bars(2), bars(1, START + timedelta(hours=1))], ignore_index=True), hours(0, 3), "row 2"),
        ],
        ids=["unfinished", "before what is covered", "backwards", "twice"],
    )
    def test_bars_that_are_not_wholly_covered_are_refused(
        self, store: BarStore, frame: pd.DataFrame, covered: Span, reason: str
    ) -> None:
        with pytest.raises(BadBars, match=reason):
            self.write(store, page(1), FetchedPage(bars=frame, covered=covered))
        assert store.manifest(BTC) is None

    def test_what_is_no_bar_frame_is_refused(self, store: BarStore) -> None:
        wild = bars(3).assign(volume=[1, 2, 3])[["ts", "close", "open", "high", "low"]]
        with pytest.raises(ValueError, match="no bar frame"):
            self.write(store, FetchedPage(bars=wild, covered=hours(0, 3)))

    def test_span_is_read_with_whole_bars_only(self, store: BarStore) -> None:
        self.write(store, page(6))
        assert self.closes(store, hours(1, 4)) == [100.01, 100.02, 100.03]
        assert self.closes(store, hours(0.5, 3.5)) == [100.01, 100.02]
        assert self.closes(store, hours(-100, 100)) == self.closes(store)
        for nothing in (hours(1.25, 2.75), hours(6, 12), hours(-9, 0), hours(2, 2)):
            with pytest.raises(NoBars, match="no bars"):
                store.read(BTC, nothing)

    def test_frame_of_a_span_has_an_index_of_its_own(self, store: BarStore) -> None:
        self.write(store, page(6))
        assert store.read(BTC, hours(2, 4)).bars.index.tolist() == [0, 1]

    def test_bar_that_is_cut_by_the_end_of_a_page_is_fetched_again(self, store: BarStore) -> None:
        self.write(store, FetchedPage(bars=bars(3), covered=hours(0, 3.5)))
        assert store.missing(BTC, hours(0, 6)) == (hours(3, 6),)
        assert store.missing(BTC, hours(0, 3.9)) == ()
        self.write(store, page(1, START + timedelta(hours=3), price=9))
        self.write(store, FetchedPage(bars=bars(1, price=5), covered=hours(-0.5, 1.5)))
        assert self.closes(store) == [5, 100.01, 100.02, 9]

    def test_hours_of_an_exchange_may_begin_at_its_quarters(self, store: BarStore) -> None:
        nyse, half, quarter = instrument(calendar="XNYS"), timedelta(minutes=30), timedelta(minutes=15)
        wanted = Span(start=START + half, end=START + timedelta(hours=4))
        first = page(3, START + half)
        store.write(nyse, BTC, first, source="a test")
        assert store.missing(BTC, wanted) == (Span(start=START + 11 * quarter, end=START + 8 * half),)
        store.write(nyse, BTC, FetchedPage(bars=empty_bars(), covered=store.missing(BTC, wanted)[0]), source="a test")
        assert store.missing(BTC, wanted) == ()
        assert len(store.read(BTC).bars) == 3

    def test_history_of_many_months_is_one_series(self, store: BarStore) -> None:
        start = datetime(2025, 10, 20, tzinfo=UTC)
        whole = page(120_000, start, Timeframe.M1)
        self.write(store, whole, series=YEAR)
        pd.testing.assert_frame_equal(store.read(YEAR).bars, whole.bars, check_exact=True)
        newyear = Span(start=datetime(2025, 12, 31, 23, tzinfo=UTC), end=datetime(2026, 1, 1, 1, tzinfo=UTC))
        assert store.read(YEAR, newyear).bars["ts"].iloc[[0, -1]].tolist() == [
            pd.Timestamp("2025-12-31 23:00", tz="UTC"),
            pd.Timestamp("2026-01-01 00:59", tz="UTC"),
        ]
        self.write(store, FetchedPage(bars=bars(120, newyear.start, Timeframe.M1, 7.0), covered=newyear), series=YEAR)
        revised = store.read(YEAR, newyear).bars["close"]
        assert (revised.iloc[0], revised.iloc[-1]) == (7.0, 8.19)
        assert len(store.read(YEAR).bars) == 120_000

    @pytest.mark.parametrize("timeframe", Timeframe)
    def test_every_timeframe_keeps_decades(self, store: BarStore, timeframe: Timeframe) -> None:
        series = replace(BTC, timeframe=timeframe)
        start = timeframe.floor(datetime(1969, 12, 30, tzinfo=UTC))
        early, late = page(400, start, timeframe), page(400, start + 20_000 * timeframe.length, timeframe, 9.0)
        self.write(store, late, series=series)
        self.write(store, early, series=series)
        both = pd.concat([early.bars, late.bars], ignore_index=True)
        pd.testing.assert_frame_equal(store.read(series).bars, both, check_exact=True)
        assert store.missing(series, Span(start=start, end=late.covered.end)) == (
            Span(start=early.covered.end, end=late.covered.start),
        )

    def test_same_bars_have_the_same_hash_however_they_came(self, store: BarStore) -> None:
        other = replace(YEAR, symbol="OTHER")
        start = datetime(2026, 1, 25, tzinfo=UTC)
        whole = page(20_000, start, Timeframe.M1)
        self.write(store, whole, series=YEAR)
        for first in (15_000, 0, 5_000, 10_000):
            part = whole.bars.iloc[first : first + 5_000].reset_index(drop=True)
            begin = start + first * Timeframe.M1.length
            self.write(
                store,
                FetchedPage(bars=part, covered=Span(start=begin, end=begin + 5_000 * Timeframe.M1.length)),
                series=other,
            )
        assert store.read(YEAR).content_hash == store.read(other).content_hash
        assert store.read(YEAR).content_hash == content_hash(whole.bars, Timeframe.M1)
        span = Span(start=start + timedelta(days=1), end=start + timedelta(days=9))
        part = whole.bars.iloc[1440 : 9 * 1440].reset_index(drop=True)
        assert store.read(YEAR, span).content_hash == content_hash(part, Timeframe.M1)
        assert store.read(YEAR, span).content_hash != store.read(YEAR).content_hash

    def test_nobody_can_change_what_others_read(self, store: BarStore) -> None:
        self.write(store, page(6))
        mine = store.read(BTC).bars
        with pytest.raises(ValueError, match="read-only"):
            mine.loc[3, "close"] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            mine["close"].to_numpy()[3] = 1.0
        mine["mine"] = 1.0
        pd.testing.assert_frame_equal(store.read(BTC).bars, bars(6), check_exact=True)

    def test_what_was_read_stays_when_the_series_changes(self, store: BarStore) -> None:
        self.write(store, page(6))
        before = store.read(BTC).bars
        self.write(store, page(6, price=500))
        pd.testing.assert_frame_equal(before, bars(6), check_exact=True)
        assert self.closes(store)[0] == 500

    def test_series_are_told_apart_by_every_part_of_their_name(self, store: BarStore) -> None:
        ada, eve = uuid4(), uuid4()
        several = [
            BTC,
            replace(BTC, owner=ada),
            replace(BTC, owner=eve),
            replace(BTC, symbol="btc/usdt"),
            replace(BTC, symbol="BTC-USDT"),
            replace(BTC, provider="crypto:binance"),
            replace(BTC, adjustment=Adjustment.ALL),
            replace(BTC, timeframe=Timeframe.H2),
        ]
        for price, series in enumerate(several, start=1):
            self.write(store, page(3, timeframe=series.timeframe, price=price), series=series)
        assert [self.closes(store, series=series)[0] for series in several] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert {manifest.series for manifest in store.manifests()} == set(store.all_series()) == set(several)
        assert store.delete(several[1])
        assert {manifest.series for manifest in store.manifests()} == set(several) - {several[1]}

    def test_instrument_and_source_are_those_of_the_last_write(self, store: BarStore) -> None:
        self.write(store, page(3))
        renamed = replace(instrument(), name="Bitcoin in dollars", first_bar=START, lot=1e-8, is_simulated=True)
        store.write(renamed, BTC, page(1, START + timedelta(hours=3)), source="another")
        manifest = store.manifest(BTC)
        assert manifest is not None
        assert (manifest.instrument, manifest.source) == (renamed, "another")
        assert store.read(BTC).instrument == renamed

    def test_writing_no_page_changes_nothing_that_is_stored(self, store: BarStore) -> None:
        self.write(store, page(3))
        self.write(store)
        assert self.closes(store) == [100, 100.01, 100.02]
        assert store.missing(BTC, hours(0, 4)) == (hours(3, 4),)

    def test_renewed_series_has_nothing_of_the_old_one(self, store: BarStore) -> None:
        old = store.write(instrument(), BTC, page(6), page(3, START + timedelta(days=800)), source="a test")
        pages = page(2, price=7), page(2, START + timedelta(hours=4), price=8)
        new = store.renew(instrument(), BTC, *pages, source="another", instead_of=old)
        assert new is not None
        assert new == store.manifest(BTC)
        assert (new.covered, new.source) == ((hours(0, 2), hours(4, 6)), "another")
        assert self.closes(store) == [7, 7.01, 8, 8.01]
        assert store.verify(BTC) == {}
        self.write(store, page(1, START + timedelta(days=800), price=9))
        assert self.closes(store) == [7, 7.01, 8, 8.01, 9]

    def test_what_somebody_wrote_since_is_not_renewed(self, store: BarStore) -> None:
        old = store.write(instrument(), BTC, page(6), source="a test")
        later = FetchedPage(bars=empty_bars(), covered=hours(6, 8))
        self.write(store, later)
        assert store.renew(instrument(), BTC, page(6, price=7), source="a test", instead_of=old) is None
        assert self.closes(store)[0] == 100
        assert store.missing(BTC, hours(0, 8)) == ()
        store.delete(BTC)
        assert store.renew(instrument(), BTC, page(6, price=7), source="a test", instead_of=old) is None
        assert store.manifest(BTC) is None

    def test_deleted_series_is_gone_and_can_begin_again(self, store: BarStore) -> None:
        self.write(store, page(6))
        assert store.delete(BTC)
        assert store.manifest(BTC) is None
        with pytest.raises(NoBars):
            store.read(BTC)
        self.write(store, page(2, price=5))
        assert self.closes(store) == [5, 5.01]

    def test_sound_series_passes_and_tells_how_far_it_is(self, store: BarStore) -> None:
        self.write(store, page(100_000, datetime(2025, 12, 1, tzinfo=UTC), Timeframe.M1), series=YEAR)
        told: list[tuple[int, int]] = []
        assert store.verify(YEAR, lambda done, of: told.append((done, of))) == {}
        assert told
        assert told[-1][0] == told[-1][1] == len(told)

    def test_bars_with_gaps_and_nothing_but_noise_come_back(self, store: BarStore) -> None:
        random = np.random.default_rng(7)
        starts = np.unique(random.integers(0, 60_000, 30_000)) * 60_000_000 + microseconds(START)
        noise = bars_at(starts, 0.00017).assign(volume=np.exp(random.normal(0, 9, len(starts))))
        noise["close"] = noise["low"] * (1 + 1e-9 * random.random(len(starts)))
        covered = Span(start=START, end=START + timedelta(minutes=60_000))
        self.write(store, FetchedPage(bars=noise, covered=covered), series=YEAR)
        pd.testing.assert_frame_equal(store.read(YEAR).bars, noise, check_exact=True)


class BarHousekeepingContract:
    """What holds for every BarHousekeeping: override `housekeeping`, and `store` beneath it."""

    @pytest.fixture(autouse=True)
    def _clock(self) -> None:
        self.clock = FakeClock()

    @pytest.fixture
    @abstractmethod
    def store(self) -> BarStore: ...

    @pytest.fixture
    @abstractmethod
    def housekeeping(self, store: BarStore) -> BarHousekeeping: ...

    def fill(self, store: BarStore, *several: Series) -> None:
        for series in several:
            store.write(instrument(series), series, page(500), source="a test")

    def test_bytes_are_counted_by_owner(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        assert housekeeping.used_bytes() == {}
        ada = uuid4()
        self.fill(store, BTC, replace(BTC, symbol="ETH"), replace(BTC, owner=ada))
        used = housekeeping.used_bytes()
        assert set(used) == {None, ada}
        assert used[None] > used[ada] > 0

    def test_what_was_not_used_for_longest_goes_first(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        several = [replace(BTC, symbol=symbol) for symbol in ("A", "B", "C")]
        for series in several:
            self.clock.advance(hours=1)
            self.fill(store, series)
        self.clock.advance(hours=1)
        store.read(several[0])
        used_at = {manifest.series.symbol: manifest.used_at for manifest in store.manifests()}
        assert used_at == {"A": self.clock.now(), "B": self.clock.now() - timedelta(hours=2), "C": used_at["C"]}
        size = store.manifests()[0].size_bytes
        assert [one.series.symbol for one in housekeeping.evict(2 * size)] == ["B"]
        assert [one.series.symbol for one in housekeeping.evict(size)] == ["C"]

    def test_eviction_stops_where_all_fit(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        several = [replace(BTC, symbol=symbol) for symbol in ("A", "B", "C")]
        self.fill(store, *several)
        (size,) = {manifest.size_bytes for manifest in store.manifests()}
        assert housekeeping.evict(3 * size) == []
        assert len(housekeeping.evict(2 * size)) == 1
        assert len(store.manifests()) == 2

    def test_imports_are_never_evicted(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        owner = uuid4()
        imported = Series(provider=IMPORT, symbol="MINE", timeframe=Timeframe.H1, owner=owner)
        self.fill(store, imported, BTC)
        size = store.manifests()[0].size_bytes
        assert housekeeping.evict(size) == [], "they do not push out what all share"
        assert [one.series for one in housekeeping.evict(0)] == [BTC]
        assert [one.series for one in store.manifests()] == [imported]

    def test_one_owner_pays_for_that_owner(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        ada, eve = uuid4(), uuid4()
        self.fill(store, BTC, replace(BTC, owner=ada), replace(BTC, owner=eve))
        assert [one.series.owner for one in housekeeping.evict(0, owner=ada)] == [ada]
        assert {one.series.owner for one in store.manifests()} == {None, eve}

    def test_disk_has_a_size(self, housekeeping: BarHousekeeping) -> None:
        room = housekeeping.room()
        assert room.total_bytes > room.free_bytes > 0

    def test_sweeping_harms_nothing(self, store: BarStore, housekeeping: BarHousekeeping) -> None:
        self.fill(store, BTC)
        housekeeping.sweep()
        assert len(store.read(BTC).bars) == 500


class TestFakeBarStore(BarStoreContract):
    @pytest.fixture
    def store(self) -> BarStore:
        return FakeBarStore()


class TestParquetBarStore(BarStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BarStore:
        return ParquetBarStore(tmp_path, FakeClock())


class TestForgetfulParquetBarStore(BarStoreContract):
    """One that remembers nothing decodes every time."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> BarStore:
        return ParquetBarStore(tmp_path, FakeClock(), remembered_bytes=0, threads=1)


class TestFakeBarHousekeeping(BarHousekeepingContract):
    @pytest.fixture
    def store(self) -> FakeBarStore:
        return FakeBarStore(self.clock)

    @pytest.fixture
    def housekeeping(self, store: FakeBarStore) -> BarHousekeeping:
        return FakeBarHousekeeping(store)


class TestParquetBarHousekeeping(BarHousekeepingContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ParquetBarStore:
        return ParquetBarStore(tmp_path, self.clock)

    @pytest.fixture
    def housekeeping(self, store: ParquetBarStore) -> BarHousekeeping:
        return ParquetBarHousekeeping(store)
