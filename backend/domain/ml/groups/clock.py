"""When a bar begins, in UTC, as points on a circle; and how long the market paused before it."""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import LEAD, Columns, Series, Times, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import fill_balance, now
from backend.domain.ml.groups.windows import W20, find_highs

CALENDAR: Final = group_of(
    "calendar",
    hour_sine="Time of day in UTC: 1 at 06:00, -1 at 18:00",
    hour_cosine="Time of day in UTC: 1 at midnight, -1 at noon",
    weekday_sine="Day of the week in UTC, as a sine",
    weekday_cosine="Day of the week in UTC, as a cosine: 1 on Monday",
    pause="Time since the bar before against the shortest of the last 20, from 0 to 1",
)

_MINUTE: Final = 60_000_000
_OF_DAY: Final = 2 * np.pi * np.arange(1_440) / 1_440
_OF_WEEK: Final = 2 * np.pi * np.arange(7) / 7
_SINE_OF_DAY: Final = np.sin(_OF_DAY).astype(np.float32)
_COSINE_OF_DAY: Final = np.cos(_OF_DAY).astype(np.float32)
_SINE_OF_WEEK: Final = np.sin(_OF_WEEK).astype(np.float32)
_COSINE_OF_WEEK: Final = np.cos(_OF_WEEK).astype(np.float32)


@compiled
def fill_calendar(seen: Seen, columns: Columns) -> None:
    for row in range(columns.shape[1]):
        minutes = seen.ts[row + LEAD] // _MINUTE
        day = minutes // 1_440
        minute, weekday = minutes - 1_440 * day, (day + 3) % 7  # 1970 began on a Thursday
        columns[0, row] = _SINE_OF_DAY[minute]
        columns[1, row] = _COSINE_OF_DAY[minute]
        columns[2, row] = _SINE_OF_WEEK[weekday]
        columns[3, row] = _COSINE_OF_WEEK[weekday]
    nearness, nearest = seen.free[0], seen.free[1:3]
    _find_nearness(seen.ts, nearness)
    find_highs(nearness, nearest)
    fill_balance(now(nearest[W20]), now(nearness), 1.0, columns[4])


@compiled
def _find_nearness(ts: Times, nearness: Series) -> None:
    """One over the microseconds since the bar before: of pauses the shortest is wanted, of these the highest."""
    later, earlier, near = ts[1:], ts[:-1], nearness[1:]
    for row in range(len(near)):
        near[row] = 1.0 / (later[row] - earlier[row])
    nearness[0] = 0.0
