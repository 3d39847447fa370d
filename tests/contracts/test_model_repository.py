"""The contracts of models and predictions, kept by the fakes and by the tables in a real Postgres."""

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.housekeeping import HousekeepingTables
from backend.data.storage.models import KeptModelTable, ModelTable
from backend.data.storage.predictions import PredictionBookTable, PredictionTable
from backend.domain.errors import QuotaReached
from backend.domain.jobs import JobState
from backend.domain.ml.spec import LabelKind, ModelSpec
from backend.domain.model_ports import ModelRepository, PredictionBook, PredictionRepository
from backend.domain.models import ModelFilter, ModelState, NewModel, NewOutcome, NewWait, Origin, Question
from tests.cluster import FreshDatabase
from tests.fake_models import FakeModels, FakePredictionBook, FakePredictions, Registry
from tests.job_tables import Committing, Tables, identity, open_tables
from tests.model_cards import LAST, SERIES, SPEC, card_of, contest_with, file_of, prediction_of

ASKED = Question.of(SERIES, SPEC)
EVERYTHING = ModelFilter()


@dataclass(frozen=True, kw_only=True)
class Both:
    """Two users, and what the runner does for the first: trainings that end, and time that passes."""

    me: UUID
    mine: ModelRepository
    others: ModelRepository
    said: PredictionRepository
    others_said: PredictionRepository
    book: PredictionBook
    now: Callable[[], datetime]
    task: Callable[[], Awaitable[UUID]]
    finish: Callable[[UUID, dict[str, Any]], Awaitable[None]]
    age: Callable[[UUID, timedelta], Awaitable[None]]
    limit: Callable[[int], Awaitable[None]]
    # Bars of SERIES come; the time of every next look comes.
    fetch: Callable[[], Awaitable[None]]
    look_again: Callable[[], Awaitable[None]]

    async def add(
        self, name: str = "One", *, origin: Origin = Origin.PERSON, spec: ModelSpec = SPEC, **more: Any
    ) -> UUID:
        series = SERIES.model_copy(update=more)
        new = NewModel(id=await self.task(), name=name, origin=origin, series=series, spec=spec)
        await self.mine.add(new)
        return new.id

    async def trained(self, name: str = "One", *, contest: dict[str, Any] | None = None, **more: Any) -> UUID:
        model_id = await self.add(name)
        await self.finish(model_id, card_of(contest=contest, **more))
        return model_id

    async def state(self, model_id: UUID) -> ModelState:
        found = await self.mine.model(model_id)
        assert found is not None
        return found.state

    async def reason(self, model_id: UUID) -> str:
        found = await self.mine.model(model_id)
        assert found is not None
        return found.state_reason

    async def named(self, **only: Any) -> list[str]:
        page = await self.mine.models(limit=99, after=None, only=ModelFilter(**only))
        assert page.next is None
        return [one.name for one in page.items]


class ModelRepositoryContract:
    """What holds for models and predictions, wherever they are kept: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Both]: ...

    @pytest.fixture
    async def both(self) -> AsyncIterator[Both]:
        async with self.open() as both:
            yield both

    async def test_one_is_found_as_it_was_added(self, both: Both) -> None:
        spec = ModelSpec(horizon=4, label=LabelKind.TRIPLE_BARRIER, barrier=1.5)
        found = await both.mine.model(await both.add("Mine", spec=spec))
        assert found is not None
        assert (found.name, found.origin, found.version) == ("Mine", Origin.PERSON, 1)
        assert (found.series, found.spec, found.question) == (SERIES, spec, "triple_barrier:4:1.5")
        assert (found.horizon, found.label) == (4, LabelKind.TRIPLE_BARRIER)
        assert (found.state, found.task_state, found.card) == (ModelState.TRAINING, JobState.QUEUED, None)
        assert (found.verdict.auc, found.verdict.is_trusted, found.predictions) == (None, None, 0)

    async def test_nobody_else_sees_or_changes_it(self, both: Both) -> None:
        model_id = await both.trained()
        said = await both.book.write(both.me, prediction_of(model_id, both.now()))
        assert said is not None
        assert await both.others.model(model_id) is None
        assert (await both.others.models(limit=9, after=None, only=EVERYTHING)).items == ()
        assert await both.others.champion(ASKED) is None
        assert not await both.others.rename(model_id, "Theirs", version=None)
        assert not await both.others.delete(model_id)
        assert not await both.others.promote(model_id)
        assert await both.others.roll_back(model_id) is None
        assert await both.others_said.prediction(said.id) is None
        assert (await both.others_said.predictions(limit=9, after=None, model_id=None)).items == ()

    async def test_the_first_one_answers_and_its_card_is_kept(self, both: Both) -> None:
        model_id = await both.trained(is_trusted=True)
        found = await both.mine.champion(ASKED)
        assert found is not None
        assert (found.id, found.state, found.task_state) == (model_id, ModelState.CHAMPION, JobState.COMPLETED)
        assert found.card == card_of(is_trusted=True)
        assert found.verdict.auc == {"value": 0.51, "low": 0.49, "high": 0.53}
        assert (found.verdict.is_trusted, found.verdict.headline) == (True, "No signal.")
        assert (found.file_sha256, found.size_bytes) == (file_of(str(model_id))["sha256"], 1000)
        assert (found.trained_until, found.proven_at, found.version) == (LAST, LAST, 1)
        assert found.champion_since is not None

    async def test_who_wins_the_contest_takes_over(self, both: Both) -> None:
        first = await both.trained("First")
        second = await both.trained("Second", contest=contest_with(first, is_won=True))
        assert (await both.state(first), await both.state(second)) == (ModelState.RETIRED, ModelState.CHAMPION)
        assert await both.reason(first) == "It was beaten by Second: On 500 later bars its loss was lower."
        assert await both.reason(second) == "It won: On 500 later bars its loss was lower."

    async def test_nobody_is_said_to_have_won_against_one_that_could_not_be_asked(self, both: Both) -> None:
        first = await both.trained("First")
        unasked = {**contest_with(first, is_won=True), "bars": 0, "why": "The champion could not be asked."}
        second = await both.trained("Second", contest=unasked)
        assert await both.reason(first) == "It could not be asked; Second answers now."
        assert await both.reason(second) == "The champion could not be asked."

    async def test_who_survives_a_contest_is_proven_by_it(self, both: Both) -> None:
        first = await both.trained("First")
        later = LAST + timedelta(days=30)
        second = await both.trained("Second", contest=contest_with(first, is_won=False), last=later)
        champion = await both.mine.champion(ASKED)
        assert champion is not None
        assert (champion.id, champion.proven_at, champion.trained_until) == (first, later, LAST)
        assert champion.challenged_at == later
        assert await both.state(second) is ModelState.CANDIDATE
        assert await both.reason(second) == "On 500 later bars its loss was no lower."

    async def test_a_contest_that_could_not_be_held_proves_nothing(self, both: Both) -> None:
        first = await both.trained("First")
        later = LAST + timedelta(days=2)
        await both.trained("Second", contest=contest_with(first, is_won=False, gain=None), last=later)
        champion = await both.mine.champion(ASKED)
        assert champion is not None
        assert (champion.id, champion.proven_at, champion.challenged_at) == (first, LAST, later)

    async def test_who_was_compared_with_another_waits_as_a_candidate(self, both: Both) -> None:
        await both.trained("First")
        for contest in (None, contest_with(uuid4(), is_won=True)):
            second = await both.trained("Second", contest=contest)
            assert await both.state(second) is ModelState.CANDIDATE
            assert "became champion meanwhile" in await both.reason(second)

    async def test_each_question_has_its_own_champion(self, both: Both) -> None:
        others = [
            await both.add("Longer", spec=ModelSpec(horizon=24)),
            await both.add("Other", symbol="ETH/USDT"),
        ]
        for model_id in (await both.add(), *others):
            await both.finish(model_id, card_of())
            assert await both.state(model_id) is ModelState.CHAMPION
        assert await both.named(question="direction:24") == ["Longer"]
        assert await both.named(symbol="ETH/USDT") == ["Other"]
        assert await both.named(states=[ModelState.CANDIDATE]) == []
        assert sorted(await both.named(provider="demo", timeframe="1h")) == ["Longer", "One", "Other"]

    async def test_a_person_may_promote_and_roll_back_step_by_step(self, both: Both) -> None:
        first = await both.trained("First")
        second = await both.trained("Second", contest=contest_with(first, is_won=False))
        third = await both.trained("Third", contest=contest_with(first, is_won=True))
        assert await both.mine.promote(second)
        assert (await both.state(third), await both.state(second)) == (ModelState.RETIRED, ModelState.CHAMPION)
        assert await both.reason(third) == "Its owner made Second champion in its place."
        assert await both.mine.roll_back(second) == third
        assert await both.reason(second) == "Rolled back: Third answers again."
        assert await both.reason(third) == "Brought back when Second was rolled back."
        assert await both.mine.roll_back(second) is None
        assert await both.mine.roll_back(third) == first
        assert await both.mine.roll_back(first) is None
        assert await both.state(first) is ModelState.CHAMPION

    async def test_a_rollback_passes_over_what_was_deleted(self, both: Both) -> None:
        first = await both.trained("First")
        second = await both.trained("Second", contest=contest_with(first, is_won=True))
        third = await both.trained("Third", contest=contest_with(second, is_won=True))
        assert await both.mine.delete(second)
        assert await both.mine.roll_back(third) == first

    async def test_what_was_not_trained_or_is_deleted_is_not_promoted(self, both: Both) -> None:
        untrained, deleted = await both.add(), await both.trained()
        assert await both.mine.delete(deleted)
        for model_id in (untrained, deleted, uuid4()):
            assert not await both.mine.promote(model_id)

    async def test_a_name_is_changed_for_the_version_that_was_read(self, both: Both) -> None:
        model_id = await both.trained()
        assert await both.mine.rename(model_id, "Two", version=1)
        assert not await both.mine.rename(model_id, "Three", version=1)
        assert await both.mine.rename(model_id, "Four", version=None)
        found = await both.mine.model(model_id)
        assert found is not None
        assert (found.name, found.version) == ("Four", 3)

    async def test_a_deleted_one_is_in_no_list_and_answers_nothing(self, both: Both) -> None:
        model_id = await both.trained()
        said = await both.book.write(both.me, prediction_of(model_id, both.now()))
        assert await both.mine.delete(model_id)
        assert not await both.mine.delete(model_id)
        assert not await both.mine.rename(model_id, "Again", version=None)
        assert await both.named() == []
        assert await both.mine.champion(ASKED) is None
        found = await both.mine.model(model_id)
        assert found is not None
        assert (found.state, found.predictions) == (ModelState.RETIRED, 1)
        assert said is not None
        assert await both.said.prediction(said.id) == said

    async def test_what_is_trained_after_it_was_deleted_does_not_answer(self, both: Both) -> None:
        model_id = await both.add()
        assert await both.mine.delete(model_id)
        await both.finish(model_id, card_of())
        assert await both.mine.champion(ASKED) is None

    async def test_the_plan_says_how_many_are_kept(self, both: Both) -> None:
        await both.limit(2)
        first = await both.add()
        await both.add()
        with pytest.raises(QuotaReached, match="2 models; at most 2 are allowed"):
            await both.add()
        assert await both.mine.delete(first)
        await both.add()

    async def test_lists_go_on_where_a_page_ended(self, both: Both) -> None:
        ids = [await both.add(str(number)) for number in range(5)]
        first = await both.mine.models(limit=3, after=None, only=EVERYTHING)
        rest = await both.mine.models(limit=3, after=first.next, only=EVERYTHING)
        assert [one.id for one in (*first.items, *rest.items)] == ids[::-1]
        assert rest.next is None

    async def test_the_training_that_a_prediction_waits_for_is_found_while_it_lasts(self, both: Both) -> None:
        await both.add()
        assert await both.mine.asked_training(ASKED) is None
        asked = await both.add(origin=Origin.PREDICTION)
        await both.mine.hold(ASKED)
        assert await both.mine.asked_training(ASKED) == asked
        assert await both.mine.asked_training(Question.of(SERIES, ModelSpec(horizon=2))) is None
        await both.finish(asked, card_of())
        assert await both.mine.asked_training(ASKED) is None

    async def test_a_prediction_is_kept_as_it_was_made(self, both: Both) -> None:
        model_id = await both.trained("Seer")
        new = prediction_of(model_id, both.now())
        said = await both.book.write(both.me, new)
        assert said is not None
        assert {name: getattr(said, name) for name in vars(new)} == vars(new)
        assert (said.model_name, said.series, said.is_late, said.outcome) == ("Seer", SERIES, False, None)
        assert abs(said.made_at - both.now()) < timedelta(minutes=1)
        assert await both.said.prediction(said.id) == said

    async def test_the_same_model_says_the_same_of_a_bar(self, both: Both) -> None:
        model_id = await both.trained()
        new = prediction_of(model_id, both.now())
        first = await both.book.write(both.me, new)
        again = await both.book.write(both.me, replace(new, probability_up=0.9))
        assert again == first
        assert len((await both.said.predictions(limit=9, after=None, model_id=model_id)).items) == 1

    async def test_nothing_is_predicted_that_has_happened(self, both: Both) -> None:
        model_id = await both.trained()
        assert await both.book.write(both.me, prediction_of(model_id, both.now() - timedelta(hours=12))) is None

    async def test_one_that_is_made_more_than_a_bar_after_its_entry_is_late(self, both: Both) -> None:
        model_id = await both.trained()
        made = [
            await both.book.write(both.me, prediction_of(model_id, both.now() - timedelta(minutes=minutes)))
            for minutes in (55, 65)
        ]
        assert [one.is_late for one in made if one is not None] == [False, True]

    async def test_nothing_is_known_of_a_bar_that_has_not_closed(self, both: Both) -> None:
        model_id = await both.trained()
        assert await both.book.write(both.me, prediction_of(model_id, both.now() + timedelta(hours=2))) is None

    async def test_predictions_are_listed_the_latest_first(self, both: Both) -> None:
        models = [await both.trained("First")]
        models.append(await both.trained("Second", contest=contest_with(models[0], is_won=False)))
        now, ids = both.now(), []
        for number in range(4):
            new = prediction_of(models[number % 2], now - timedelta(minutes=number))
            said = await both.book.write(both.me, new)
            assert said is not None
            ids.append(said.id)
        first = await both.said.predictions(limit=3, after=None, model_id=None)
        rest = await both.said.predictions(limit=3, after=first.next, model_id=None)
        assert [one.id for one in (*first.items, *rest.items)] == ids[::-1]
        of_one = await both.said.predictions(limit=9, after=None, model_id=models[0])
        assert [one.id for one in of_one.items] == [ids[2], ids[0]]

    async def test_what_is_due_is_scored_once(self, both: Both) -> None:
        model_id = await both.trained()
        assert not await both.book.is_any_due()
        past, future = [
            await both.book.write(both.me, prediction_of(model_id, both.now() - timedelta(minutes=minutes)))
            for minutes in (30, 10)
        ]
        assert past is not None
        assert future is not None
        assert await both.book.due(most=9) == []
        await both.age(past.id, timedelta(hours=12))
        assert await both.book.is_any_due()
        (due,) = await both.book.due(most=9)
        assert (due.id, due.user_id, due.series, due.spec) == (past.id, both.me, SERIES, SPEC)
        assert (due.probability_up, due.low, due.high) == (0.6, -0.02, 0.02)
        assert due.due_at == past.due_at - timedelta(hours=12)
        outcome = NewOutcome(
            user_id=both.me,
            prediction_id=past.id,
            realised_return=0.01,
            went_up=True,
            log_loss=0.51,
            is_inside=True,
        )
        assert await both.book.score([outcome]) == 1
        assert await both.book.score([replace(outcome, went_up=False)]) == 0
        assert await both.book.due(most=9) == []
        scored = await both.said.prediction(past.id)
        assert scored is not None
        assert scored.outcome is not None
        assert (scored.outcome.realised_return, scored.outcome.went_up, scored.outcome.is_inside) == (0.01, True, True)
        assert scored.wait is None
        fitness = await both.mine.champion_fitness(ASKED)
        assert fitness is not None
        assert set(fitness.model.card or ()) == {"data", "verdict"}
        assert (fitness.model.id, fitness.expected, fitness.realised) == (model_id, (0.6,), (0.01,))

    async def test_what_cannot_be_measured_is_looked_at_ever_more_seldom(self, both: Both) -> None:
        said = await both.book.write(both.me, prediction_of(await both.trained(), both.now()))
        assert said is not None
        await both.age(said.id, timedelta(hours=20))
        wait = NewWait(user_id=both.me, prediction_id=said.id, why="x" * 500)
        for looks, minutes in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
            assert [one.id for one in await both.book.due(most=9)] == [said.id]
            await both.book.wait([wait])
            assert await both.book.due(most=9) == []
            assert not await both.book.is_any_due()
            found = await both.said.prediction(said.id)
            assert found is not None
            assert found.wait is not None
            assert (found.wait.looks, found.wait.why) == (looks, "x" * 400)
            assert found.wait.next_look_at - found.wait.looked_at == timedelta(minutes=minutes)
            await both.look_again()

    async def test_bars_that_came_are_looked_at_at_once(self, both: Both) -> None:
        said = await both.book.write(both.me, prediction_of(await both.trained(), both.now()))
        assert said is not None
        await both.age(said.id, timedelta(hours=20))
        await both.book.wait([NewWait(user_id=both.me, prediction_id=said.id, why="No bars.")])
        assert not await both.book.is_any_due()
        await both.fetch()
        assert await both.book.is_any_due()
        assert [one.id for one in await both.book.due(most=9)] == [said.id]


class TestFakeModels(ModelRepositoryContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        me, other, registry = uuid4(), uuid4(), Registry()

        async def task() -> UUID:
            return uuid4()

        async def finish(model_id: UUID, card: dict[str, Any]) -> None:
            registry.trained(model_id, card, file_of(str(model_id)))

        async def age(prediction_id: UUID, by: timedelta) -> None:
            owner, said = registry.said[prediction_id]
            times = {name: getattr(said, name) - by for name in ("as_of", "entry_at", "due_at", "made_at")}
            registry.said[prediction_id] = owner, replace(said, **times)

        async def limit(most: int) -> None:
            registry.most = most

        async def fetch() -> None:
            registry.came_at = registry.clock.now() + timedelta(microseconds=1)

        async def look_again() -> None:
            registry.clock.advance(hours=1)

        yield Both(
            fetch=fetch,
            look_again=look_again,
            me=me,
            mine=FakeModels(me, registry),
            others=FakeModels(other, registry),
            said=FakePredictions(me, registry),
            others_said=FakePredictions(other, registry),
            book=FakePredictionBook(registry),
            now=registry.clock.now,
            task=task,
            finish=finish,
            age=age,
            limit=limit,
        )


async def _task(tables: Tables, me: UUID) -> UUID:
    task_id = uuid4()
    await tables.execute(
        "insert into public.tasks (id, user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, $2, 'train', '{}', 1, 1, 3, 60)",
        task_id,
        me,
    )
    return task_id


async def _finish(tables: Tables, task_id: UUID, card: dict[str, Any], **more: Any) -> None:
    result = {"summary": {"auc": 0.51}, "card": card, "file": file_of(str(task_id)), **more}
    await tables.execute(
        "update public.tasks set state = 'completed', finished_at = now(), result = $2 where id = $1",
        task_id,
        json.dumps(result, default=str),
    )


async def _age(tables: Tables, prediction_id: UUID, by: timedelta) -> None:
    """Time cannot be waited for; the owner of the tables alone can move it, with the rule set aside."""
    await tables.execute("alter table public.predictions disable trigger predictions_keep")
    await tables.execute(
        "update public.predictions set as_of = as_of - $2::interval, entry_at = entry_at - $2::interval,"
        " due_at = due_at - $2::interval, made_at = made_at - $2::interval where id = $1",
        prediction_id,
        by,
    )
    await tables.execute("alter table public.predictions enable trigger predictions_keep")


async def _fetch(tables: Tables, me: UUID) -> None:
    await tables.execute(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds,"
        " state, finished_at) values ($1, 'fetch', $2, 1, 1, 3, 60, 'completed', clock_timestamp())",
        me,
        json.dumps({"series": SERIES.model_dump(mode="json")}),
    )


class TestModelTable(ModelRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def tables(self) -> AsyncIterator[Tables]:
        async with open_tables(self.fresh) as tables:
            try:
                yield tables
            finally:
                # Whoever cleans up after us may not: a track record goes with its account alone.
                await tables.execute("delete from auth.users")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        async with self.tables() as tables:
            yield await self.both_over(tables)

    async def both_over(self, tables: Tables) -> Both:
        me, other = await self.fresh.add_user(), await self.fresh.add_user()

        async def limit(most: int) -> None:
            await tables.execute("update private.plans set most_models = $1", most)

        await limit(200)
        return Both(
            me=me,
            mine=cast(ModelRepository, _committing(tables, me, partial(ModelTable, user_id=me))),
            others=cast(ModelRepository, _committing(tables, other, partial(ModelTable, user_id=other))),
            said=cast(PredictionRepository, _committing(tables, me, PredictionTable)),
            others_said=cast(PredictionRepository, _committing(tables, other, PredictionTable)),
            book=PredictionBookTable(tables.worker),
            now=lambda: datetime.now(UTC),
            task=partial(_task, tables, me),
            finish=partial(_finish, tables),
            age=partial(_age, tables),
            limit=limit,
            fetch=partial(_fetch, tables, me),
            look_again=partial(tables.execute, "update public.prediction_waits set next_look_at = now()"),
        )

    async def test_the_prediction_of_a_training_is_written_with_its_end(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            model_id = await both.add(origin=Origin.PREDICTION)
            said = prediction_of(model_id, both.now())
            await _finish(tables, model_id, card_of(), prediction=vars(said))
            (written,) = (await both.said.predictions(limit=9, after=None, model_id=model_id)).items
            assert (written.as_of, written.probability_up, written.is_late) == (said.as_of, 0.6, False)
            result = await tables.worker.fetchval("select result from public.tasks where id = $1", model_id)
            assert json.loads(result) == {"summary": {"auc": 0.51}, "prediction_id": str(written.id)}

    async def test_a_model_that_does_not_answer_predicts_nothing(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            asked = await both.add("Asked", origin=Origin.PREDICTION)
            await both.trained("Quicker")
            said = prediction_of(asked, both.now())
            await _finish(tables, asked, card_of(), prediction=vars(said))
            assert await both.state(asked) is ModelState.CANDIDATE
            assert (await both.said.predictions(limit=9, after=None, model_id=None)).items == ()

    async def test_a_prediction_that_came_too_late_keeps_no_training_from_its_end(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            model_id = await both.add(origin=Origin.PREDICTION)
            late = prediction_of(model_id, both.now() - timedelta(days=1))
            await _finish(tables, model_id, card_of(), prediction=vars(late))
            assert await both.state(model_id) is ModelState.CHAMPION
            assert (await both.said.predictions(limit=9, after=None, model_id=model_id)).items == ()

    async def test_nobody_changes_or_prunes_a_track_record(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            model_id = await both.trained()
            said = await both.book.write(both.me, prediction_of(model_id, both.now()))
            assert said is not None
            await _age(tables, said.id, timedelta(hours=12))
            outcome = NewOutcome(
                user_id=both.me, prediction_id=said.id, realised_return=0.0, went_up=False, log_loss=1.0, is_inside=None
            )
            assert await both.book.score([outcome]) == 1
            changes = (
                "update public.predictions set probability_up = 0.9",
                "delete from public.predictions",
                "truncate public.predictions cascade",
                "update public.prediction_outcomes set went_up = true",
                "delete from public.prediction_outcomes",
                "truncate public.prediction_outcomes",
            )
            for change in changes:
                with pytest.raises(asyncpg.RestrictViolationError, match="a track record is never changed"):
                    await tables.execute(change)  # as the owner of the tables
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with tables.api.acting_as(identity(both.me)) as connection:
                        await connection.execute(change)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with tables.worker.acting_as_service() as connection:
                        await connection.execute(change)
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await tables.execute("delete from public.models where id = $1", model_id)

    async def test_nobody_puts_words_into_the_mouth_of_a_model(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            await both.trained()
            forged = (
                "insert into public.predictions (user_id) values (auth.uid())",
                "select private.write_prediction(auth.uid(), '{}')",
                "update public.models set state = 'champion'",
                "update public.models set card = '{}'",
                "insert into public.prediction_outcomes (user_id) values (auth.uid())",
                "select private.keep_model_result()",
            )
            for statement in forged:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with tables.api.acting_as(identity(both.me)) as connection:
                        await connection.execute(statement)

    async def test_no_prediction_has_an_outcome_before_its_time(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            said = await both.book.write(both.me, prediction_of(await both.trained(), both.now()))
            assert said is not None
            early = NewOutcome(
                user_id=both.me, prediction_id=said.id, realised_return=0.0, went_up=False, log_loss=1.0, is_inside=None
            )
            with pytest.raises(asyncpg.RestrictViolationError, match="no outcome before its time"):
                await both.book.score([early])

    async def test_a_model_predicts_for_its_owner_alone(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            model_id, somebody = await both.trained(), await self.fresh.add_user()
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await both.book.write(somebody, prediction_of(model_id, both.now()))

    async def test_with_the_account_its_track_record_goes(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            model_id = await both.trained()
            said = await both.book.write(both.me, prediction_of(model_id, both.now()))
            assert said is not None
            await _age(tables, said.id, timedelta(hours=12))
            outcome = NewOutcome(
                user_id=both.me, prediction_id=said.id, realised_return=0.0, went_up=False, log_loss=1.0, is_inside=None
            )
            assert await both.book.score([outcome]) == 1
            await tables.execute("delete from auth.users where id = $1", both.me)
            for table in ("models", "predictions", "prediction_outcomes"):
                assert await tables.worker.fetchval(f"select count(*) from public.{table}") == 0

    async def test_the_files_of_models_are_known_until_they_are_deleted(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            kept, deleted = await both.trained(), await both.trained()
            assert await both.mine.delete(deleted)
            files = await KeptModelTable(tables.worker).files()
            assert files == {(both.me, file_of(str(kept))["sha256"])}

    async def test_what_was_deleted_long_ago_goes_unless_it_predicted_something(self) -> None:
        async with self.tables() as tables:
            both = await self.both_over(tables)
            silent, spoke, young = await both.trained(), await both.trained(), await both.trained()
            assert await both.book.write(both.me, prediction_of(spoke, both.now())) is not None
            for model_id, days in ((silent, 31), (spoke, 31), (young, 29)):
                assert await both.mine.delete(model_id)
                await tables.execute(
                    "update public.models set deleted_at = now() - make_interval(days => $2) where id = $1",
                    model_id,
                    days,
                )
            assert await HousekeepingTables(tables.worker).forget_deleted_models() == 1
            assert await both.mine.model(silent) is None
            assert await both.mine.model(spoke) is not None
            assert await both.mine.model(young) is not None

    async def test_housekeeping_that_is_over_goes_after_a_day(self) -> None:
        async with self.tables() as tables:
            for hours in (25, 23):
                await tables.execute(
                    "insert into public.tasks (kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds,"
                    " state, finished_at) values ('score', '{}', 1, 1, 3, 60, 'completed',"
                    " now() - make_interval(hours => $1))",
                    hours,
                )
            assert await HousekeepingTables(tables.worker).forget_old_housekeeping() == 1


def _committing(tables: Tables, who: UUID, table: Callable[[Any], object]) -> Committing:
    return Committing(tables.api, identity(who), table)
