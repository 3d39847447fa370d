"""Asking a model: its file read once, the last bars alone, and what it says kept before it is told."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from backend.domain.market_ports import Loaded
from backend.domain.model_errors import BarsTooOld, ModelDamaged
from backend.domain.model_ports import ModelFiles, PredictionBook
from backend.domain.models import Fitness, NewPrediction, Prediction
from backend.domain.ports import Clock
from backend.services.bars_at_hand import series_of
from backend.services.latest_bars import LatestBars
from backend.services.model_saying import Speaker, bars_since, closed_at, said_by

if TYPE_CHECKING:
    from backend.domain.ml.learned import LearnedModel
    from backend.domain.ml.predicting import Freshness

# The features of one bar need 256 before it; 400 say whether the market has drifted.
RECENT_BARS: Final = 660
# Where a challenger was trained on all but so many bars, another would learn the same.
_BARS_BETWEEN_CHALLENGERS: Final = 100
# Of files; in memory a model takes about twice as much.
_BYTES_IN_MEMORY: Final = 64 * 1024 * 1024


class LoadedModels:
    """The models that were asked lately, by the content of their files. Used from any thread."""

    def __init__(self, files: ModelFiles, read: "Callable[[bytes], LearnedModel]") -> None:
        self._files = files
        self._read = read
        self._models: OrderedDict[tuple[UUID, str], tuple[LearnedModel, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, owner: UUID, sha256: str) -> "LearnedModel":
        """Raises ModelDamaged, ModelOfOtherVersion."""
        with self._lock:
            if (owner, sha256) in self._models:
                self._models.move_to_end((owner, sha256))
                return self._models[owner, sha256][0]
        content = self._files.read(owner, sha256)
        model = self._read(content)
        with self._lock:
            self._models[owner, sha256] = model, len(content)
            while sum(size for _, size in self._models.values()) > _BYTES_IN_MEMORY and len(self._models) > 1:
                self._models.popitem(last=False)
        return model


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says of the newest bar, and whether it should be asked at all."""

    prediction: NewPrediction
    freshness: "Freshness"
    # A challenger was trained lately, so training another would bring nothing.
    is_challenged: bool

    @property
    def may_answer(self) -> bool:
        """What is stale, and was challenged without being beaten, answers with a warning."""
        return self.freshness.is_fresh or self.is_challenged


class Predictor:
    """One per process. All that computes is done in a thread."""

    def __init__(self, models: LoadedModels, bars: LatestBars, book: PredictionBook, clock: Clock) -> None:
        self._models = models
        self._bars = bars
        self._book = book
        self._clock = clock

    async def ask(self, fitness: Fitness, owner: UUID) -> Answer:
        """Raises BarsTooOld when what would be predicted has happened, NoBars, ModelDamaged, ModelOfOtherVersion."""
        return await asyncio.to_thread(self._ask, fitness, owner)

    async def write(self, answer: Answer, owner: UUID) -> Prediction:
        """Kept, or what the same model said of the same bar before."""
        written = await self._book.write(owner, answer.prediction)
        if written is None:
            raise BarsTooOld("Its time came while it was made. Ask again once the next bar has closed.")
        return written

    async def drift(self, fitness: Fitness, owner: UUID) -> Mapping[str, Any]:
        """How far the newest bars are from what it learned, and whether it may answer."""
        return await asyncio.to_thread(self._drift, fitness, owner)

    def _ask(self, fitness: Fitness, owner: UUID) -> Answer:
        learned, loaded = self._found(fitness, owner)
        freshness, now = self._freshness(learned, fitness, loaded), self._clock.now()
        speaker = Speaker(id=fitness.model.id, card=fitness.model.card or {}, learned=learned, freshness=freshness)
        said = said_by(speaker, loaded, self._bars.next_opens(loaded, fitness.model.horizon), now)
        challenged = fitness.model.challenged_at
        is_challenged = challenged is not None and bars_since(loaded, challenged) < _BARS_BETWEEN_CHALLENGERS
        return Answer(prediction=said, freshness=freshness, is_challenged=is_challenged)

    def _drift(self, fitness: Fitness, owner: UUID) -> Mapping[str, Any]:
        from backend.domain.ml.drift import DRIFT_ROWS  # noqa: PLC0415
        from backend.domain.ml.features import WARM_UP  # noqa: PLC0415 - it compiles; loaded by who asks

        learned, loaded = self._found(fitness, owner)
        freshness = self._freshness(learned, fitness, loaded)
        moved = learned.drift(loaded.bars)
        return {
            "level": moved["level"],
            "text": moved["text"],
            "psi": moved["psi"],
            "usual": moved["usual"],
            "worst": [{"feature": name, "psi": moved["psi"][name]} for name in moved["worst"]],
            "bars": min(max(len(loaded.bars) - WARM_UP, 0), DRIFT_ROWS),
            "as_of": closed_at(loaded),
            "freshness": {
                "is_fresh": freshness.is_fresh,
                "reason": freshness.reason,
                "age_bars": freshness.age_bars,
            },
        }

    def _freshness(self, learned: "LearnedModel", fitness: Fitness, loaded: Loaded) -> "Freshness":
        from backend.domain.ml.predicting import fresh  # noqa: PLC0415 - it compiles; loaded by who asks

        return fresh(
            fitness.model.card or {},
            learned,
            loaded.bars,
            self._clock.now(),
            proven_at=fitness.model.proven_at,
            expected=fitness.expected,
            realised=fitness.realised,
        )

    def _found(self, fitness: Fitness, owner: UUID) -> "tuple[LearnedModel, Loaded]":
        model = fitness.model
        if model.file_sha256 is None or model.card is None:
            raise ModelDamaged(f"{model.name} has no file. Train it again.")
        loaded = self._bars.last(series_of(model.series, owner), RECENT_BARS)
        return self._models.get(owner, model.file_sha256), loaded
