"""The file of a model, what it says of bars, and whether it may still say it."""

import hashlib
import json
import pickle
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from backend.domain.ml.later import evaluate_later
from backend.domain.ml.learned import LearnedModel
from backend.domain.ml.predicting import Freshness, fresh
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.training import Trained, train
from backend.domain.model_errors import ModelDamaged, ModelOfOtherVersion, TooFewBars
from tests.fake_forecaster import FakeForecaster
from tests.planted_markets import without_signal

SPEC = ModelSpec(horizon=3, rounds=8, folds=2, least_in_leaf=20)
LOADED = without_signal(8_500)
KNOWN = 7_000


@cache
def made() -> Trained:
    return train(replace(LOADED, bars=LOADED.bars.iloc[:KNOWN]), SPEC, FakeForecaster())


def read(content: bytes) -> LearnedModel:
    return LearnedModel.read(content, FakeForecaster())


def rewritten(**changes: Any) -> bytes:
    """With other settings, as whoever writes such files would write them."""
    _, _, head, fitted = made().content.split(b"\n", 3)
    body = json.dumps({**json.loads(head), **changes}).encode() + b"\n" + fitted
    return b"tidemark-model 1\n%s\n%s" % (hashlib.sha256(body).hexdigest().encode(), body)


def test_the_file_is_text_that_says_what_it_is() -> None:
    lines = made().content.decode().split("\n")

    assert lines[0] == "tidemark-model 1"
    assert len(lines[1]) == 64
    assert json.loads(lines[2])["spec"]["horizon"] == 3


def test_what_was_written_is_read() -> None:
    again = read(made().content)

    assert again.content() == made().content
    assert again.spec == SPEC
    assert again.predict(LOADED.bars).probability == made().model.predict(LOADED.bars).probability


@pytest.mark.parametrize("where", [0.0, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_any_changed_byte_is_found(where: float) -> None:
    content = bytearray(made().content)
    content[int(where * len(content))] ^= 1
    with pytest.raises((ModelDamaged, ModelOfOtherVersion)):
        read(bytes(content))


@pytest.mark.parametrize("length", [0, 5, 17, 60, 200, -1])
def test_a_file_that_was_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(ModelDamaged):
        read(made().content[:length])


def test_what_would_run_code_when_it_is_loaded_is_no_model() -> None:
    with pytest.raises(ModelDamaged, match="no file of a model"):
        read(pickle.dumps(SPEC))


def test_another_form_is_of_another_version() -> None:
    with pytest.raises(ModelOfOtherVersion, match="form 2"):
        read(made().content.replace(b"tidemark-model 1", b"tidemark-model 2", 1))


def test_another_library_is_another_version() -> None:
    with pytest.raises(ModelOfOtherVersion, match="made by forest 3"):
        read(rewritten(forecaster="forest 3"))


def test_other_settings_are_of_another_version() -> None:
    with pytest.raises(ModelOfOtherVersion, match="settings"):
        read(rewritten(spec={"horizon": 3, "depth": 9}))
    with pytest.raises(ModelOfOtherVersion, match="settings"):
        read(rewritten(conformal={}))


def test_other_features_are_of_another_version() -> None:
    reference = json.loads(made().content.split(b"\n")[2])["reference"]
    with pytest.raises(ModelOfOtherVersion, match="moon_phase"):
        read(rewritten(reference={**reference, "names": ["moon_phase", *reference["names"][1:]]}))


def test_each_bar_is_judged_as_it_would_be_alone() -> None:
    several = made().model.predict(LOADED.bars, 20)

    for back in (1, 7, 20):
        alone = made().model.predict(LOADED.bars.iloc[: len(LOADED.bars) - back + 1])
        for name in ("probability", "expected_return", "low", "high"):
            assert getattr(several, name)[-back] == getattr(alone, name)[0]


def test_too_few_bars_for_a_prediction_say_how_many_are_needed() -> None:
    with pytest.raises(TooFewBars, match="at least 257"):
        made().model.predict(LOADED.bars.head(256))
    assert len(made().model.predict(LOADED.bars.head(257)).probability) == 1


def test_it_is_judged_on_bars_after_its_lessons_only() -> None:
    found = evaluate_later(made().card, made().model, LOADED.bars)

    assert found["first"] == LOADED.bars["ts"].iloc[KNOWN].isoformat()
    assert found["metrics"]["rows"] == 8_500 - KNOWN - 4
    assert found["promised"] == made().card["pooled"]
    assert 0.8 < found["interval"]["coverage"] < 1
    with pytest.raises(TooFewBars, match="after its lessons, which ended at"):
        evaluate_later(made().card, made().model, LOADED.bars.head(KNOWN + 20))


def freshness(bars: int, **more: Any) -> Freshness:
    known = LOADED.bars.iloc[KNOWN - 1_000 : KNOWN + bars]
    return fresh(made().card, made().model, known, closed(bars), **more)


def closed(bars: int) -> datetime:
    last: datetime = LOADED.bars["ts"].iloc[KNOWN + bars - 1].to_pydatetime()
    return last + timedelta(hours=1)


def test_a_model_is_fresh_until_it_is_old() -> None:
    assert (freshness(0).is_fresh, freshness(0).age_bars) == (True, 0)
    assert (freshness(500).is_fresh, freshness(500).age_bars) == (True, 500)
    assert not freshness(501).is_fresh
    assert freshness(501).reason == "Its lessons ended 501 bars ago; it may answer for 500."


def test_one_that_held_against_a_challenger_is_young_again() -> None:
    assert freshness(700, proven_at=closed(300)).age_bars == 400
    assert freshness(700, proven_at=closed(300)).is_fresh


def test_time_without_bars_counts_too() -> None:
    late = fresh(made().card, made().model, LOADED.bars.iloc[:KNOWN], closed(0) + timedelta(hours=600))

    assert late.age_bars == 600
    assert not late.is_fresh


def test_a_long_horizon_may_be_older() -> None:
    patient = replace(made().model, spec=SPEC.model_copy(update={"horizon": 40}))
    assert fresh(made().card, patient, LOADED.bars.iloc[: KNOWN + 790], closed(790)).is_fresh


def test_a_changed_market_makes_it_stale() -> None:
    calm = LOADED.bars.iloc[: KNOWN + 400].copy()
    quiet = calm.index >= KNOWN - 300
    for name in ("open", "high", "low", "close"):
        calm.loc[quiet, name] = 100 + 0.001 * (calm.loc[quiet, name] - 100)
    calm.loc[quiet, "volume"] *= 0.01 + np.arange(quiet.sum())
    found = fresh(made().card, made().model, calm, closed(400))

    assert found.drift == "strong"
    assert not found.is_fresh
    assert "The market has changed" in found.reason


def test_what_surely_goes_against_what_comes_makes_it_stale() -> None:
    dice = np.random.default_rng(1)
    said = 0.5 + 0.1 * dice.standard_normal(400)
    against = list(-(said - 0.5) + 0.05 * dice.standard_normal(400))

    assert "went against what came" in freshness(100, expected=list(said), realised=against).reason
    assert freshness(100, expected=list(said), realised=list(dice.standard_normal(400))).is_fresh
    assert freshness(100, expected=list(said[:60]), realised=against[:60]).is_fresh
