"""What is looked up of stored bars for a line of the catalogue."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from backend.data.storage.bars import ParquetBarStore
from backend.data.storage.bars.places import MANIFEST, series_path
from backend.domain.market_ports import SeriesEntry
from backend.services.bar_library import BarLibrary
from tests.bar_pages import BTC, START, instrument, page
from tests.fake_calendars import FakeCalendars
from tests.fakes import FakeClock


def test_series_that_cannot_be_read_says_so_and_leaves_the_others(tmp_path: Path) -> None:
    clock = FakeClock()
    store = ParquetBarStore(tmp_path, clock)
    newer, damaged, never = (replace(BTC, symbol=symbol) for symbol in ("NEWER", "DAMAGED", "NEVER"))
    for series in (BTC, newer, damaged):
        store.write(instrument(series), series, page(3), source="a test")
    path = tmp_path / "bars" / series_path(newer) / MANIFEST
    body = path.read_bytes().split(b'"manifest":', 1)[1][:-2].replace(b'{"format":1,', b'{"format":2,')
    path.write_bytes(b'{"sha256":"' + sha256(body).hexdigest().encode() + b'","manifest":' + body + b"}\n")
    (tmp_path / "bars" / series_path(damaged) / MANIFEST).write_bytes(b"{}")
    entries = [SeriesEntry(id=uuid4(), series=one, created_at=START) for one in (newer, damaged, never, BTC)]
    held = asyncio.run(BarLibrary(store, FakeCalendars(), clock).holdings(entries))
    assert [one.manifest is not None for one in held] == [False, False, False, True]
    assert "written by another version" in (held[0].problem or "")
    assert "Download it again" in (held[1].problem or "")
    assert [one.problem for one in held[2:]] == [None, None]
