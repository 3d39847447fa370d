"""How a feature says what it is, and the arrays that its loops work on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]
Columns = npt.NDArray[np.float32]  # one row a feature
Times = npt.NDArray[np.int64]

LEAD: Final = 256  # rows before the first of a block; the longest look back is shorter


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of what models see."""

    name: str
    group: str
    about: str


def group_of(group: str, **abouts: str) -> tuple[Feature, ...]:
    """The features of one group, in the order of their columns."""
    return tuple(Feature(name=name, group=group, about=about) for name, about in abouts.items())
