"""What every forecaster keeps to: LightGBM, and the line that stands in for it where a test is not about trees."""

import gc
import weakref
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest

from backend.domain.ml.forecaster import Forecaster, Lesson
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import ModelDamaged, NothingToLearn
from backend.infrastructure.forecasters import LightGbm
from tests.fake_forecaster import FakeForecaster

SPEC = ModelSpec(rounds=60, patience=60, learning_rate=0.1, least_in_leaf=20)


@pytest.fixture(params=[FakeForecaster, LightGbm])
def forecaster(request: pytest.FixtureRequest) -> Forecaster:
    made: Forecaster = request.param()
    return made


def lesson(rows: int = 1_500, *, strength: float = 1.5) -> Lesson:
    """Up is likelier where the first feature is high; the last one is always the same."""
    dice = np.random.default_rng(11)
    seen = dice.standard_normal((rows, 4)).astype(np.float32)
    seen[:, 3] = 2.5
    labels = (dice.random(rows) < 1 / (1 + np.exp(-strength * seen[:, 0]))).astype(np.int8)
    cut = rows * 4 // 5
    return Lesson(rows=seen[:cut], labels=labels[:cut], stop_rows=seen[cut:], stop_labels=labels[cut:])


def test_it_finds_what_there_is(forecaster: Forecaster) -> None:
    asked = lesson()
    up = forecaster.fit(asked, SPEC).probability_up(asked.stop_rows)

    assert ((up > 0) & (up < 1)).all()
    assert up[asked.stop_rows[:, 0] > 1].mean() > 0.7
    assert up[asked.stop_rows[:, 0] < -1].mean() < 0.3


def test_the_same_lesson_gives_the_same_bytes(forecaster: Forecaster) -> None:
    assert forecaster.fit(lesson(), SPEC).content() == forecaster.fit(lesson(), SPEC).content()


def test_another_lesson_gives_others(forecaster: Forecaster) -> None:
    assert forecaster.fit(lesson(), SPEC).content() != forecaster.fit(lesson(1_400), SPEC).content()


def other_answers(asked: Lesson) -> Lesson:
    return replace(asked, labels=asked.labels[::-1].copy(), stop_labels=asked.stop_labels[::-1].copy())


def test_other_answers_on_the_same_rows_are_learned_as_by_one_that_never_saw_them(forecaster: Forecaster) -> None:
    asked = lesson()
    first = forecaster.fit(asked, SPEC).content()
    other = forecaster.fit(other_answers(asked), SPEC).content()

    assert other == type(forecaster)().fit(other_answers(asked), SPEC).content() != first
    assert forecaster.fit(asked, SPEC).content() == first
    more = SPEC.model_copy(update={"least_in_leaf": 60})
    assert forecaster.fit(asked, more).content() == type(forecaster)().fit(asked, more).content()


def test_bins_are_made_once_for_the_same_rows_and_go_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    whole = lightgbm.Dataset

    def counted(*given: Any, **named: Any) -> lightgbm.Dataset:
        made.append(given)
        return whole(*given, **named)

    monkeypatch.setattr(lightgbm, "Dataset", counted)
    forecaster, asked = LightGbm(), lesson()
    forecaster.fit(asked, SPEC)
    forecaster.fit(other_answers(asked), SPEC)
    assert len(made) == 1
    made.clear()  # what was given holds the rows
    asked_anew = lesson()
    forecaster.fit(asked_anew, SPEC)
    assert len(made) == 1
    made.clear()
    kept = weakref.ref(forecaster._bins._kept)
    del asked_anew
    gc.collect()
    assert kept() is None


def test_it_says_the_same_after_it_was_read_again(forecaster: Forecaster) -> None:
    asked = lesson()
    before = forecaster.fit(asked, SPEC)
    after = forecaster.read(before.content())

    assert np.array_equal(before.probability_up(asked.stop_rows), after.probability_up(asked.stop_rows))
    assert np.array_equal(before.contributions(asked.stop_rows), after.contributions(asked.stop_rows))
    assert np.array_equal(before.gain, after.gain)
    assert (before.rounds, before.content()) == (after.rounds, after.content())


def test_a_row_alone_is_judged_as_among_others(forecaster: Forecaster) -> None:
    asked = lesson()
    fitted = forecaster.fit(asked, SPEC)

    assert fitted.probability_up(asked.stop_rows[7:8]) == fitted.probability_up(asked.stop_rows)[7]


def test_contributions_add_up_to_the_log_odds(forecaster: Forecaster) -> None:
    asked = lesson()
    fitted = forecaster.fit(asked, SPEC)
    up, parts = fitted.probability_up(asked.stop_rows), fitted.contributions(asked.stop_rows)

    assert parts.shape == (len(asked.stop_rows), 5)
    assert np.allclose(parts.sum(axis=1), np.log(up / (1 - up)), atol=1e-9)


def test_a_feature_that_never_changes_adds_nothing(forecaster: Forecaster) -> None:
    asked = lesson()
    fitted = forecaster.fit(asked, SPEC)

    assert len(fitted.gain) == 4
    assert fitted.gain[3] == 0
    assert np.argmax(fitted.gain) == 0
    assert not fitted.contributions(asked.stop_rows)[:, 3].any()


def test_where_no_feature_ever_changes_it_says_the_base_rate(forecaster: Forecaster) -> None:
    labels = np.tile(np.array([1, 0, 1, 1], np.int8), 100)
    flat = Lesson(
        rows=np.ones((400, 2), np.float32),
        labels=labels,
        stop_rows=np.ones((40, 2), np.float32),
        stop_labels=labels[:40],
    )

    assert np.allclose(forecaster.fit(flat, SPEC).probability_up(flat.stop_rows), 0.75, atol=0.01)


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_only_teaches_nothing(forecaster: Forecaster, only: int) -> None:
    asked = lesson()
    same = Lesson(
        rows=asked.rows,
        labels=np.full_like(asked.labels, only),
        stop_rows=asked.stop_rows,
        stop_labels=asked.stop_labels,
    )

    with pytest.raises(NothingToLearn, match="1,200"):
        forecaster.fit(same, SPEC)


def test_it_tells_its_loss_as_it_learns(forecaster: Forecaster) -> None:
    told: list[tuple[int, float, float]] = []
    forecaster.fit(lesson(), SPEC, told=lambda *said: told.append(said))

    assert told[-1][0] == SPEC.rounds
    assert [number for number, _, _ in told] == sorted({number for number, _, _ in told})
    assert told[-1][1] < told[0][1] < 0.7
    assert told[-1][2] < 0.65


def test_being_told_changes_nothing(forecaster: Forecaster) -> None:
    quiet, told = forecaster.fit(lesson(), SPEC), forecaster.fit(lesson(), SPEC, told=lambda *_: None)

    assert quiet.content() == told.content()


def test_whoever_hears_of_it_can_end_it(forecaster: Forecaster) -> None:
    def enough(number: int, loss: float, stop_loss: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        forecaster.fit(lesson(), SPEC, told=enough)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "garbled"])
def test_a_damaged_content_is_refused(forecaster: Forecaster, damage: str) -> None:
    content = forecaster.fit(lesson(), SPEC).content()
    half = len(content) // 2
    damaged = {
        "cut": content[:half],
        "empty": b"",
        "other": b"\x80\x04K\x01.",  # what pickle writes
        "garbled": content[:half] + b"\xff\x00tree" + content[half:],
    }[damage]

    with pytest.raises(ModelDamaged):
        forecaster.read(damaged)


def test_it_names_its_version(forecaster: Forecaster) -> None:
    name, number = forecaster.version.split(" ")
    assert name.isalpha()
    assert number[0].isdigit()
