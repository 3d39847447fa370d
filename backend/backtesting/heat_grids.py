"""The objective over two parameters as a grid for a picture: as many cells as can be seen, of any number of trials."""

from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from backend.backtesting.optimisation import Floats, Optimisation
from backend.backtesting.space import Value

MOST_STEPS: Final = 50

Ints = npt.NDArray[np.int64]


class Axis(BaseModel):
    """One parameter. Each step of the grid holds `together` values, named by their first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    values: list[Value]
    together: int


class Grid(BaseModel):
    """Rows along y, columns along x; null where nothing was tried or nothing could be ranked."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    x: Axis
    y: Axis
    best: list[list[float | None]]
    median: list[list[float | None]]


def grid_of(found: Optimisation, x: str, y: str) -> Grid:
    """Of each cell the best and the median over all that was tried in it."""
    across, down = _axis(found, x), _axis(found, y)
    ranked = np.flatnonzero(np.isfinite(found.scores))
    columns, rows = _steps(found, x, across)[ranked], _steps(found, y, down)[ranked]
    cells, scores = rows * len(across.values) + columns, found.scores[ranked]
    shape = (len(down.values), len(across.values))
    sign = 1.0 if found.objective.more_is_better else -1.0
    best, median = (sign * table for table in _tables(cells, scores, shape[0] * shape[1]))
    return Grid(x=across, y=down, best=_plain(best.reshape(shape)), median=_plain(median.reshape(shape)))


def _axis(found: Optimisation, name: str) -> Axis:
    values = found.space.values[name]
    together = -(-len(values) // MOST_STEPS)
    return Axis(name=name, values=list(values[::together]), together=together)


def _steps(found: Optimisation, name: str, axis: Axis) -> Ints:
    """In which step of the axis each trial lies."""
    place = {value: at for at, value in enumerate(found.space.values[name])}
    column = found.space.names.index(name)
    every = (place[combination[column]] for combination in found.trials.combinations)
    return np.fromiter(every, np.int64, len(found.trials)) // axis.together


def _tables(cells: Ints, scores: Floats, count: int) -> tuple[Floats, Floats]:
    best, median = np.full(count, np.nan), np.full(count, np.nan)
    if len(cells):
        order = np.lexsort((scores, cells))
        cells, scores = cells[order], scores[order]
        first = np.flatnonzero(np.r_[True, np.diff(cells) > 0])
        behind = np.r_[first[1:], len(cells)]
        best[cells[first]] = scores[behind - 1]
        median[cells[first]] = (scores[(first + behind - 1) // 2] + scores[(first + behind) // 2]) / 2
    return best, median


def _plain(table: Floats) -> list[list[float | None]]:
    return [[value if np.isfinite(value) else None for value in row] for row in table.tolist()]
