"""Columns of bars as the loops of learning take them: in one piece and locked, since each is compiled for one kind."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import start_microseconds

Kind = TypeVar("Kind", np.float64, np.int64)


def column(bars: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    return _locked(bars[name].to_numpy(np.float64))


def starts(bars: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Microseconds since 1970."""
    return _locked(start_microseconds(bars))


def _locked(values: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view
