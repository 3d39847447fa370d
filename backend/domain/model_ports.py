"""The plugs of models: where their files are kept, and where it is written what they are and what they said."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from backend.domain.models import (
    DuePrediction,
    Fitness,
    Model,
    ModelFilter,
    ModelInBrief,
    NewModel,
    NewOutcome,
    NewPrediction,
    NewWait,
    Prediction,
    Question,
)
from backend.domain.pages import Page, Place


class ModelFiles(Protocol):
    """Files of models, each by the sha256 of its content; what is there never changes. Synchronous: callers with an
    event loop use a thread. Raises StorageFull and StorageFailed, and ServiceUnavailable where they are far away.
    """

    def keep(self, owner: UUID, content: bytes) -> str:
        """Returns its sha256. When it returns the file is on the disk; the same content again is the same file."""

    def read(self, owner: UUID, sha256: str) -> bytes:
        """Raises ModelDamaged when it is gone or is not what was kept."""

    def forget(self, owner: UUID, sha256: str) -> None:
        """Nothing happens when it is gone already."""

    def forget_all(self, owner: UUID) -> None:
        """Every file of this owner, whether a model names it or not: the owner leaves."""

    def sweep(self, named: Collection[tuple[UUID, str]]) -> int:
        """Removes what no model names and what a lost write left, unless it is so young that its model may still be
        on its way. Returns how many files that were.
        """


class ModelCourier(Protocol):
    """Carries files between where they are kept and the folder in which children work. Raises what ModelFiles does."""

    def fetch(self, owner: UUID, sha256: str) -> None:
        """From here on children can read it."""

    def deliver(self, owner: UUID, sha256: str) -> None:
        """What a child has kept is kept for good."""


class ModelRepository(Protocol):
    """Models, already narrowed by the database to those of the acting user."""

    async def hold(self, question: Question) -> None:
        """Until the transaction ends, nobody else decides anything about this question."""

    async def add(self, model: NewModel) -> None:
        """Raises QuotaReached when as many are kept as the user's plan allows."""

    async def model(self, model_id: UUID) -> Model | None:
        """Also one that was deleted: its track record stays."""

    async def models(self, *, limit: int, after: Place | None, only: ModelFilter) -> Page[ModelInBrief]:
        """Newest first, without the deleted ones."""

    async def champion(self, question: Question) -> Model | None: ...

    async def fitness(self, model_id: UUID) -> Fitness | None:
        """The model, with what its latest predictions came to."""

    async def champion_fitness(self, question: Question) -> Fitness | None: ...

    async def asked_training(self, question: Question) -> UUID | None:
        """The training that a prediction of this question waits for: its task is queued or runs."""

    async def rename(self, model_id: UUID, name: str, *, version: int | None) -> bool:
        """If the model still has that version (any, when None); False when nothing matched."""

    async def promote(self, model_id: UUID) -> bool:
        """It becomes champion; False when it is none that could be."""

    async def roll_back(self, model_id: UUID) -> UUID | None:
        """The champion gives way to the one before it; None when there is none, or it is no champion."""

    async def delete(self, model_id: UUID) -> bool: ...


class PredictionRepository(Protocol):
    """Predictions, already narrowed by the database to those of the acting user. Nobody writes any here."""

    async def prediction(self, prediction_id: UUID) -> Prediction | None: ...

    async def predictions(self, *, limit: int, after: Place | None, model_id: UUID | None) -> Page[Prediction]:
        """The latest made first."""


class PredictionBook(Protocol):
    """Predictions as the service writes and scores them; each call is its own transaction."""

    async def write(self, owner: UUID, prediction: NewPrediction) -> Prediction | None:
        """As it is kept; what the model said of that bar before stays. None when its time has passed already."""

    async def is_any_due(self) -> bool:
        """Whether there is any to be looked at now."""

    async def due(self, *, most: int) -> Sequence[DuePrediction]:
        """Whose time has come and which have no outcome: of every series at most so many, the oldest first.

        Not those that wait for their next look, unless bars of their series came meanwhile.
        """

    async def score(self, outcomes: Sequence[NewOutcome]) -> int:
        """Those that had an outcome keep it; how many are new."""

    async def wait(self, waits: Sequence[NewWait]) -> None:
        """They were looked at in vain: the next look comes in a minute, then in two, and so on up to an hour; after a
        week of such looks once a day.
        """


class KeptModels(Protocol):
    """All models of the installation, for its housekeeping."""

    async def files(self) -> frozenset[tuple[UUID, str]]:
        """Owner and SHA-256 of every file that a model needs."""
