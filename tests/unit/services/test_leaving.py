"""What becomes of a closed account, and of one whose end was interrupted."""

from uuid import uuid4

import pytest

from backend.services import leaving
from backend.services.leaving import Leaving
from tests.fake_leaving import FakeDepartures, FakeOwnFiles
from tests.fakes import FakeClock

ADA, EVE = uuid4(), uuid4()


class Installation:
    def __init__(self) -> None:
        self.departures, self.files, self.clock = FakeDepartures({ADA: 5, EVE: 3}), FakeOwnFiles(), FakeClock()
        self.seconds = 0.0
        self.leaving = Leaving(self.departures, self.files, self.clock, monotonic=self.monotonic)

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(leaving, "_PAUSE_SECONDS", 0.0)
    return Installation()


async def test_rows_go_before_files_and_those_of_others_stay(installation: Installation) -> None:
    assert await installation.leaving.delete(ADA, "They asked for it.")
    assert installation.departures.rows == {EVE: 3}
    assert installation.files.removed == [ADA]


async def test_an_account_that_is_none_is_not_deleted(installation: Installation) -> None:
    assert not await installation.leaving.delete(uuid4(), "A mistake.")
    assert installation.files.removed == []


async def test_what_runs_may_come_to_its_end_first(installation: Installation) -> None:
    installation.departures.running[ADA] = 3
    await installation.leaving.delete(ADA, "They asked for it.")
    assert installation.departures.running[ADA] == 0


async def test_a_job_that_never_ends_is_not_waited_for(installation: Installation) -> None:
    installation.departures.running[ADA] = 1_000
    await installation.leaving.delete(ADA, "They asked for it.")
    assert installation.seconds < 2 * leaving.JOBS_MAY_TAKE_SECONDS
    assert installation.files.removed == [ADA]


async def test_who_left_is_looked_after_until_nobody_can_write_for_them(installation: Installation) -> None:
    await installation.leaving.delete(ADA, "They asked for it.")
    assert await installation.leaving.go_on() == 0
    installation.clock.advance(minutes=10)
    assert await installation.leaving.go_on() == 1
    assert installation.files.removed == [ADA] * 3
    assert await installation.leaving.go_on() == 0


async def test_one_whose_files_cannot_go_does_not_keep_the_others(installation: Installation) -> None:
    for who in (ADA, EVE):
        await installation.departures.close(who, "They asked for it.")
    installation.files.refuses.add(ADA)
    installation.clock.advance(hours=1)
    assert await installation.leaving.go_on() == 1
    assert list(installation.departures.left) == [ADA]
    installation.files.refuses.clear()
    assert await installation.leaving.go_on() == 1
