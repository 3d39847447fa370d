"""Returns over several horizons, plain and in volatilities."""

from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import ago, fill_change, fill_move, now
from backend.domain.ml.groups.windows import W60, W240

LARGEST: Final = 4.0

RETURNS: Final = group_of(
    "returns",
    return_1="Logarithm of the close over the close one bar ago",
    return_5="Logarithm of the close over the close 5 bars ago",
    return_20="Logarithm of the close over the close 20 bars ago",
    return_60="Logarithm of the close over the close 60 bars ago",
    return_240="Logarithm of the close over the close 240 bars ago",
    gap="Logarithm of the open over the close before it",
    move_1="Return of one bar, in volatilities of the last 60",
    move_5="Return of 5 bars, in volatilities of the last 60",
    move_20="Return of 20 bars, in volatilities of the last 240",
)


@compiled
def fill_returns(seen: Seen, columns: Columns) -> None:
    close = now(seen.close)
    for column, bars in enumerate((1, 5, 20, 60, 240)):
        fill_change(close, ago(seen.close, bars), LARGEST, columns[column])
    fill_change(now(seen.open), ago(seen.close, 1), LARGEST, columns[5])
    of_60, of_240 = now(seen.steadiness[W60]), now(seen.steadiness[W240])
    fill_move(close, ago(seen.close, 1), of_60, 1, columns[6])
    fill_move(close, ago(seen.close, 5), of_60, 5, columns[7])
    fill_move(close, ago(seen.close, 20), of_240, 20, columns[8])
