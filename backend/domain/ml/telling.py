"""How far a training is: what is told while it learns, and how much of the work each part is."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

# Each lesson's curve has at most about so many points; the curves of all lessons that are kept, together so many.
_POINTS: Final = 80
_POINTS_OF_ALL: Final = 100
# The model that is kept learns as the last, after the folds.
KEPT: Final = 0
_LEARNING_FROM, _LEARNING_TO = 5.0, 92.0


class Told(Protocol):
    """How far it is. What it raises ends the training."""

    def __call__(self, stage: str, percent: float | None = None, message: str = "", **more: Any) -> None: ...


def untold(stage: str, percent: float | None = None, message: str = "", **more: Any) -> None:
    """Nobody wants to know."""


class Course:
    """All lessons of a training in their order, by how many rows each has."""

    def __init__(self, told: Told, rows: Sequence[int], rounds: int) -> None:
        self._told = told
        self._rows = tuple(rows)
        self._rounds = rounds
        self._done = 0
        # By fold. Whoever comes later hears the last word alone, so it holds what came before.
        self._curves: dict[int, list[list[float]]] = {}

    def lesson(self, stage: str, message: str, **more: Any) -> Callable[[int, float, float], None]:
        """The next one begins. What is returned hears its losses."""
        before, own, of = sum(self._rows[: self._done]), self._rows[self._done], sum(self._rows)
        self._done += 1
        curve: list[list[float]] = []
        if stage != "controls":
            self._curves[more.get("fold", KEPT)] = curve

        def hear(number: int, loss: float, stop_loss: float) -> None:
            curve.append([number, loss, stop_loss])
            losses = {"round": number, "loss": loss, "stop_loss": stop_loss, "curve": _thinned(curve, _POINTS)}
            percent = _percent((before + own * number / self._rounds) / of)
            self._told(stage, percent, message, **losses, curves=self._all_curves(), **more)

        self._told(stage, _percent(before / of), message, curves=self._all_curves(), **more)
        return hear

    def _all_curves(self) -> list[list[Any]]:
        share = max(2, _POINTS_OF_ALL // len(self._rows))
        return [[fold, _thinned(curve, share)] for fold, curve in self._curves.items() if curve]


def _thinned(curve: list[list[float]], most: int) -> list[list[float]]:
    """About so many of its points, always with the last one."""
    return curve[(len(curve) - 1) % (step := -(-len(curve) // most)) :: step]


def _percent(share: float) -> float:
    return _LEARNING_FROM + (_LEARNING_TO - _LEARNING_FROM) * share
