"""Learning: what models see, over a year of minutes, beside a loop written by hand and TA-Lib."""

from collections.abc import Sequence

from scripts.benches.figures import Figure
from scripts.benches.learning.seeing import feature_figures


def run() -> Sequence[Figure]:
    return [*feature_figures()]
