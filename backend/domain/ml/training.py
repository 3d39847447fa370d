"""The story of a training: bars become features and answers, folds show what the model is worth, controls whether that
can be believed; then it learns from all, and is held against the champion.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np

from backend.domain.bars import start_microseconds
from backend.domain.market_ports import Loaded
from backend.domain.ml.baselines import plain_forecasts
from backend.domain.ml.beside import Beside, beside
from backend.domain.ml.challenge import Champion, contest
from backend.domain.ml.conformal import Conformal, proven_coverage
from backend.domain.ml.controls import leaks, shuffled_control, shuffled_labels
from backend.domain.ml.drift import Reference
from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.expected_return import ReturnMap
from backend.domain.ml.features import WARM_UP
from backend.domain.ml.forecaster import Fitted, Floats, Forecaster
from backend.domain.ml.learned import NAMES, LearnedModel
from backend.domain.ml.model_card import importance_of, made_of, model_card
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import Fold, final_split, folds
from backend.domain.ml.table import Table
from backend.domain.ml.telling import Course, Told, untold
from backend.domain.model_errors import NothingToLearn

__all__ = ["Champion", "Told", "Trained", "train"]

# Rows whose contributions say how important features are.
_SAMPLED_ROWS: Final = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What a training comes to."""

    card: dict[str, Any]
    model: LearnedModel
    content: bytes  # of the model's file


@dataclass(frozen=True, kw_only=True, eq=False)
class _Training:
    """One training under way."""

    loaded: Loaded
    spec: ModelSpec
    forecaster: Forecaster
    table: Table
    folds: tuple[Fold, ...]
    kept: Fold
    told: Told
    threads: int

    @cached_property
    def course(self) -> Course:
        lessons = [*self.folds, self.folds[-1], self.kept]
        return Course(self.told, [len(fold.train) for fold in lessons], self.spec.rounds)


def train(
    loaded: Loaded,
    spec: ModelSpec,
    forecaster: Forecaster,
    *,
    told: Told = untold,
    threads: int = 1,
    champion: Champion | None = None,
) -> Trained:
    """Raises TooFewBars and NothingToLearn, and whatever `told` raises. The same bars, spec and number of threads give
    the same file."""
    began = time.perf_counter()
    told("features", 1.0, f"{len(loaded.bars):,} bars")
    split = folds(WARM_UP, len(loaded.bars), spec)
    under_way = _Training(
        loaded=loaded,
        spec=spec,
        forecaster=forecaster,
        table=Table.of(loaded.bars, spec, threads=threads),
        folds=split,
        kept=final_split(WARM_UP, len(loaded.bars), spec),
        told=told,
        threads=threads,
    )
    with beside(threads) as start:
        leaking = start(lambda: _leaks(under_way))
        fitted, predicted = _fold_by_fold(under_way, start)
        controls = {"shuffled": _shuffled(under_way), "leaks": leaking()}
        model = _kept(under_way, predicted, start)
    told("contest", 93.0)
    starts = start_microseconds(loaded.bars)
    fought = None if champion is None else contest(champion, predicted, under_way.table.rows, starts, spec)
    told("file", 97.0)
    content = model.content()
    card = model_card(
        loaded,
        spec,
        predicted,
        folds=split,
        rounds=[one.rounds for one in fitted],
        kept=under_way.kept,
        controls=controls,
        importance=_importance(under_way, model.fitted),
        interval=_interval(under_way, model, predicted),
        made=made_of(
            seconds=time.perf_counter() - began,
            rounds=model.fitted.rounds,
            seed=spec.seed,
            threads=threads,
            forecaster=forecaster.version,
        ),
        file={"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)},
        contest=fought,
    )
    return Trained(card=card, model=model, content=content)


def _fold_by_fold(training: _Training, start: Beside) -> tuple[list[Fitted], OutOfFold]:
    """Each fold's model knows only what came before it, and is asked about what comes after."""
    table, fitted, parts = training.table, [], []
    count = len(training.folds)
    plain = [
        start(partial(plain_forecasts, table.rows, table.last_return, table.labels, fold)) for fold in training.folds
    ]
    for fold in training.folds:
        hear = training.course.lesson("folds", f"fold {fold.number} of {count}", fold=fold.number, folds=count)
        try:
            one = training.forecaster.fit(table.lesson(fold), training.spec, threads=training.threads, told=hear)
        except NothingToLearn as problem:
            raise NothingToLearn(f"In fold {fold.number} of {count}: {problem.detail}") from None
        fitted.append(one)
        parts.append(_predicted(table, fold, one, plain[fold.number - 1]()))
    return fitted, _joined(parts)


def _predicted(table: Table, fold: Fold, fitted: Fitted, plain: Mapping[str, Floats]) -> OutOfFold:
    asked = fold.test.rows
    return OutOfFold(
        rows=fold.test.numbers,
        folds=np.full(len(fold.test), fold.number, np.int64),
        probability=fitted.probability_up(table.rows[asked]),
        labels=table.labels[asked],
        forward=table.forward[asked],
        baselines=plain,
    )


def _joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    return OutOfFold(
        rows=np.concatenate([part.rows for part in parts]),
        folds=np.concatenate([part.folds for part in parts]),
        probability=np.concatenate([part.probability for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        forward=np.concatenate([part.forward for part in parts]),
        baselines={name: np.concatenate([part.baselines[name] for part in parts]) for name in parts[0].baselines},
    )


def _shuffled(training: _Training) -> dict[str, Any] | None:
    """A model that is taught nonsense must know nothing. None where nonsense cannot be made."""
    table, spec, fold = training.table, training.spec, training.folds[-1]
    hear = training.course.lesson("controls", "shuffled labels")
    nonsense = shuffled_labels(table.labels, spec.seed)
    try:
        taught = training.forecaster.fit(table.lesson(fold, nonsense), spec, threads=training.threads, told=hear)
    except NothingToLearn:
        return None
    said = taught.probability_up(table.rows[fold.test.rows])
    return shuffled_control(said, table.labels[fold.test.rows], spec)


def _leaks(training: _Training) -> list[dict[str, Any]]:
    """No feature may know an answer by itself."""
    table = training.table
    answers = {"the label": table.labels[WARM_UP:], "the next bar": table.next_up[WARM_UP:]}
    return leaks(table.rows[WARM_UP:], NAMES, answers, training.spec)


def _kept(training: _Training, predicted: OutOfFold, start: Beside) -> LearnedModel:
    """It learns from all that has an answer; what its words are worth is known from the folds alone."""
    table, spec, kept = training.table, training.spec, training.kept
    referring = start(lambda: Reference.fit(table.rows[kept.train.first : kept.stop.last], NAMES))
    hear = training.course.lesson("final", f"{len(kept.train) + len(kept.stop):,} bars")
    fitted = training.forecaster.fit(table.lesson(kept), spec, threads=training.threads, told=hear)
    returns, known = ReturnMap.fit(predicted, spec), predicted.answered
    return LearnedModel(
        spec=spec,
        reference=referring(),
        returns=returns,
        conformal=Conformal.fit(returns.expected(known.probability), known.forward, table.volatility[known.rows]),
        forecaster=training.forecaster.version,
        fitted=fitted,
    )


def _importance(training: _Training, fitted: Fitted) -> list[dict[str, Any]]:
    kept = training.kept
    asked = np.linspace(kept.train.first, kept.stop.last - 1, _SAMPLED_ROWS).astype(np.int64)
    return importance_of(fitted.gain, fitted.contributions(training.table.rows[asked]))


def _interval(training: _Training, model: LearnedModel, predicted: OutOfFold) -> dict[str, Any]:
    volatility = training.table.volatility[predicted.rows]
    coverage = proven_coverage(predicted, volatility, training.spec, level=model.conformal.level)
    return {"level": model.conformal.level, "coverage": coverage}
