"""A person's models: training them, finding them again, and who answers which question."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.domain.errors import InputError, InvalidInput, VersionConflict
from backend.domain.jobs import Job, JobKind
from backend.domain.model_errors import ModelNotFound, ModelNotUsable, PredictionNotFound
from backend.domain.model_ports import ModelRepository, PredictionRepository
from backend.domain.models import (
    LONGEST_NAME,
    MOST_JUDGED,
    Fitness,
    Model,
    ModelFilter,
    ModelInBrief,
    ModelState,
    NewModel,
    Origin,
    Prediction,
    Question,
    TrainingPlan,
    usual_name,
)
from backend.domain.pages import Page, Place
from backend.services.jobs import Jobs

_READ_AT_ONCE = 200


class Models:
    """The models of the one who is acting, in one transaction: bars and files are looked at outside of it."""

    def __init__(self, repository: ModelRepository, predictions: PredictionRepository, jobs: Jobs) -> None:
        self._repository = repository
        self._predictions = predictions
        self._jobs = jobs

    async def train(self, plan: TrainingPlan, *, name: str | None = None) -> tuple[Job, str]:
        """Queue a checked training. Its model is compared with whoever is champion by now."""
        return await self._submit(plan, name=name, origin=Origin.PERSON)

    async def train_to_predict(self, plan: TrainingPlan) -> tuple[Job, str]:
        """The training that a prediction waits for. Whoever asks for the same meanwhile is given the same task."""
        question = Question.of(plan.series, plan.spec)
        await self._repository.hold(question)
        asked = await self._repository.asked_training(question)
        if asked is not None:
            return await self._jobs.job(asked), (await self.model(asked)).name
        return await self._submit(plan, name=None, origin=Origin.PREDICTION)

    async def _submit(self, plan: TrainingPlan, *, name: str | None, origin: Origin) -> tuple[Job, str]:
        champion = await self._repository.champion(Question.of(plan.series, plan.spec))
        payload = {
            "series": plan.series.model_dump(mode="json"),
            "start": plan.first.isoformat(),
            "end": plan.last.isoformat(),
            "spec": plan.spec.model_dump(mode="json"),
            "threads": plan.demand.cores,
            "champion": None if champion is None else _challenged(champion),
            "predicts": origin is Origin.PREDICTION,
        }
        job = await self._jobs.submit(JobKind.TRAIN, payload, demand=plan.demand, work_units=plan.work_units)
        called = _name(name) if name is not None else usual_name(plan.series, plan.spec)
        await self._repository.add(NewModel(id=job.id, name=called, origin=origin, series=plan.series, spec=plan.spec))
        return job, called

    async def model(self, model_id: UUID) -> Model:
        found = await self._repository.model(model_id)
        if found is None:
            raise ModelNotFound(model_id)
        return found

    async def models(
        self, *, limit: int, after: Place | None = None, only: ModelFilter | None = None
    ) -> Page[ModelInBrief]:
        return await self._repository.models(limit=limit, after=after, only=only or ModelFilter())

    async def fitness(self, model_id: UUID) -> Fitness:
        """A trained model that can still be asked."""
        found = await self._repository.fitness(model_id)
        if found is None:
            raise ModelNotFound(model_id)
        _require_usable(found.model)
        return found

    async def champion(self, question: Question) -> Fitness | None:
        """Who answers this question."""
        return await self._repository.champion_fitness(question)

    async def rename(self, model_id: UUID, name: str, *, version: int | None) -> Model:
        """Of that version of it; None means whichever it has."""
        if not await self._repository.rename(model_id, _name(name), version=version):
            await self._present(model_id)
            raise VersionConflict
        return await self.model(model_id)

    async def promote(self, model_id: UUID) -> Model:
        """It answers from now on, in the place of whoever did."""
        found = await self._present(model_id)
        if found.state is not ModelState.CHAMPION and not await self._repository.promote(model_id):
            raise ModelNotUsable(f"{found.name} {_standing(found)}; only a trained model can become champion.")
        return await self.model(model_id)

    async def roll_back(self, model_id: UUID) -> Model:
        """The champion gives way to the one before it, which is returned."""
        found = await self._present(model_id)
        if found.state is not ModelState.CHAMPION:
            raise ModelNotUsable(f"{found.name} {_standing(found)}; only the champion can be rolled back.")
        earlier = await self._repository.roll_back(model_id)
        if earlier is None:
            raise ModelNotUsable(
                f"{found.name} is champion, and none that was before it is left. Promote another, or train one."
            )
        return await self.model(earlier)

    async def delete(self, model_id: UUID) -> None:
        """It answers nothing any more. What it predicted stays, with what came of it."""
        found = await self._present(model_id)
        if not found.task_state.is_final:
            await self._jobs.cancel(model_id)
        await self._repository.delete(model_id)

    async def prediction(self, prediction_id: UUID) -> Prediction:
        found = await self._predictions.prediction(prediction_id)
        if found is None:
            raise PredictionNotFound(prediction_id)
        return found

    async def predictions(
        self, *, limit: int, after: Place | None = None, model_id: UUID | None = None
    ) -> Page[Prediction]:
        if model_id is not None:
            await self.model(model_id)
        return await self._predictions.predictions(limit=limit, after=after, model_id=model_id)

    async def record(self, model_id: UUID) -> Sequence[Prediction]:
        """What it predicted, the newest first: the latest 5,000."""
        await self.model(model_id)
        found: list[Prediction] = []
        after: Place | None = None
        while len(found) < MOST_JUDGED:
            page = await self._predictions.predictions(limit=_READ_AT_ONCE, after=after, model_id=model_id)
            found += page.items
            after = page.next
            if after is None:
                break
        return found

    async def _present(self, model_id: UUID) -> Model:
        """One that was not deleted."""
        found = await self.model(model_id)
        if found.deleted_at is not None:
            raise ModelNotFound(model_id)
        return found


def _challenged(champion: Model) -> dict[str, Any]:
    """What a training needs of the champion: its file, and what it says of itself."""
    card = champion.card or {}
    return {
        "id": str(champion.id),
        "sha256": champion.file_sha256,
        "card": {name: card.get(name) for name in ("data", "verdict")},
        "proven_at": champion.proven_at and champion.proven_at.isoformat(),
    }


def _require_usable(model: Model) -> None:
    if model.deleted_at is not None or model.file_sha256 is None or model.state is ModelState.RETIRED:
        remedy = " Promote it first." if model.state is ModelState.RETIRED and model.deleted_at is None else ""
        raise ModelNotUsable(f"{model.name} {_standing(model)}, so it predicts nothing.{remedy}")


def _standing(model: Model) -> str:
    if model.deleted_at is not None:
        return "was deleted"
    if model.state is ModelState.TRAINING:
        return "is being trained" if not model.task_state.is_final else f"was not trained: its task {model.task_state}"
    return f"is {'a ' if model.state is ModelState.CANDIDATE else ''}{model.state}"


def _name(name: str) -> str:
    clean = " ".join(name.split())
    if not 1 <= len(clean) <= LONGEST_NAME or not clean.isprintable():
        raise InvalidInput([InputError(pointer="/name", detail=f"A name has 1 to {LONGEST_NAME} visible characters.")])
    return clean
