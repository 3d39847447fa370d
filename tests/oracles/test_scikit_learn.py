"""The metrics of models beside those of scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr, t
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from backend.domain.ml.bootstrap import Blocks, student
from backend.domain.ml.metrics import metrics


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("places", [2, 12])  # with and without equal predictions
def test_every_metric_is_that_of_the_libraries(seed: int, places: int) -> None:
    dice = np.random.default_rng(seed)
    probability = np.clip(dice.beta(4, 4, 900).round(places), 0.01, 0.99)
    ups = dice.random(900) < 0.3 + 0.4 * probability
    forward = np.where(ups, 1, -1) * dice.gamma(2, 0.01, 900).round(places)
    found = metrics(probability, ups, forward, Blocks.of(900, 5, seed=1))
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(ups, probability), rel=1e-5)
    assert found["log_loss"] == pytest.approx(log_loss(ups, probability), rel=1e-5)
    assert found["brier"] == pytest.approx(brier_score_loss(ups, probability), rel=1e-5)
    assert found["accuracy"] == pytest.approx(accuracy_score(ups, probability >= 0.5), rel=1e-5)
    assert found["ic"]["value"] == pytest.approx(pearsonr(probability, forward).statistic, rel=1e-5)
    assert found["rank_ic"]["value"] == pytest.approx(spearmanr(probability, forward).statistic, rel=1e-5)


def test_students_t_is_that_of_scipy() -> None:
    for level in (0.90, 0.95, 0.999):
        for freedom in (7, 15, 40, 500):
            assert student(level, freedom) == pytest.approx(t.ppf((1 + level) / 2, freedom), rel=0.01)
