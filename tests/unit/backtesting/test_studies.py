"""Studies as documents: the same as the library found, bounded, told while they run, and whole when cancelled."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from backend.backtesting.heat_grids import MOST_STEPS, grid_of
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.options import trading_config
from backend.backtesting.report.study_page import study_html
from backend.backtesting.studies import StudyPlan, run_study, space_of, study, windows_of
from backend.backtesting.study_documents import OptimisationDocument, WalkForwardDocument, found_document
from backend.backtesting.study_words import rows_of_study, study_summary
from backend.backtesting.trials import Best
from backend.backtesting.walk_forward import WalkForward
from backend.domain.config import RunConfig, SeriesConfig
from backend.domain.market import Timeframe
from backend.domain.optimisation_errors import CannotWalkForward, InvalidSpace, UnknownObjective
from backend.domain.strategies.registry import StrategyRegistry
from tests.unit.backtesting.histories import random_history

BARS = random_history(3_000)
LISTED = StrategyRegistry(points=tuple).get("sma_cross")
PAIRS = {"fast": {"from": 5, "to": 15, "step": 5}, "slow": [10, 20, 30, 40]}


def config(**parameters: Any) -> RunConfig:
    series = (SeriesConfig(provider="import", symbol="A", timeframe=Timeframe.H1),)
    return RunConfig(strategy="sma_cross", parameters=parameters, series=series, trading=trading_config({}), seed=3)


def done(kind: str, space: Any = PAIRS, *, of: RunConfig | None = None, **how: Any) -> dict[str, Any]:
    document = run_study(kind, of or config(), space, [BARS], LISTED, **how)
    plain: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return plain


def test_a_sweep_says_what_the_library_found() -> None:
    found = study("sweep", config(), PAIRS, [BARS], LISTED)
    assert isinstance(found, Optimisation)
    assert found.winner is not None
    document = done("sweep")
    assert OptimisationDocument.model_validate(document).model_dump(mode="json") == document
    assert (document["combinations"], document["trials"], document["skipped"]) == (12, 10, 2)
    assert document["winner"]["parameters"] == dict(found.winner.parameters)
    assert document["winner"]["value"] == found.value(found.winner)
    assert [row["number"] for row in document["best"]] == [trial.number for trial in found.best(10)]
    assert document["judgement"]["values"] == dict(found.judgement.values)
    assert sum(document["histogram"]["counts"]) == document["ranked"] == 10


def test_only_the_best_are_told_in_full() -> None:
    found = study("sweep", config(), PAIRS, [BARS], LISTED)
    assert isinstance(found, Optimisation)
    document = found_document(found, most=3)
    assert len(document["best"]) == 3
    assert document["trials"] == 10
    assert document["best"][0] == document["winner"]


def test_the_grid_is_the_heat_map_and_never_larger_than_can_be_seen() -> None:
    found = study("sweep", config(), PAIRS, [BARS], LISTED)
    assert isinstance(found, Optimisation)
    narrow = grid_of(found, "fast", "slow")
    for table, heat in (
        (narrow.best, found.heat("fast", "slow", how="best")),
        (narrow.median, found.heat("fast", "slow", how="median")),
    ):
        np.testing.assert_array_equal(np.array(table, np.float64), heat.values)
    wide = study("sweep", config(), {"fast": {"from": 2, "to": 61}, "slow": [100, 110]}, [BARS], LISTED)
    assert isinstance(wide, Optimisation)
    grid = grid_of(wide, "fast", "slow")
    assert (len(grid.x.values), grid.x.together) == (30, 2)
    assert len(grid.x.values) <= MOST_STEPS
    first = [
        wide.value(trial)
        for trial in wide.trials
        if trial.parameters in ({"fast": 2, "slow": 100}, {"fast": 3, "slow": 100})
    ]
    assert grid.best[0][0] == max(first)


def test_a_lower_objective_that_is_better_stays_itself_in_the_grid() -> None:
    found = study("sweep", config(), PAIRS, [BARS], LISTED, plan=StudyPlan(objective="volatility"))
    assert isinstance(found, Optimisation)
    assert found.objective == Objective.named("volatility")
    assert found.winner is not None
    known = [value for row in grid_of(found, "fast", "slow").best for value in row if value is not None]
    assert min(known) == found.value(found.winner)


def test_what_is_tried_takes_the_place_of_what_was_fixed() -> None:
    document = done("sweep", {"fast": [5, 10]}, of=config(fast=7, slow=33))
    assert document["fixed"] == {"slow": 33}
    assert {row["parameters"]["fast"] for row in document["best"]} == {5, 10}


def test_a_search_is_told_while_it_runs_and_repeats_itself() -> None:
    heard: list[tuple[int, int, Best | None]] = []
    document = done("optimize", plan=StudyPlan(trials=9), told=lambda *each: heard.append(each))
    assert document["kind"] == "optimize"
    assert [each[1] for each in heard] == [9] * len(heard)
    assert [each[0] for each in heard] == sorted(each[0] for each in heard)
    assert heard[-1][2] == Best(parameters=document["winner"]["parameters"], value=document["winner"]["value"])
    assert done("optimize", plan=StudyPlan(trials=9)) == document


def test_folds_have_both_sides_and_the_account_between_them(tmp_path: Path) -> None:
    heard: list[int] = []
    plan = StudyPlan(folds=4, purge=10)
    walked = study("walk_forward", config(), PAIRS, [BARS], LISTED, plan=plan)
    assert isinstance(walked, WalkForward)
    document = done("walk_forward", plan=plan, ledger=Ledger(tmp_path), told=lambda done, *_: heard.append(done))
    assert WalkForwardDocument.model_validate(document).model_dump(mode="json") == document
    assert heard == sorted(heard)
    assert len(document["folds"]) == document["planned"] == 4
    assert document["unused_bars"] == 0
    for fold, step in zip(document["folds"], walked.steps, strict=True):
        assert step.chosen.winner is not None
        assert fold["parameters"] == dict(step.chosen.winner.parameters)
        assert fold["in_sample"]["value"] == step.chosen.value(step.chosen.winner)
        assert fold["out_of_sample"]["value"] == step.value
        assert fold["test"]["bars"] == document["folds"][0]["test"]["bars"]
    medians = [step.chosen.judgement.number("median") or 0.0 for step in walked.steps]
    assert document["judgement"]["values"]["median"] == pytest.approx(sum(medians) / 4)
    assert 0 <= document["judgement"]["values"]["overfitting"] <= 1
    assert document["trials_in_family"] == 40
    assert walked.result is not None
    assert document["equity"]["equity"][-1] == walked.result.equity[-1]
    assert len(document["equity"]["ts"]) <= 2_000


@pytest.mark.parametrize("kind", ["sweep", "optimize", "walk_forward"])
def test_a_cancelled_study_says_what_it_has(kind: str) -> None:
    document = done(kind, {"fast": {"from": 2, "to": 40}, "slow": {"from": 50, "to": 90}}, is_cancelled=lambda: True)
    assert document["is_cancelled"]
    assert document["trials"] < 39 * 41
    assert "cancelled" in study_summary(document)


@pytest.mark.parametrize("kind", ["sweep", "optimize", "walk_forward"])
def test_it_reads_as_words_rows_and_a_page(kind: str) -> None:
    document = done(kind, plan=StudyPlan(trials=6 if kind == "optimize" else None, folds=2))
    words, page = study_summary(document), study_html(document)
    assert "Probability of overfitting (PBO)" in words
    assert "Median" in words
    assert "FAST" in words
    assert "<table" in page
    assert "NaN" not in page + words
    rows = rows_of_study(document)
    assert len(rows) == (2 if kind == "walk_forward" else document["trials"])
    assert rows[0]["fast"] in (5, 10, 15)


@pytest.mark.parametrize(
    ("kind", "space", "plan", "problem", "words"),
    [
        ("sweep", {}, {}, InvalidSpace, "No parameter is tried"),
        ("sweep", {"fats": [1]}, {}, InvalidSpace, "Did you mean 'fast'?"),
        ("sweep", PAIRS, {"objective": "sharp"}, UnknownObjective, "Did you mean 'sharpe'?"),
        ("walk_forward", PAIRS, {"train": 5_000, "test": 10}, CannotWalkForward, "there are 3,000"),
        ("walk_forward", PAIRS, {"train": 10, "test": 2}, CannotWalkForward, "at most 200"),
    ],
)
def test_what_cannot_be_studied_is_said_before_it_starts(
    kind: str, space: Any, plan: Any, problem: type[Exception], words: str
) -> None:
    with pytest.raises(problem, match=words.replace("?", r"\?")):
        done(kind, space, plan=StudyPlan(**plan))


def test_folds_cover_the_bars_and_few_bars_are_refused() -> None:
    assert windows_of(StudyPlan(folds=5), bars=800) == (300, 100)
    assert windows_of(StudyPlan(train=7, test=3), bars=100) == (7, 3)
    with pytest.raises(CannotWalkForward, match="12 bars are too few for 9 folds"):
        windows_of(StudyPlan(folds=9), bars=12)
    with pytest.raises(ValidationError, match="belong together"):
        StudyPlan(train=7)


def test_more_folds_than_any_memory_holds_are_counted_and_not_made() -> None:
    with pytest.raises(CannotWalkForward, match="make 499,999,999,999 folds"):
        windows_of(StudyPlan(train=2, test=2), bars=10**12)
    with pytest.raises(CannotWalkForward, match="One window needs 90 bars to choose on"):
        windows_of(StudyPlan(train=90, test=20), bars=99)


def test_the_size_of_a_space_is_known_before_it_is_tried() -> None:
    assert space_of(LISTED, config(), PAIRS).combinations == 12
    with pytest.raises(InvalidSpace) as caught:
        space_of(LISTED, config(), {"fast": [1]}, at="/body/space")
    assert caught.value.errors[0].pointer.startswith("/body/space/fast")
