"""How far a training is: what is told while it learns, and how much of the work each part is."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

# Each lesson's curve has at most about so many points.
_POINTS: Final = 80
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

    def lesson(self, stage: str, message: str, **more: Any) -> Callable[[int, float, float], None]:
        """The next one begins. What is returned hears its losses."""
        before, own, of = sum(self._rows[: self._done]), self._rows[self._done], sum(self._rows)
        self._done += 1
        curve: list[list[float]] = []

        def hear(number: int, loss: float, stop_loss: float) -> None:
            curve.append([number, loss, stop_loss])
            thinned = curve[:: -(-len(curve) // _POINTS)]
            losses = {"round": number, "loss": loss, "stop_loss": stop_loss, "curve": thinned}
            self._told(stage, _percent((before + own * number / self._rounds) / of), message, **losses, **more)

        self._told(stage, _percent(before / of), message, **more)
        return hear


def _percent(share: float) -> float:
    return _LEARNING_FROM + (_LEARNING_TO - _LEARNING_FROM) * share
