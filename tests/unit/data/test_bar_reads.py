"""Whoever watches the installation hears where the bars of each read were."""

from dataclasses import replace
from pathlib import Path

import pytest

from backend.data.storage.bars import ParquetBarStore
from backend.domain.market_errors import NoBars
from tests.bar_pages import BTC, instrument, page
from tests.fakes import FakeClock


def test_reads_are_told_as_remembered_decoded_or_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    ParquetBarStore(tmp_path, FakeClock()).write(instrument(BTC), BTC, page(500), source="a test")
    store = ParquetBarStore(tmp_path, FakeClock(), on_read=told.append)
    store.read(BTC)
    store.read(BTC)
    with pytest.raises(NoBars):
        store.read(replace(BTC, symbol="NONE"))
    assert told == ["decoded", "remembered", "nothing"]
