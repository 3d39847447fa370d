"""A frame that a person brought, checked as bars are, with the column named where values are missing."""

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS, check_bars
from backend.domain.market import Timeframe
from backend.domain.strategy_errors import MissingValues


def checked_frame(frame: pd.DataFrame, timeframe: Timeframe, calendar: str, what: str) -> pd.DataFrame:
    """The bar frame. Raises MissingValues for the first column with holes, BadBars for any other bad row."""
    for name in COLUMNS:
        if name in frame.columns:
            values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
            holes = np.flatnonzero(~np.isfinite(values))
            if len(holes):
                column = f"The column '{name}' of {what}"
                raise MissingValues(column, count=len(holes), of=len(values), first=int(holes[0]))
    return check_bars(frame, timeframe, calendar)
