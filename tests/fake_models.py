"""The in-memory twins of a user's models, and of what they predicted. All users share one registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

from backend.data.storage.predictions import LONGEST_WHY, LOOKS_IN_A_WEEK
from backend.domain.errors import QuotaReached
from backend.domain.jobs import JobState
from backend.domain.models import (
    DuePrediction,
    Fitness,
    Model,
    ModelFilter,
    ModelInBrief,
    ModelState,
    NewModel,
    NewOutcome,
    NewPrediction,
    NewWait,
    Prediction,
    PredictionOutcome,
    PredictionWait,
    Question,
    Verdict,
)
from backend.domain.pages import Page, Place
from backend.services.model_saying import is_late_at
from tests.fakes import FakeClock


@dataclass
class Registry:
    """What all users have."""

    clock: FakeClock = field(default_factory=FakeClock)
    models: dict[UUID, tuple[UUID, Model]] = field(default_factory=dict)
    follows: dict[UUID, UUID | None] = field(default_factory=dict)
    said: dict[UUID, tuple[UUID, Prediction]] = field(default_factory=dict)
    # When bars of anything came last.
    came_at: datetime | None = None
    most: int = 200

    def model(self, model_id: UUID) -> Model:
        return self.models[model_id][1]

    def change(self, model_id: UUID, **facts: Any) -> Model:
        owner, model = self.models[model_id]
        self.models[model_id] = owner, replace(model, **facts)
        return self.model(model_id)

    def holder(self, owner: UUID, question: Question) -> Model | None:
        return next(
            (
                one
                for whose, one in self.models.values()
                if whose == owner and _question(one) == question and one.state is ModelState.CHAMPION
            ),
            None,
        )

    def crown(self, model_id: UUID, why: str, why_not_the_other: str) -> None:
        owner, model = self.models[model_id]
        beaten = self.holder(owner, _question(model))
        if beaten is not None:
            self._retire(beaten.id, why_not_the_other)
        self.follows[model_id] = None if beaten is None else beaten.id
        self.change(
            model_id,
            state=ModelState.CHAMPION,
            state_reason=why,
            champion_since=self.clock.now(),
            retired_at=None,
        )

    def _retire(self, model_id: UUID, why: str, **more: Any) -> None:
        self.change(model_id, state=ModelState.RETIRED, state_reason=why, retired_at=self.clock.now(), **more)

    def trained(self, model_id: UUID, card: Mapping[str, Any], file: Mapping[str, Any]) -> None:
        """As the end of its task decides."""
        owner, _ = self.models[model_id]
        until = datetime.fromisoformat(card["data"]["known_until"])
        model = self.change(
            model_id,
            task_state=JobState.COMPLETED,
            card=card,
            verdict=_verdict(card),
            file_sha256=file["sha256"],
            size_bytes=file["bytes"],
            trained_until=datetime.fromisoformat(card["data"]["known_until"]),
            proven_at=until,
        )
        holder, contest = self.holder(owner, _question(model)), card["contest"]
        if model.state is not ModelState.TRAINING:
            return
        if holder is None:
            self.crown(model_id, "Nothing else answered this question.", "")
        elif contest is None or contest["champion_id"] != str(holder.id):
            why = "Another model became champion meanwhile, so it was not compared with this one."
            self.change(model_id, state=ModelState.CANDIDATE, state_reason=why)
        elif contest["is_won"] and contest.get("bars") == 0:
            self.crown(model_id, contest["why"], f"It could not be asked; {model.name} answers now.")
        elif contest["is_won"]:
            beaten = f"It was beaten by {model.name}: {contest['why']}"
            self.crown(model_id, f"It won: {contest['why']}", beaten)
        else:
            self.change(model_id, state=ModelState.CANDIDATE, state_reason=contest["why"])
            proven = until if contest["gain"] is not None else holder.proven_at
            self.change(
                holder.id,
                challenged_at=max(holder.challenged_at or until, until),
                proven_at=max(holder.proven_at or until, proven or until),
            )


class FakeModels:
    """A ModelRepository of one user."""

    def __init__(self, user_id: UUID, registry: Registry) -> None:
        self._user_id = user_id
        self.registry = registry

    async def hold(self, question: Question) -> None:
        """There is only one thread here."""

    async def add(self, model: NewModel) -> None:
        count = sum(one.deleted_at is None for one in self._mine())
        if count >= self.registry.most:
            raise QuotaReached("models", limit=self.registry.most, count=count, remedy="Delete some.")
        self.registry.clock.advance(microseconds=1)
        self.registry.models[model.id] = (
            self._user_id,
            Model(
                id=model.id,
                name=model.name,
                origin=model.origin,
                state=ModelState.TRAINING,
                state_reason="It is being trained.",
                series=model.series,
                question=model.spec.question,
                horizon=model.spec.horizon,
                label=model.spec.label,
                verdict=Verdict(),
                trained_until=None,
                proven_at=None,
                challenged_at=None,
                champion_since=None,
                retired_at=None,
                deleted_at=None,
                created_at=self.registry.clock.now(),
                version=1,
                task_state=JobState.QUEUED,
                failure=None,
                size_bytes=0,
                predictions=0,
                file_sha256=None,
                spec=model.spec,
                card=None,
            ),
        )

    async def model(self, model_id: UUID) -> Model | None:
        return next((self._counted(one) for one in self._mine() if one.id == model_id), None)

    async def models(self, *, limit: int, after: Place | None, only: ModelFilter) -> Page[ModelInBrief]:
        found = sorted(
            (one for one in self._mine() if one.deleted_at is None and _fits(one, only)),
            key=lambda one: (one.created_at, one.id),
            reverse=True,
        )
        if after is not None:
            found = [one for one in found if (one.created_at, one.id) < (after.at, after.id)]
        items = tuple(_brief(self._counted(one)) for one in found[:limit])
        there_is_more = len(found) > limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if there_is_more else None)

    async def champion(self, question: Question) -> Model | None:
        found = self.registry.holder(self._user_id, question)
        return None if found is None else self._counted(found)

    async def fitness(self, model_id: UUID) -> Fitness | None:
        model = await self.model(model_id)
        if model is None:
            return None
        scored = sorted(
            (one for _, one in self.registry.said.values() if one.model_id == model_id and one.outcome is not None),
            key=lambda one: one.as_of,
        )
        card = None if model.card is None else {name: model.card[name] for name in ("data", "verdict")}
        return Fitness(
            model=replace(model, card=card),
            expected=tuple(one.probability_up for one in scored if not one.is_late),
            realised=tuple(
                one.outcome.realised_return for one in scored if one.outcome is not None and not one.is_late
            ),
        )

    async def champion_fitness(self, question: Question) -> Fitness | None:
        found = await self.champion(question)
        return None if found is None else await self.fitness(found.id)

    async def asked_training(self, question: Question) -> UUID | None:
        return next(
            (
                one.id
                for one in self._mine()
                if _question(one) == question
                and one.state is ModelState.TRAINING
                and one.origin == "prediction"
                and not one.task_state.is_final
            ),
            None,
        )

    async def rename(self, model_id: UUID, name: str, *, version: int | None) -> bool:
        found = await self.model(model_id)
        if found is None or found.deleted_at is not None or version not in (None, found.version):
            return False
        self.registry.change(model_id, name=name, version=found.version + 1)
        return True

    async def promote(self, model_id: UUID) -> bool:
        found = await self.model(model_id)
        can = (ModelState.CANDIDATE, ModelState.RETIRED)
        if found is None or found.state not in can or found.deleted_at is not None or found.file_sha256 is None:
            return False
        self.registry.crown(
            model_id, "Its owner made it champion.", f"Its owner made {found.name} champion in its place."
        )
        return True

    async def roll_back(self, model_id: UUID) -> UUID | None:
        found = await self.model(model_id)
        if found is None or found.state is not ModelState.CHAMPION:
            return None
        seen, earlier = {model_id}, self.registry.follows.get(model_id)
        while earlier is not None and earlier not in seen:
            model = self.registry.model(earlier)
            if model.state is ModelState.RETIRED and model.deleted_at is None and model.file_sha256 is not None:
                break
            seen.add(earlier)
            earlier = self.registry.follows.get(earlier)
        if earlier is None or earlier in seen:
            return None
        model = self.registry.model(earlier)
        self.registry._retire(model_id, f"Rolled back: {model.name} answers again.")
        self.registry.follows[model_id] = None
        self.registry.change(
            earlier,
            state=ModelState.CHAMPION,
            state_reason=f"Brought back when {found.name} was rolled back.",
            champion_since=self.registry.clock.now(),
            retired_at=None,
        )
        return earlier

    async def delete(self, model_id: UUID) -> bool:
        found = await self.model(model_id)
        if found is None or found.deleted_at is not None:
            return False
        self.registry._retire(model_id, "Its owner deleted it.", deleted_at=self.registry.clock.now())
        return True

    def _mine(self) -> list[Model]:
        return [model for owner, model in self.registry.models.values() if owner == self._user_id]

    def _counted(self, model: Model) -> Model:
        return replace(model, predictions=sum(one.model_id == model.id for _, one in self.registry.said.values()))


class FakePredictions:
    """A PredictionRepository of one user."""

    def __init__(self, user_id: UUID, registry: Registry) -> None:
        self._user_id = user_id
        self.registry = registry

    async def prediction(self, prediction_id: UUID) -> Prediction | None:
        owner, found = self.registry.said.get(prediction_id, (None, None))
        return self._named(found) if found is not None and owner == self._user_id else None

    async def predictions(self, *, limit: int, after: Place | None, model_id: UUID | None) -> Page[Prediction]:
        found = sorted(
            (
                self._named(one)
                for owner, one in self.registry.said.values()
                if owner == self._user_id and model_id in (None, one.model_id)
            ),
            key=lambda one: (one.made_at, one.id),
            reverse=True,
        )
        if after is not None:
            found = [one for one in found if (one.made_at, one.id) < (after.at, after.id)]
        items = tuple(found[:limit])
        there_is_more = len(found) > limit
        return Page(items=items, next=Place(at=items[-1].made_at, id=items[-1].id) if there_is_more else None)

    def _named(self, prediction: Prediction) -> Prediction:
        return replace(prediction, model_name=self.registry.model(prediction.model_id).name)


class FakePredictionBook:
    """A PredictionBook. Its clock is that of the registry."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def write(self, owner: UUID, prediction: NewPrediction) -> Prediction | None:
        for whose, one in self.registry.said.values():
            if whose == owner and (one.model_id, one.as_of) == (prediction.model_id, prediction.as_of):
                return one
        now = self.registry.clock.now()
        if prediction.due_at <= now or prediction.as_of > now + timedelta(minutes=1):
            return None
        model = self.registry.model(prediction.model_id)
        late = is_late_at(now, prediction.entry_at, prediction.due_at, prediction.horizon)
        made = Prediction(
            **vars(prediction),
            id=uuid4(),
            model_name=model.name,
            series=model.series,
            made_at=now,
            is_late=late,
            outcome=None,
        )
        self.registry.said[made.id] = owner, made
        self.registry.clock.advance(microseconds=1)
        return made

    async def is_any_due(self) -> bool:
        return bool(await self.due(most=1))

    async def due(self, *, most: int) -> Sequence[DuePrediction]:
        now = self.registry.clock.now()
        waiting = [
            DuePrediction(
                id=one.id,
                user_id=owner,
                series=one.series,
                spec=self.registry.model(one.model_id).spec,
                **{
                    name: getattr(one, name)
                    for name in ("as_of", "entry_at", "due_at", "probability_up", "low", "high")
                },
            )
            for owner, one in self.registry.said.values()
            if one.due_at <= now and one.outcome is None and not self._waits(one)
        ]
        waiting.sort(key=lambda one: (_whose(one), one.due_at, one.id))
        return [one for _, group in groupby(waiting, key=_whose) for one in list(group)[:most]]

    async def score(self, outcomes: Sequence[NewOutcome]) -> int:
        new = 0
        for one in outcomes:
            owner, made = self.registry.said[one.prediction_id]
            if made.outcome is None:
                new += 1
                names = ("realised_return", "went_up", "log_loss", "is_inside")
                facts = {name: getattr(one, name) for name in names}
                outcome = PredictionOutcome(**facts, scored_at=self.registry.clock.now())
                self.registry.said[made.id] = owner, replace(made, outcome=outcome, wait=None)
        return new

    async def wait(self, waits: Sequence[NewWait]) -> None:
        now = self.registry.clock.now()
        for one in waits:
            owner, made = self.registry.said[one.prediction_id]
            looks = 0 if made.wait is None else made.wait.looks
            minutes = 24 * 60 if looks >= LOOKS_IN_A_WEEK else min(2.0 ** min(looks, 10), 60)
            following = now + timedelta(minutes=minutes)
            wait = PredictionWait(looks=looks + 1, looked_at=now, next_look_at=following, why=one.why[:LONGEST_WHY])
            self.registry.said[made.id] = owner, replace(made, wait=wait)

    def _waits(self, one: Prediction) -> bool:
        came = self.registry.came_at
        has_news = one.wait is not None and came is not None and came > one.wait.looked_at
        return one.wait is not None and one.wait.next_look_at > self.registry.clock.now() and not has_news


def _whose(one: DuePrediction) -> tuple[str, ...]:
    series = one.series
    return str(one.user_id), series.provider, series.symbol, series.timeframe, series.adjustment


def _question(model: Model) -> Question:
    return Question(series=model.series, text=model.question)


def _fits(model: Model, only: ModelFilter) -> bool:
    return (
        (not only.states or model.state in only.states)
        and only.provider in (None, model.series.provider)
        and only.symbol in (None, model.series.symbol)
        and only.timeframe in (None, model.series.timeframe)
        and only.question in (None, model.question)
    )


def _brief(model: Model) -> ModelInBrief:
    return ModelInBrief(**{one.name: getattr(model, one.name) for one in fields(ModelInBrief)})


def _verdict(card: Mapping[str, Any]) -> Verdict:
    said = card["verdict"]
    return Verdict(
        auc=card["pooled"]["auc"],
        ic=card["pooled"]["ic"],
        is_trusted=said["is_trusted"],
        headline=said["headline"],
        reasons=tuple(said["reasons"]),
    )
