"""Scoring: what is wrong with one series stops no other."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.domain.errors import ServiceUnavailable
from backend.domain.jobs import KINDS, JobKind, NewJob, Progress
from backend.domain.market import Series
from backend.domain.market_errors import NoBars
from backend.domain.models import DuePrediction, NewOutcome, NewWait
from backend.worker.scoring import Score
from tests.fake_jobs import FakeTasks
from tests.model_cards import SERIES
from tests.unit.services.test_models import FEW

AT = datetime(2026, 1, 5, tzinfo=UTC)


def due() -> DuePrediction:
    return DuePrediction(
        id=uuid4(),
        user_id=uuid4(),
        series=SERIES,
        spec=FEW,
        as_of=AT,
        entry_at=AT,
        due_at=AT + timedelta(hours=2),
        probability_up=0.6,
        low=None,
        high=None,
    )


class Book:
    """Of predictions that wait, the first of which breaks whoever writes that it does."""

    def __init__(self, trouble: Exception) -> None:
        self.waiting = [due(), due()]
        self.trouble = trouble
        self.asked = 0
        self.waits: list[NewWait] = []

    async def due(self, *, most: int) -> Sequence[DuePrediction]:
        return self.waiting[:most]

    async def score(self, outcomes: Sequence[NewOutcome]) -> int:
        raise AssertionError("nothing can be measured here")

    async def wait(self, waits: Sequence[NewWait]) -> None:
        self.asked += 1
        if self.asked == 1:
            raise self.trouble
        self.waits += waits


class NoBarsAtAll:
    """Bars that are not there."""

    def since(self, series: Series, start: datetime, *, before: int = 0) -> Any:
        raise NoBars("Nothing is stored.")


async def run(book: Book) -> Any:
    told: list[Progress] = []
    job = FakeTasks().add(None, NewJob(kind=JobKind.SCORE, payload={}, demand=KINDS[JobKind.SCORE].demand))
    return await Score(book, NoBarsAtAll()).run(job, told.append, lambda: False)  # type: ignore[arg-type]  # twins


async def test_one_that_cannot_be_scored_leaves_the_others_alone() -> None:
    book = Book(ValueError("a defect"))
    assert await run(book) == {"due": 2, "scored": 0, "waiting": 2}
    broken, waits = book.waits
    assert (broken.prediction_id, waits.prediction_id) == (book.waiting[0].id, book.waiting[1].id)
    assert "the operator's log" in broken.why
    assert waits.why == "Nothing is stored."


async def test_a_database_that_is_away_ends_the_job_which_is_tried_again() -> None:
    with pytest.raises(ServiceUnavailable):
        await run(Book(ServiceUnavailable()))
