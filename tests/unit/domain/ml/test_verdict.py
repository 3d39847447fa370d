"""What stands against a model is said in plain words, and what speaks for it with its numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backend.domain.format import MINUS
from backend.domain.ml.evaluation import OutOfFold, evaluate
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.verdict import verdict_of
from tests.unit.domain.ml.truths import market, planted

Card = dict[str, Any]
SPEC = ModelSpec(horizon=1)


def card_of(predicted: OutOfFold, spec: ModelSpec = SPEC) -> Card:
    passed = {"auc": {"value": 0.5, "low": 0.48, "high": 0.52}, "passed": True}
    found = evaluate(predicted, spec)
    return {"spec": spec.model_dump(), "controls": {"shuffled": passed, "leaks": []}, **found}


def good() -> Card:
    truth = planted(6_000, auc=0.60, seed=1, move=0.03)
    return card_of(truth.predicted(base_rate=np.full(6_000, 0.5), linear=np.full(6_000, 0.5)))


def test_a_signal_that_is_there_is_trusted_with_its_numbers() -> None:
    verdict = verdict_of(good())
    assert verdict.is_trusted
    assert verdict.headline == ("A signal that held out of sample: AUC 0.599 (0.586 to 0.613).")
    assert [reason.code for reason in verdict.reasons] == ["signal", "pays"]
    assert "On 6,000 bars that it had not seen" in verdict.reasons[0].text
    assert verdict.document()["reasons"][0] == {"code": "signal", "text": verdict.reasons[0].text}


def test_without_a_signal_it_says_so_in_plain_words() -> None:
    said = []
    for seed in range(10):
        truth = market(3_000, 12, memory=0.9, signal=0.0, seed=seed)
        verdict = verdict_of(card_of(truth.predicted(base_rate=np.full(3_000, 0.5)), ModelSpec(horizon=12)))
        assert not verdict.is_trusted
        said.append(verdict)
    nothing = [one for one in said if one.reasons[0].code == "no_signal"]
    assert len(nothing) >= 9
    assert nothing[0].headline == "No signal: it does not predict better than chance."
    assert "That includes 0.50, which is what guessing has: there is no signal in it." in nothing[0].reasons[0].text


def _leak(card: Card) -> None:
    card["controls"]["leaks"] = [{"feature": "rsi_14", "auc": 0.9, "text": "rsi_14 knows."}, {"feature": "b"}]


def _control(card: Card) -> None:
    card["controls"]["shuffled"] = {"auc": {"value": 0.6, "low": 0.58, "high": 0.62}, "passed": False}


def _few(card: Card) -> None:
    card["spec"]["horizon"] = 500


def _wrong(card: Card) -> None:
    card["pooled"]["auc"] = {"value": 0.45, "low": 0.43, "high": 0.47}


def _returns(card: Card) -> None:
    card["pooled"]["ic"] = {"value": 0.01, "low": -0.01, "high": 0.03}


def _unknown(card: Card) -> None:
    card["pooled"]["auc"] = {"value": None, "low": None, "high": None}


def _base_rate(card: Card) -> None:
    card["baselines"][0]["gain"]["value"] = -0.001


def _linear(card: Card) -> None:
    card["baselines"][1]["gain"] = {"value": -0.01, "low": -0.02, "high": -0.001}


def _folds(card: Card) -> None:
    for fold in card["folds"][:2]:
        fold["metrics"]["auc"]["value"] = 0.47


def _calibration(card: Card) -> None:
    for part in card["calibration"][:4]:
        part["predicted"] -= 0.15


def _costs(card: Card) -> None:
    card["deciles"][0]["after_costs"] = -0.02


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (_leak, "leak", "rsi_14 knows. The same is true of one more feature."),
        (_control, "control", "shuffled labels it had an AUC of 0.600 (0.580 to 0.620), where 0.50 is all that can be"),
        (_few, "too_few_rows", "With a horizon of 500 bars that is about 11 outcomes that do not overlap"),
        (_wrong, "no_signal", "wrong more often than chance: the AUC is 0.450 (0.430 to 0.470), below 0.50"),
        (_returns, "no_signal", f"do not go along with returns: their correlation is 0.010 ({MINUS}0.010 to 0.030)"),
        (_unknown, "no_signal", "nothing to see"),
        (_base_rate, "baseline", "Always the base rate: a loss of 0.6931, where the model has 0.6"),
        (_linear, "baseline", "A linear model of all features: a loss of"),
        (_folds, "folds", "Only 3 of 5 folds were better than chance; their AUC lies between 0.47 and"),
        (_calibration, "calibration", "Where it said"),
        (_costs, "costs", "after costs of 15 bps at entry and at exit"),
    ],
)
def test_what_stands_against_it_is_said(spoil: Callable[[Card], None], code: str, words: str) -> None:
    card = good()
    spoil(card)
    verdict = verdict_of(card)
    assert not verdict.is_trusted
    assert [reason.code for reason in verdict.reasons] == [code]
    assert words in verdict.reasons[0].text
    assert verdict.headline


def test_the_gravest_comes_first() -> None:
    card = good()
    for spoil in (_costs, _folds, _leak):
        spoil(card)
    verdict = verdict_of(card)
    assert [reason.code for reason in verdict.reasons] == ["leak", "folds", "costs"]
    assert verdict.headline == "Do not use it: a feature seems to know the future."


def test_a_model_that_sees_nothing_and_one_that_is_a_little_behind_a_line_are_told_apart() -> None:
    """Only what is surely worse than a line is not worth having."""
    card = good()
    card["baselines"][1]["gain"] = {"value": -0.001, "low": -0.003, "high": 0.001}
    assert verdict_of(card).is_trusted
    nothing = good()
    nothing["pooled"]["rows"] = 0
    assert verdict_of(nothing).reasons[0].code == "too_few_rows"
