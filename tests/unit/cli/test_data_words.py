"""What the data commands say where two things would look alike, or a default does not fit."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from backend.cli.data import _as_served
from backend.cli.data_words import named
from backend.domain.market import Adjustment, Series, Timeframe

APPLE = Series(provider="yahoo", symbol="AAPL", timeframe=Timeframe.D1)


def market(*adjustments: Adjustment) -> Any:
    return SimpleNamespace(markets=SimpleNamespace(fetcher=lambda _: SimpleNamespace(adjustments=adjustments)))


def test_a_provider_without_raw_prices_gives_what_it_has_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    served = _as_served(market(Adjustment.SPLITS, Adjustment.ALL), APPLE)
    assert served.adjustment is Adjustment.SPLITS
    assert "adjusted for 'splits'" in capsys.readouterr().err
    assert _as_served(market(Adjustment.RAW), APPLE) == APPLE


def test_imports_of_two_users_are_told_apart() -> None:
    ours = Series(provider="import", symbol="BANK", timeframe=Timeframe.D1)
    theirs = Series(provider="import", symbol="BANK", timeframe=Timeframe.D1, owner=UUID(int=7))
    assert named(ours) == "import BANK 1d"
    assert named(theirs) == f"import BANK 1d of user {UUID(int=7)}"
