"""Learning: features beside a loop by hand and TA-Lib, a training beside LightGBM alone, a prediction from nothing."""

from collections.abc import Sequence

from scripts.benches.figures import Figure
from scripts.benches.learning.asking import asking_figures
from scripts.benches.learning.seeing import feature_figures
from scripts.benches.learning.training import training_figures


def run() -> Sequence[Figure]:
    return [*feature_figures(), *training_figures(), *asking_figures()]
