"""The plug of what learns: rows of features in, a fitted forecaster out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from backend.domain.ml.spec import ModelSpec

Matrix = npt.NDArray[np.float32]  # one row a bar, one column a feature, C order
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]  # 0 or 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What is learned from, and the later rows whose loss says when to stop."""

    rows: Matrix
    labels: Labels
    stop_rows: Matrix
    stop_labels: Labels


class Fitted(Protocol):
    """A forecaster that has learned. It never changes."""

    @property
    def rounds(self) -> int:
        """So many trees it uses."""

    @property
    def gain(self) -> Floats:
        """How much each feature lowered the loss of training."""

    def probability_up(self, rows: Matrix) -> Floats: ...

    def contributions(self, rows: Matrix) -> Floats:
        """What each feature adds to the log odds of each row; the last column is where all rows begin."""

    def content(self) -> bytes:
        """To be read again by `Forecaster.read`. Text, which runs nothing."""


class Forecaster(Protocol):
    """A library that learns. The same lesson, spec and number of threads give the same bytes."""

    @property
    def version(self) -> str:
        """Its name and version."""

    def fit(
        self,
        lesson: Lesson,
        spec: ModelSpec,
        *,
        threads: int = 1,
        told: Callable[[int, float, float], None] | None = None,
    ) -> Fitted:
        """Bins come from the lesson's own rows. `told` hears of some rounds and of the last: its number, the loss of
        both sets; what it raises ends the training. Raises NothingToLearn where all labels are the same."""

    def read(self, content: bytes) -> Fitted:
        """Raises ModelDamaged."""
