"""A preview is a process that may fail in any way; whoever asked hears why, and nobody else notices."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from backend.bootstrap_market import desk_environment
from backend.data.strategy_previews import MOST_OF_ONE, MOST_WAITING, ProcessStrategyPreviews
from backend.domain.errors import QuotaReached, ServiceUnavailable
from backend.domain.market_errors import NoBars
from backend.domain.strategy_errors import InvalidParameters, PreviewFailed
from backend.settings import Settings

OWNER = UUID(int=7)
SERIES = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d", "adjustment": "raw", "owner": None}


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "strategy": "buy_and_hold",
        "parameters": {},
        "series": SERIES,
        "start": None,
        "end": "2025-01-01T00:00:00+00:00",
        "bars": 5,
        **changes,
    }


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "backend.worker.previewing" in " ".join(one.cmdline())]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return desk_environment(Settings(_env_file=None, cache_dir=tmp_path))


async def test_nobody_takes_the_places_of_all(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    previews, turn = ProcessStrategyPreviews(environment), asyncio.Event()

    async def ask(_: bytes) -> tuple[bytes, int]:
        await turn.wait()
        return b'{"bars": {}}', 0

    monkeypatch.setattr(previews._shots, "ask", ask)
    own = [asyncio.create_task(previews.preview(asked(), owner=OWNER)) for _ in range(MOST_OF_ONE)]
    other = asyncio.create_task(previews.preview(asked(), owner=UUID(int=8)))
    await asyncio.sleep(0)
    with pytest.raises(QuotaReached) as reached:
        await previews.preview(asked(), owner=OWNER)
    assert (reached.value.limit, reached.value.count) == (MOST_OF_ONE, MOST_OF_ONE)
    turn.set()
    assert await asyncio.gather(*own, other) == [{"bars": {}}] * (MOST_OF_ONE + 1)
    assert await previews.preview(asked(), owner=OWNER) == {"bars": {}}


async def test_errors_come_back_as_what_they_were_and_a_process_that_dies_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    lines = [
        "import os",
        "from backend.domain.strategies.base import TradingStrategy",
        "class Dies(TradingStrategy):",
        '    """Takes its process with it."""',
        '    name = "dies"',
        "    def generate_signals(self, market):",
        "        os._exit(3)",
    ]
    (folder / "dies.py").write_text("\n".join(lines))
    previews = ProcessStrategyPreviews({**environment, "TIDEMARK_STRATEGIES_DIR": str(folder)})
    shown = await previews.preview(asked(), owner=OWNER)
    assert len(shown["bars"]["ts"]) == 5
    with pytest.raises(InvalidParameters) as refused:
        await previews.preview(asked(strategy="sma_cross", parameters={"fats": 3}), owner=OWNER)
    assert [one.pointer for one in refused.value.errors] == ["/parameters/fats"]
    with pytest.raises(NoBars, match="Download it first"):
        await previews.preview(asked(series={**SERIES, "provider": "yahoo"}), owner=OWNER)
    with pytest.raises(PreviewFailed, match="ended before it answered"):
        await previews.preview(asked(strategy="dies"), owner=OWNER)
    with pytest.raises(NoBars, match="no bars before 1970-01-01"):
        await previews.preview(asked(end="1969-01-01T00:00:00+00:00"), owner=OWNER)
    await previews.close()
    assert children() == []


async def test_one_that_takes_too_long_is_ended_and_too_many_are_not_begun(environment: dict[str, str]) -> None:
    previews = ProcessStrategyPreviews(environment, longest_seconds=0.001)
    with pytest.raises(PreviewFailed, match="not made within"):
        await previews.preview(asked(), owner=OWNER)
    previews._shots.waiting = MOST_WAITING
    with pytest.raises(ServiceUnavailable, match="16 previews wait already"):
        await previews.preview(asked(), owner=OWNER)
    await previews.close()
    assert children() == []
