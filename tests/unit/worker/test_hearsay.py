"""What the runner heard of waiting jobs: each job once, whichever word of it comes first."""

from uuid import UUID

import pytest

from backend.worker.hearsay import MOST_WORDS, Hearsay

JOB, OTHER = UUID(int=1), UUID(int=2)


class Hand:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("order", [("here", "bus"), ("bus", "here")])
def test_the_second_word_of_a_job_is_no_news(order: tuple[str, str]) -> None:
    hearsay = Hearsay()
    assert hear(hearsay, order[0], JOB)
    assert hearsay.take() == [JOB]
    assert not hear(hearsay, order[1], JOB)
    assert not hearsay
    assert hearsay.take() == []


def test_a_job_that_is_queued_again_is_news_again() -> None:
    hearsay = Hearsay()
    for _ in range(2):
        assert hearsay.from_here(JOB)
        assert not hearsay.from_bus(JOB)
    assert hearsay.from_bus(JOB)
    assert hearsay.from_bus(JOB)
    assert hearsay.take() == [JOB]


def test_a_second_word_that_got_lost_does_not_hide_a_later_one() -> None:
    clock = Hand()
    hearsay = Hearsay(clock)
    hearsay.from_here(JOB)
    clock.now = 3.0
    assert hearsay.from_bus(JOB)
    hearsay.from_here(OTHER)
    hearsay.forget()
    assert hearsay.from_bus(OTHER)


def test_the_earliest_heard_comes_first_and_too_many_are_left_to_the_queue() -> None:
    hearsay = Hearsay()
    for number in range(MOST_WORDS + 10):
        hearsay.from_bus(UUID(int=number))
    taken = hearsay.take()
    assert len(taken) == MOST_WORDS
    assert taken[:2] == [UUID(int=0), UUID(int=1)]


def hear(hearsay: Hearsay, source: str, job_id: UUID) -> bool:
    return hearsay.from_here(job_id) if source == "here" else hearsay.from_bus(job_id)
