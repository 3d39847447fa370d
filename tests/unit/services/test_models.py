"""What is found out around models without a database: plans, the latest bars, what is said, measured and recorded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from backend.data.model_files import FolderModelFiles
from backend.data.storage.quotas import FolderQuotas
from backend.domain.config import SeriesConfig
from backend.domain.errors import InvalidInput
from backend.domain.forecast import CompletedRun
from backend.domain.jobs import KINDS, JobKind
from backend.domain.market import IMPORT, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import DataTooLarge, NoBars
from backend.domain.market_ports import FetchedPage, Loaded
from backend.domain.ml.labels import label
from backend.domain.ml.predicting import Freshness, Predicted
from backend.domain.ml.spec import LabelKind, ModelSpec
from backend.domain.model_errors import BarsTooOld, TooFewBars
from backend.domain.models import DuePrediction, Prediction, PredictionOutcome, PredictionWait
from backend.services.bar_library import BarLibrary
from backend.services.bars_at_hand import BarsAtHand
from backend.services.latest_bars import LatestBars
from backend.services.model_plans import TrainingPlanner
from backend.services.model_saying import Speaker, document_of, is_late_at, said_by
from backend.services.model_scoring import measured
from backend.services.track_records import track_record, waits_for
from tests.fake_calendars import FakeCalendars
from tests.market_bars import instrument_of, walk
from tests.model_cards import SERIES, card_of, prediction_of
from tests.unit.services.test_backtest_plans import NOW, OWNER, Desk

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINE = SeriesConfig(provider=IMPORT, symbol="BTC/USDT", timeframe=Timeframe.H1)
STORED = Series(provider=IMPORT, symbol="BTC/USDT", timeframe=Timeframe.H1, owner=OWNER)
FEW = ModelSpec(horizon=2, folds=2, least_in_leaf=20)


def desk_with(bars: int = 650, *, instrument: Instrument | None = None) -> Desk:
    desk = Desk()
    covered = Span(start=BEGIN, end=BEGIN + bars * HOUR)
    page = FetchedPage(bars=walk(bars), covered=covered)
    desk.store.write(instrument or instrument_of(), STORED, page, source="test")
    return desk


def planner_of(desk: Desk, most_bytes: int = 10**9) -> TrainingPlanner:
    at_hand = BarsAtHand(desk.markets, desk.store, BarLibrary(desk.store, FakeCalendars(), desk.clock), desk.clock)
    quotas = FolderQuotas(Path("/nowhere"), most_bytes)
    return TrainingPlanner(at_hand, forecasts=desk.forecasts, clock=desk.clock, quotas=quotas, pace=lambda: 2.0)


class NoBarsMade:
    """A RunBars that nobody should need."""

    def load(self, series: Series, start: datetime | None, end: datetime | None) -> Loaded:
        raise AssertionError(f"bars of {series} were made")


def latest_of(desk: Desk) -> LatestBars:
    return LatestBars(NoBarsMade(), desk.store, FakeCalendars(), desk.clock, is_simulated=lambda name: name == "demo")


class TestPlans:
    async def test_a_training_takes_all_that_is_stored(self) -> None:
        plan = await planner_of(desk_with(650)).plan(MINE, FEW, OWNER, threads=2)
        assert (plan.bars, plan.first, plan.last) == (650, BEGIN, BEGIN + 650 * HOUR)
        assert plan.demand.cores == 2
        assert plan.demand.memory_bytes == KINDS[JobKind.TRAIN].demand.memory_bytes + 1_100 * 650
        assert plan.notes == ()

    async def test_too_few_bars_are_refused_with_the_number_that_is_needed(self) -> None:
        planner = planner_of(desk_with(400))
        estimate = await planner.estimate(MINE, FEW, OWNER)
        assert not estimate.is_enough
        with pytest.raises(TooFewBars) as refused:
            await planner.plan(MINE, FEW, OWNER)
        assert (refused.value.bars, refused.value.needed) == (400, estimate.needed)
        whole = planner_of(desk_with(estimate.needed))
        assert (await whole.plan(MINE, FEW, OWNER)).is_enough

    async def test_who_has_no_room_for_a_model_is_told_before_it_is_trained(self) -> None:
        planner = planner_of(desk_with(650), most_bytes=1_000)
        with pytest.raises(DataTooLarge, match="0 B by models"):
            await planner.plan(MINE, FEW, OWNER)
        assert (await planner.estimate(MINE, FEW, OWNER)).is_enough

    def test_the_files_of_models_count_in_the_share_of_their_owner(self, tmp_path: Path) -> None:
        quotas, clock = FolderQuotas(tmp_path, 10_000), Desk().clock
        digest = FolderModelFiles(tmp_path, clock).keep(OWNER, b"x" * 4_000)
        FolderModelFiles(tmp_path, clock).keep(uuid4(), b"y" * 9_000)
        assert quotas.share(OWNER).models_bytes == quotas.share(OWNER).used_bytes == 4_000
        quotas.require(OWNER, 6_000)
        with pytest.raises(DataTooLarge, match=r"It needs .*, and .* of your .* are taken: .* 3\.9 KiB by models"):
            quotas.require(OWNER, 6_001)
        FolderModelFiles(tmp_path, clock).forget(OWNER, digest)
        quotas.require(OWNER, 10_000)

    async def test_of_a_simulated_market_two_years_of_hours_are_usual(self) -> None:
        plan = await planner_of(Desk()).plan(SERIES, ModelSpec(), OWNER)
        assert abs(plan.bars - 17_520) <= 1
        assert plan.last == NOW.replace(second=0, microsecond=0)
        assert plan.notes == ("BTC/USDT is simulated.",)

    async def test_the_bar_that_is_under_way_is_not_counted(self) -> None:
        plan = await planner_of(Desk()).plan(SERIES, FEW, OWNER, start=NOW - 700 * HOUR)
        finished = (NOW.replace(minute=0, second=0, microsecond=0) - (NOW - 700 * HOUR)) // HOUR
        assert plan.bars == finished

    async def test_who_waits_for_a_prediction_waits_for_the_latest_part_of_a_long_history(self) -> None:
        long = await planner_of(Desk()).plan(
            SERIES, ModelSpec(), OWNER, start=datetime(2016, 1, 1, tzinfo=UTC), is_brief=True
        )
        assert abs(long.bars - 17_520) <= 1
        assert long.last == NOW.replace(second=0, microsecond=0)

    async def test_the_time_is_learned_from_trainings_before(self) -> None:
        desk = desk_with(650)
        first = await planner_of(desk).plan(MINE, FEW, OWNER)
        assert first.seconds > 2 * 0.4
        desk.forecasts.learn(
            [CompletedRun(job_id=uuid4(), kind=JobKind.TRAIN, work_units=first.work_units, seconds=9.0, ended_at=NOW)]
        )
        assert (await planner_of(desk).plan(MINE, FEW, OWNER)).seconds == pytest.approx(9.0)

    @pytest.mark.parametrize(
        ("series", "start", "pointer"),
        [
            (MINE.model_copy(update={"symbol": "OTHER"}), None, "/series"),
            (MINE, BEGIN + 9_000 * HOUR, "/start"),
            (SERIES.model_copy(update={"provider": "nobody"}), BEGIN, "/series"),
        ],
    )
    async def test_what_is_wrong_is_named_by_its_field(
        self, series: SeriesConfig, start: datetime | None, pointer: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            await planner_of(desk_with()).plan(series, FEW, OWNER, start=start)
        assert refused.value.errors[0].pointer == pointer


class TestLatestBars:
    def test_the_newest_are_read_without_the_rest(self) -> None:
        desk = desk_with(600)
        found = latest_of(desk).last(STORED, 100).bars
        assert len(found) == 100
        assert found["ts"].iloc[-1] == BEGIN + 599 * HOUR
        assert len(latest_of(desk).last(STORED, 5_000).bars) == 600

    def test_features_do_not_reach_across_bars_that_nobody_downloaded(self) -> None:
        bars = latest_of(torn_desk(range(300, 310)))
        with pytest.raises(NoBars, match="are not stored"):
            bars.last(STORED, 400)
        assert len(bars.last(STORED, 290).bars) == 290

    def test_as_many_before_as_were_asked_for_come_along(self) -> None:
        bars = latest_of(desk_with(600))
        assert (bars.since(STORED, BEGIN + 100 * HOUR, before=64).bars["ts"] < BEGIN + 100 * HOUR).sum() >= 64
        assert (bars.since(STORED, BEGIN + 10 * HOUR, before=64).bars["ts"] < BEGIN + 10 * HOUR).sum() == 10

    def test_nothing_stored_is_said(self) -> None:
        with pytest.raises(NoBars, match="Download it first"):
            latest_of(Desk()).last(STORED, 100)

    def test_where_trade_never_ends_the_next_bar_follows_at_once(self) -> None:
        desk = desk_with(600)
        loaded = latest_of(desk).last(STORED, 10)
        assert latest_of(desk).next_opens(loaded, 12) == (BEGIN + 600 * HOUR, BEGIN + 612 * HOUR)

    def test_after_the_last_bar_of_a_session_comes_the_next_session(self) -> None:
        desk = desk_with(600, instrument=replace(instrument_of(), calendar="XNYS"))
        bars = walk(1, start="2026-01-09 20:30")  # the last hour of a Friday
        loaded = Loaded(series=STORED, instrument=replace(instrument_of(), calendar="XNYS"), bars=bars)
        entry, due = latest_of(desk).next_opens(loaded, 7)
        assert entry == datetime(2026, 1, 12, 14, 30, tzinfo=UTC)
        assert due == datetime(2026, 1, 13, 14, 30, tzinfo=UTC)


class Learned:
    """What a model says, without one."""

    spec = ModelSpec(horizon=12)

    def predict(self, bars: Any, last: int = 1) -> Predicted:
        return Predicted(
            probability=np.array([0.61]),
            expected_return=np.array([0.002]),
            low=np.array([-0.01]),
            high=np.array([np.nan]),
            level=0.9,
            contributions=({"feature": "rsi_14", "value": float("nan"), "contribution": 0.1},),
        )


def speaker(*, is_trusted: bool = True, is_fresh: bool = True) -> Speaker:
    freshness = Freshness(is_fresh=is_fresh, reason="" if is_fresh else "It is old.", age_bars=3, drift="none")
    card = card_of(is_trusted=is_trusted, last=BEGIN + 595 * HOUR)
    return Speaker(id=uuid4(), card=card, learned=Learned(), freshness=freshness)  # type: ignore[arg-type]  # a twin


def loaded_of(bars: int = 600) -> Loaded:
    return Loaded(series=STORED, instrument=instrument_of(), bars=walk(bars))


class TestSaying:
    entry = BEGIN + 600 * HOUR
    opens = (entry, entry + 12 * HOUR)

    def test_what_is_not_defined_is_left_out(self) -> None:
        said = said_by(speaker(), loaded_of(), self.opens, self.entry + timedelta(minutes=5))
        assert (said.as_of, said.entry_at, said.due_at) == (self.entry, *self.opens)
        assert (said.probability_up, said.low, said.high) == (0.61, -0.01, None)
        assert said.contributions[0] == {"feature": "rsi_14", "value": None, "contribution": 0.1}
        assert said.model_age_bars == 5
        assert said.is_trusted
        assert document_of(said)["due_at"] == "2026-01-30T12:00:00+00:00"

    def test_what_is_stale_or_late_is_not_trusted_and_says_why(self) -> None:
        stale = said_by(speaker(is_fresh=False), loaded_of(), self.opens, self.entry)
        assert (stale.is_trusted, stale.reasons[-1]) == (False, {"code": "stale", "text": "It is old."})
        late = said_by(speaker(), loaded_of(), self.opens, self.entry + timedelta(minutes=61))
        assert (late.is_trusted, late.reasons[-1]["code"]) == (False, "late")
        assert is_late_at(self.entry + timedelta(minutes=7), self.entry, self.entry + HOUR, 1)
        on_time = said_by(speaker(), loaded_of(), self.opens, self.entry + timedelta(minutes=59))
        assert on_time.is_trusted

    def test_what_has_happened_is_not_predicted(self) -> None:
        with pytest.raises(BarsTooOld, match="12 bars after it have passed"):
            said_by(speaker(), loaded_of(), self.opens, self.entry + 12 * HOUR)


def due(row: int, *, spec: ModelSpec = FEW, probability: float = 0.6) -> DuePrediction:
    """Made of the bar of that number."""
    entry = BEGIN + (row + 1) * HOUR
    return DuePrediction(
        id=UUID(int=row),
        user_id=OWNER,
        series=MINE,
        spec=spec,
        as_of=entry,
        entry_at=entry,
        due_at=entry + spec.horizon * HOUR,
        probability_up=probability,
        low=-0.001,
        high=0.001,
    )


def torn_desk(lacking: range) -> Desk:
    """600 hours, some of which nobody downloaded."""
    desk, bars = Desk(), walk(600)
    for rows in (range(lacking.start), range(lacking.stop, 600)):
        covered = Span(start=BEGIN + rows.start * HOUR, end=BEGIN + rows.stop * HOUR)
        page = FetchedPage(bars=bars.iloc[rows.start : rows.stop].reset_index(drop=True), covered=covered)
        desk.store.write(instrument_of(), STORED, page, source="test")
    return desk


class TestScoring:
    @pytest.mark.parametrize("kind", list(LabelKind))
    def test_an_outcome_is_the_label_of_training(self, kind: LabelKind) -> None:
        spec = FEW.model_copy(update={"label": kind})
        asked = [due(row, spec=spec) for row in (100, 300, 500)]
        found = {one.prediction_id.int: one for one in measured(asked, latest_of(desk_with(600))).outcomes}
        known = label(walk(600), spec)
        for row in (100, 300, 500):
            assert found[row].realised_return == pytest.approx(known.forward[row])
            assert found[row].went_up == bool(known.labels[row])
            said = 0.6 if known.labels[row] else 0.4
            assert found[row].log_loss == pytest.approx(-np.log(said))
            assert found[row].is_inside == (-0.001 <= known.forward[row] <= 0.001)

    def test_whose_bars_are_not_there_waits(self) -> None:
        bars = latest_of(desk_with(600))
        # Entered at the open of bar 598, left at that of bar 600, which is not there.
        came = measured([due(597)], bars)
        assert came.outcomes == []
        assert [one.why for one in came.waits] == [f"The bars of {STORED} up to then are not stored yet."]
        assert len(measured([due(596)], bars).outcomes) == 1
        later = measured([due(5_000)], bars)
        assert later.outcomes == []
        assert "Download it." in later.waits[0].why

    def test_no_outcome_reaches_across_bars_that_nobody_downloaded(self) -> None:
        bars = latest_of(torn_desk(range(300, 310)))
        # Bar 298 is entered at the open of 299 and left at that of 301; the next row is that of another hour.
        came = measured([due(200), due(298), due(400)], bars)
        assert [one.prediction_id.int for one in came.outcomes] == [200, 400]
        assert [one.prediction_id.int for one in came.waits] == [298]
        assert "never downloaded" in came.waits[0].why

    def test_barriers_are_as_far_away_as_in_training_after_a_night_too(self) -> None:
        spec = FEW.model_copy(update={"label": LabelKind.TRIPLE_BARRIER})
        series, minutes = replace(STORED, timeframe=Timeframe.M5), timedelta(minutes=5)
        covered = Span(start=BEGIN, end=BEGIN + 240 * HOUR)
        starts = FakeCalendars().expected_starts("XNYS", Timeframe.M5, covered)
        bars = walk(len(starts)).assign(ts=starts)
        desk = Desk()
        page = FetchedPage(bars=bars, covered=covered)
        desk.store.write(replace(instrument_of(), calendar="XNYS"), series, page, source="test")
        known = label(bars, spec)
        for row in range(4 * 78, 4 * 78 + 20):  # the first bars of a day
            asked = replace(due(row, spec=spec), series=MINE.model_copy(update={"timeframe": Timeframe.M5}))
            asked = replace(asked, as_of=starts[row] + minutes, entry_at=starts[row + 1])
            (found,) = measured([asked], latest_of(desk)).outcomes
            assert found.went_up == bool(known.labels[row])

    def test_a_price_that_nobody_meant_has_an_outcome_that_can_be_kept(self) -> None:
        bars = walk(600)
        bars.loc[102, ["open", "low"]] = 1e-300
        desk = Desk()
        page = FetchedPage(bars=bars, covered=Span(start=BEGIN, end=BEGIN + 600 * HOUR))
        desk.store.write(instrument_of(), STORED, page, source="test")
        spec = FEW.model_copy(update={"horizon": 1})
        fallen, risen = measured([due(100, spec=spec), due(101, spec=spec)], latest_of(desk)).outcomes
        assert (fallen.realised_return, risen.realised_return) == (-1.0, 1e9)

    def test_a_certain_error_has_a_finite_loss(self) -> None:
        up = bool(label(walk(600), FEW).labels[100])
        (found,) = measured([due(100, probability=0.0 if up else 1.0)], latest_of(desk_with(600))).outcomes
        assert found.log_loss == pytest.approx(34.5, abs=0.1)


def scored(
    number: int, *, probability: float, realised: float, is_late: bool = False, is_scored: bool = True
) -> Prediction:
    said = prediction_of(UUID(int=1), BEGIN + number * HOUR)
    outcome = PredictionOutcome(
        realised_return=realised,
        went_up=realised > 0,
        log_loss=-float(np.log(probability if realised > 0 else 1 - probability)),
        is_inside=abs(realised) < 0.02,
        scored_at=NOW,
    )
    return Prediction(
        **{**vars(said), "probability_up": probability},
        id=UUID(int=number),
        model_name="Seer",
        series=SERIES,
        made_at=said.entry_at,
        is_late=is_late,
        outcome=outcome if is_scored else None,
    )


class TestTrackRecords:
    def test_figures_are_those_of_predictions_made_in_time(self) -> None:
        made = [
            scored(4, probability=0.6, realised=0.01, is_scored=False),
            scored(3, probability=0.9, realised=-0.5, is_late=True),
            scored(2, probability=0.4, realised=0.03),
            scored(1, probability=0.7, realised=0.01),
        ]
        record = track_record(made, BEGIN + 10 * HOUR)
        counts = {name: record[name] for name in ("predictions", "scored", "open", "waiting", "late")}
        assert counts == {"predictions": 4, "scored": 2, "open": 1, "waiting": 0, "late": 1}
        assert (record["hit_rate"], record["base_rate"], record["interval_coverage"]) == (0.5, 1.0, 0.5)
        assert record["brier"] == pytest.approx((0.3**2 + 0.6**2) / 2)
        assert record["log_loss"] == pytest.approx(-(np.log(0.7) + np.log(0.4)) / 2)
        assert record["mean_realised"] == pytest.approx(0.02)
        assert record["ic"] == {"value": None, "low": None, "high": None}
        assert record["text"] == "2 measured predictions cannot tell skill from luck."

    @pytest.mark.parametrize(("way", "words"), [(1, "went with what came"), (-1, "went against what came")])
    def test_skill_is_told_from_its_opposite(self, way: int, words: str) -> None:
        dice = np.random.default_rng(5)
        said = dice.uniform(0.3, 0.7, 2_000)
        came = way * 0.2 * (said - 0.5) + dice.normal(0, 0.02, 2_000)
        made = [
            scored(number, probability=float(said[number]), realised=float(came[number]))
            for number in reversed(range(2_000))
        ]
        record = track_record(made, NOW + timedelta(days=365))
        low, high = record["ic"]["low"], record["ic"]["high"]
        assert low < float(np.corrcoef(said, came)[0, 1]) < high
        assert words in record["text"]

    def test_luck_is_called_luck(self) -> None:
        dice = np.random.default_rng(6)
        said, came = dice.uniform(0.3, 0.7, 500), dice.normal(0, 0.02, 500)
        came -= np.polyval(np.polyfit(said, came, 1), said)  # not even by luck
        made = [
            scored(number, probability=float(said[number]), realised=float(came[number]))
            for number in reversed(range(500))
        ]
        assert "nothing to do with what came" in track_record(made, NOW)["text"]

    def test_nothing_predicted_is_said(self) -> None:
        assert track_record([], NOW)["text"] == "It has predicted nothing yet."

    def test_what_has_no_outcome_says_what_it_waits_for(self) -> None:
        waiting = scored(1, probability=0.6, realised=0.01, is_scored=False)
        assert waits_for(waiting, BEGIN) == "It is measured at 2026-01-05 13:00 UTC."
        assert "demo BTC/USDT 1h up to then are not stored yet" in (waits_for(waiting, NOW) or "")
        assert waits_for(scored(1, probability=0.6, realised=0.01), NOW) is None

    @pytest.mark.parametrize(("looks", "is_told"), [(1, False), (3, True)])
    def test_what_was_looked_for_in_vain_says_why_and_when_it_is_again(self, looks: int, is_told: bool) -> None:
        wait = PredictionWait(looks=looks, looked_at=NOW, next_look_at=NOW + HOUR, why="Nothing of it is stored.")
        waiting = replace(scored(1, probability=0.6, realised=0.01, is_scored=False), wait=wait)
        said = waits_for(waiting, NOW) or ""
        assert ("it cannot be measured: Nothing of it is stored. It was looked for 3 times" in said) == is_told
        assert (f"{NOW + HOUR:%H:%M} UTC, or within a minute of a download" in said) == is_told
