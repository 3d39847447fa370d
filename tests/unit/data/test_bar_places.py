"""Folders of series: safe for any symbol, told apart on every disk, and readable backwards."""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.data.storage.bars.places import series_at, series_path, symbol_folder
from backend.domain.market import Adjustment, Series, Timeframe

ADA = UUID("6f1f7a6c-3c1f-4a54-9f0e-2f6f6f1d7a01")
SYMBOLS = st.from_regex(r"\^?[A-Za-z0-9][A-Za-z0-9._:/^=\-]{0,39}", fullmatch=True)
SERIES = st.builds(
    Series,
    provider=st.from_regex(r"[a-z][a-z0-9_]{0,19}(:[a-z0-9_]{1,30})?", fullmatch=True),
    symbol=SYMBOLS,
    timeframe=st.sampled_from(Timeframe),
    adjustment=st.sampled_from(Adjustment),
    owner=st.none() | st.uuids(),
)


@given(SERIES)
def test_path_names_the_series_and_no_other(series: Series) -> None:
    path = series_path(series)
    assert series_at(path) == series
    assert all(re.fullmatch(r"[A-Za-z0-9%_-]+", part) for part in path.parts)
    assert max(len(part) for part in path.parts) <= 160
    assert PurePosixPath("/root", path).is_relative_to("/root/shared" if series.owner is None else "/root/private")


@given(SYMBOLS, SYMBOLS)
def test_two_symbols_have_two_folders_where_case_says_nothing(one: str, other: str) -> None:
    assert (symbol_folder(one).casefold() == symbol_folder(other).casefold()) == (one == other)


def test_case_is_kept() -> None:
    assert symbol_folder("BTC/USDT") == "BTC%2FUSDT"
    assert symbol_folder("kSHIB") == "%6BSHIB"
    assert symbol_folder("BRK.B") == "BRK%2EB"
    assert symbol_folder("^GSPC") == "%5EGSPC"


@pytest.mark.parametrize("symbol", ["CON", "NUL", "AUX", "PRN", "COM1", "LPT9", "con"])
def test_names_of_devices_are_no_folders(symbol: str) -> None:
    assert symbol_folder(symbol) not in {"CON", "NUL", "AUX", "PRN", "COM1", "LPT9"}
    assert not PureWindowsPath(symbol_folder(symbol)).drive
    assert series_at(series_path(Series(provider="yahoo", symbol=symbol, timeframe=Timeframe.D1))).symbol == symbol


def test_private_series_lie_under_their_owner() -> None:
    series = Series(provider="import", symbol="MINE", timeframe=Timeframe.H1, owner=ADA)
    assert series_path(series) == Path("private", str(ADA), "import", "MINE", "1h", "raw")
    assert series_path(Series(provider="demo", symbol="MINE", timeframe=Timeframe.H1)).parts[0] == "shared"


@pytest.mark.parametrize(
    "part", [{"owner": "../../etc"}, {"timeframe": "../1h"}, {"adjustment": "../raw"}, {"owner": f"{ADA}/.."}]
)
def test_no_path_is_made_from_unchecked_text(part: dict[str, Any]) -> None:
    wild: dict[str, Any] = {"provider": "import", "symbol": "MINE", "timeframe": Timeframe.H1, **part}
    with pytest.raises(ValueError, match=r"badly formed|not a valid"):
        series_path(Series(**wild))


@pytest.mark.parametrize("symbol", ["", "..", "../x", "A B", "A\n", "A\0", "Ä", "-A", "A" * 41])
def test_what_is_no_symbol_is_no_series(symbol: str) -> None:
    with pytest.raises(ValueError, match="no symbol"):
        Series(provider="import", symbol=symbol, timeframe=Timeframe.H1)


@pytest.mark.parametrize(
    "path",
    [
        "shared/demo/BTC/1h",
        "shared/demo/BTC/1h/raw/more",
        "private/nobody/demo/BTC/1h/raw",
        "shared/demo/btc/1h/raw",
        "shared/demo/BTC/9h/raw",
        f"shared/{ADA}/demo/BTC/1h/raw",
        "elsewhere/demo/BTC/1h/raw",
    ],
)
def test_other_folders_are_no_series(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        series_at(Path(path))
