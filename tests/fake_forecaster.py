"""A forecaster without a library: logistic regression by plain descent. It learns what is linear, quickly."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.domain.ml.forecaster import Fitted, Floats, Lesson, Matrix
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import ModelDamaged, NothingToLearn

_STEP = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    weights: Floats  # the last one is where all rows begin
    means: Floats
    scales: Floats
    rounds: int

    @property
    def gain(self) -> Floats:
        return np.abs(self.weights[:-1])

    def probability_up(self, rows: Matrix) -> Floats:
        up: Floats = 1 / (1 + np.exp(-self.contributions(rows).sum(axis=1)))
        return up

    def contributions(self, rows: Matrix) -> Floats:
        scaled = (rows.astype(np.float64) - self.means) / self.scales
        return np.column_stack((scaled * self.weights[:-1], np.full(len(rows), self.weights[-1])))

    def content(self) -> bytes:
        parts = (self.weights, self.means, self.scales)
        return json.dumps([*(part.tolist() for part in parts), self.rounds]).encode()


class FakeForecaster:
    """A Forecaster."""

    version = "line 1"

    def __init__(self) -> None:
        self.lessons: list[Lesson] = []

    def fit(
        self,
        lesson: Lesson,
        spec: ModelSpec,
        *,
        threads: int = 1,
        told: Callable[[int, float, float], None] | None = None,
    ) -> Fitted:
        self.lessons.append(lesson)
        if len(np.unique(lesson.labels)) < 2:
            raise NothingToLearn(f"All {len(lesson.labels):,} bars to learn from went one way.")
        means, scales = lesson.rows.mean(axis=0, dtype=np.float64), lesson.rows.std(axis=0, dtype=np.float64)
        line = Line(weights=np.zeros(len(means) + 1), means=means, scales=np.where(scales > 0, scales, 1), rounds=0)
        for number in range(1, spec.rounds + 1):
            line = _next(line, lesson)
            if told is not None:
                told(number, _loss(line, lesson.rows, lesson.labels), _loss(line, lesson.stop_rows, lesson.stop_labels))
        return line

    def read(self, content: bytes) -> Fitted:
        try:
            weights, means, scales, rounds = json.loads(content)
            return Line(weights=np.array(weights), means=np.array(means), scales=np.array(scales), rounds=int(rounds))
        except (ValueError, TypeError) as problem:
            raise ModelDamaged(f"The line cannot be read: {problem}.") from problem


def _next(line: Line, lesson: Lesson) -> Line:
    wrong = lesson.labels - line.probability_up(lesson.rows)
    scaled = (lesson.rows.astype(np.float64) - line.means) / line.scales
    step = _STEP * np.append(scaled.T @ wrong, wrong.sum()) / len(wrong)
    return Line(weights=line.weights + step, means=line.means, scales=line.scales, rounds=line.rounds + 1)


def _loss(line: Line, rows: Matrix, labels: np.ndarray) -> float:
    up = line.probability_up(rows)
    return float(-np.mean(np.where(labels == 1, np.log(up), np.log(1 - up))))
