"""A look at an uploaded file is a process that may fail in any way without harm to who asked."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from backend.bootstrap_market import desk_environment
from backend.data.file_looks import ProcessFileLooks
from backend.data.storage.uploads import StagedUploads
from backend.domain.errors import InvalidInput
from backend.domain.market import ALWAYS
from backend.domain.market_errors import BadFile, UnknownUpload
from backend.settings import Settings
from tests.fakes import FakeClock

GOOD = b"ts,open,high,low,close\n2026-01-05,1,2,0.5,1.5\n2026-01-06,1.5,3,1,2\n"


class Place:
    """A folder of uploads, and the looks at it."""

    def __init__(self, root: Path) -> None:
        self.uploads = StagedUploads(root, FakeClock())
        self.environment = desk_environment(Settings(_env_file=None, cache_dir=root))
        self.owner = uuid4()

    def put(self, content: bytes) -> "Place":
        writer = self.uploads.begin(self.owner, "file.csv")
        writer.write(content)
        self.upload_id = writer.keep().id
        return self


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).put(GOOD)


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "backend.worker.looking" in " ".join(one.cmdline())]


async def test_what_was_understood_is_told_and_no_process_stays(place: Place) -> None:
    looks = ProcessFileLooks(place.environment)
    seen = await looks.look(place.owner, place.upload_id, rows=100, calendar=ALWAYS)
    assert (seen["rows"], seen["timeframe"], seen["is_whole"]) == (2, "1d", True)
    assert seen["bars"][1]["high"] == 3
    assert len(children()) == 1, "one waits for the next look"
    await looks.close()
    assert children() == []


async def test_a_reading_that_does_not_fit_is_pointed_at(place: Place) -> None:
    looks = ProcessFileLooks(place.environment)
    seen = await looks.look(place.owner, place.upload_id, rows=9, calendar=ALWAYS)
    reading = {name: value for name, value in seen["reading"].items() if name != "notes"}
    with pytest.raises(InvalidInput) as refused:
        await looks.look(place.owner, place.upload_id, rows=1, reading={**reading, "time": "when"}, calendar=ALWAYS)
    assert [one.pointer for one in refused.value.errors] == ["/reading/time"]
    await looks.close()


async def test_somebody_elses_file_is_unknown(place: Place) -> None:
    looks = ProcessFileLooks(place.environment)
    with pytest.raises(UnknownUpload):
        await looks.look(uuid4(), place.upload_id, rows=1, calendar=ALWAYS)
    await looks.close()


async def test_one_that_takes_too_long_is_ended(place: Place) -> None:
    looks = ProcessFileLooks(place.environment, longest_seconds=0.001)
    with pytest.raises(BadFile, match="not read within"):
        await looks.look(place.owner, place.upload_id, rows=1, calendar=ALWAYS)
    await looks.close()
    assert children() == []


async def test_one_that_dies_is_told_as_a_bad_file_and_replaced(place: Place) -> None:
    looks = ProcessFileLooks(place.environment)
    await looks.look(place.owner, place.upload_id, rows=1, calendar=ALWAYS)
    (spare,) = children()
    spare.suspend()
    look = asyncio.create_task(looks.look(place.owner, place.upload_id, rows=1, calendar=ALWAYS))
    await asyncio.sleep(0.05)
    spare.kill()
    with pytest.raises(BadFile, match="too much memory"):
        await look
    assert (await looks.look(place.owner, place.upload_id, rows=9, calendar=ALWAYS))["rows"] == 2
    await looks.close()


async def test_it_knows_no_secret_and_keeps_within_its_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_ALPACA_SECRET_KEY", "canary-4711")
    looks = ProcessFileLooks(place.environment)
    await looks.look(place.owner, place.upload_id, rows=1, calendar=ALWAYS)
    (spare,) = children()
    assert "canary-4711" not in str(spare.environ())
    for _ in range(600):
        if spare.rlimit(psutil.RLIMIT_DATA) == (1 << 30, 1 << 30):
            break
        await asyncio.sleep(0.05)
    assert spare.rlimit(psutil.RLIMIT_DATA) == (1 << 30, 1 << 30)
    assert spare.nice() >= os.nice(0)
    await looks.close()
